//! A session goes from scene to scene.

use std::time::{Duration, Instant};

use tests::eventually;

use crate::{
    stage,
    traveller::{Plan, Traveller, bounces},
};

#[tokio::test]
async fn a_session_bounces_a_thousand_times_and_no_frame_is_lost_or_handled_twice() {
    const BOUNCES: usize = 1000;
    let cluster = stage::with("frames_per_second = 100000").await;
    let scenes = ["scene@0", "scene@1"].map(|scene| cluster.process(scene).id());
    let plan = Plan {
        pause: Duration::from_millis(1),
        in_flight: 12,
        next: bounces,
    };
    let begun = Instant::now();
    let alice = Traveller::join(cluster.tcp("gate@0"), "alice", plan)
        .await
        .unwrap();
    eventually("it has bounced a thousand times", async || {
        let journals = stage::journals(&cluster);
        let enters = scenes.map(|scene| journals.count(scene, "enter"));
        (enters[0] + enters[1] > BOUNCES).then_some(())
    })
    .await;
    let tally = alice.stop().await;
    assert_eq!((tally.closed, tally.missing), (None, 0));
    println!(
        "{} bounces and {} frames in {:?}",
        tally.moves,
        tally.sent,
        begun.elapsed()
    );
    assert!(
        tally.sent >= 2 * BOUNCES as u64,
        "the traffic was not constant"
    );
    eventually("it is offline", async || {
        (stage::journals(&cluster).offlines("alice") > 0).then_some(())
    })
    .await;
    let journals = stage::journals(&cluster);
    journals.are_sound();
    // Where it arrived last, which its last answer need not have come from: a move that
    // was asked for before that may follow it.
    assert_eq!(journals.offlines("alice"), 1);
    let [zero, one] = scenes.map(|scene| {
        let count = |what| journals.count(scene, what);
        [count("enter"), count("leave") + count("offline")]
    });
    assert_eq!(zero[0], zero[1]);
    assert_eq!(one[0], one[1]);
}

#[tokio::test]
async fn many_sessions_bounce_at_once_each_in_its_own_time() {
    let cluster = stage::two_of_each().await;
    let plan = Plan {
        pause: Duration::from_millis(20),
        in_flight: 12,
        next: bounces,
    };
    let mut crowd = stage::crowd(&cluster, "gate@0", 40, plan).await;
    crowd.extend(stage::crowd(&cluster, "gate@1", 40, plan).await);
    let scene = cluster.process("scene@1").id();
    eventually("all have been there and back", async || {
        (stage::journals(&cluster).count(scene, "leave") > 800).then_some(())
    })
    .await;
    stage::all_arrive(crowd).await;
    stage::journals(&cluster).are_sound();
}
