//! The same session logs in again.

use tests::{Cluster, Signal, eventually};
use tokio::task::JoinSet;

use crate::{
    stage,
    traveller::{STEADY, Traveller},
};

async fn alice(cluster: &Cluster, gate: &str) -> Traveller {
    Traveller::join(cluster.tcp(gate), "alice", STEADY)
        .await
        .unwrap()
}

/// Waits for what has happened to alice in a process.
async fn has_happened(cluster: &Cluster, process: u32, story: &str) {
    eventually(story, async || {
        let so_far = stage::journals(cluster).story(process, "alice");
        assert!(story.starts_with(&so_far), "{so_far}, expected {story}");
        (so_far == story).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_newer_login_replaces_the_older_one_on_whatever_gate() {
    let cluster = stage::two_of_each().await;
    let scene = cluster.process("scene@0").id();
    let mut older = alice(&cluster, "gate@0").await;
    let mut story = "enter".to_owned();
    for gate in ["gate@1", "gate@0", "gate@0", "gate@1", "gate@1"] {
        let newer = alice(&cluster, gate).await;
        let tally = older.closed().await;
        assert_eq!(tally.closed.as_deref(), Some("replaced"));
        story += " offline enter";
        has_happened(&cluster, scene, &story).await;
        older = newer;
    }
    stage::all_arrive(vec![older]).await;
}

#[tokio::test]
async fn a_login_in_another_scene_is_offline_there_before_the_newer_one_enters() {
    let cluster = stage::two_of_each().await;
    let [zero, one] = ["scene@0", "scene@1"].map(|scene| cluster.process(scene).id());
    let plan = crate::traveller::Plan {
        next: crate::traveller::goes_once,
        ..STEADY
    };
    let older = Traveller::join(cluster.tcp("gate@0"), "alice", plan)
        .await
        .unwrap();
    has_happened(&cluster, one, "enter").await;
    let newer = alice(&cluster, "gate@1").await;
    // It was let in only when nobody held the older one.
    assert_eq!(
        stage::journals(&cluster).story(one, "alice"),
        "enter offline"
    );
    assert_eq!(older.closed().await.closed.as_deref(), Some("replaced"));
    has_happened(&cluster, zero, "enter leave enter").await;
    stage::all_arrive(vec![newer]).await;
}

#[tokio::test]
async fn of_many_logins_at_once_one_is_left() {
    let cluster = stage::two_of_each().await;
    let mut logins = JoinSet::new();
    for n in 0..40 {
        let gate = cluster.tcp(["gate@0", "gate@1"][n % 2]);
        logins.spawn(async move { Traveller::join(gate, "alice", STEADY).await });
    }
    let mut in_once = Vec::new();
    for login in logins.join_all().await {
        match login {
            Ok(traveller) => in_once.push(traveller),
            Err(client::ClientError::Refused { reason }) => assert_eq!(reason, "replaced"),
            Err(error) => panic!("{error}"),
        }
    }
    eventually("one is left", async || {
        let left = in_once.iter().filter(|traveller| !traveller.has_ended());
        (left.count() == 1).then_some(())
    })
    .await;
    let mut left = Vec::new();
    for traveller in in_once {
        if traveller.has_ended() {
            let tally = traveller.closed().await;
            assert_eq!(tally.closed.as_deref(), Some("replaced"));
        } else {
            left.push(traveller);
        }
    }
    stage::all_arrive(left).await;
    stage::journals(&cluster).are_sound();
}

#[tokio::test]
async fn an_owner_that_restarts_still_knows_who_is_there() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut cluster = stage::two_of_each().await;
        let older = alice(&cluster, "gate@0").await;
        let before = cluster.process("scene@0").id();
        has_happened(&cluster, before, "enter").await;
        cluster.end("scene@0", signal).await;
        cluster.run("scene@0");
        let after = cluster.process("scene@0").id();
        has_happened(&cluster, after, "enter").await;
        let newer = alice(&cluster, "gate@1").await;
        let tally = older.closed().await;
        assert_eq!(tally.closed.as_deref(), Some("replaced"), "{signal:?}");
        has_happened(&cluster, after, "enter offline enter").await;
        stage::all_arrive(vec![newer]).await;
    }
}
