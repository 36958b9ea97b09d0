use std::time::{Duration, Instant};

use bytes::Bytes;
use ffrpc::Node;
use protocol::{CallError, ErrorKind};
use tests::{Callees, ECHO_METHOD, Groups, MASTER, Signal, eventually, reaches, record};

use super::stage::{A, B, C, OPEN, SHORT_LEASE, caller, finds, master_alone};

async fn call(node: &Node, group: &str) -> Result<Bytes, CallError> {
    let group = node.group(group.parse().unwrap());
    group.call(ECHO_METHOD, Bytes::from_static(b"?")).await
}

#[tokio::test]
async fn a_group_that_no_bridge_joins_is_not_found_at_once() {
    let groups = Groups::launch(&[("GroupA", master_alone(SHORT_LEASE))]);
    groups.are_ready().await;
    let node = groups.at(A).node("caller@0", ffrpc::Services::new()).await;
    let begun = Instant::now();
    let error = call(&node, "GroupX").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "no bridge of this group joins GroupX");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// Two bridges are told of different masters for one name.
#[tokio::test]
async fn calls_to_a_name_that_two_groups_claim_are_refused_until_one_gives_it_up() {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(OPEN)),
        ("GroupB", master_alone(OPEN)),
    ];
    let mut groups = Groups::launch(&groups);
    groups.are_ready().await;
    let _callees = Callees::join(groups.at(B), 1).await;
    let (a, b, another_b) = (groups.join(A), groups.join(B), groups.join(C));
    groups.bridges_mut().run_with("bridge@0", &[a.clone(), b]);
    groups.bridges_mut().run_with("bridge@1", &[a, another_b]);
    let node = groups.at(A).node("caller@0", ffrpc::Services::new()).await;
    let error = eventually("the claim is noticed", async || {
        let error = call(&node, "GroupB").await.err()?;
        error.message.contains("two groups claim").then_some(error)
    })
    .await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    for words in ["two groups claim the name GroupB: ", "bridge@0", "bridge@1"] {
        assert!(error.message.contains(words), "{error}");
    }
    let output = groups.at(A).redrabbit(&["nodes"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains(
            "warning: two groups claim the name GroupB: bridge@0 reaches one and bridge@1 another"
        ),
        "{said}"
    );

    // While one of the two is down, the other is not called in its place.
    groups.at_mut(C).end(MASTER, Signal::KILL).await;
    reaches(groups.at(A), "bridge@1", "GroupB", false).await;
    let error = call(&node, "GroupB").await.unwrap_err();
    assert!(error.message.contains("two groups claim"), "{error}");

    groups.end_bridge("bridge@1", Signal::TERM).await;
    let answer = eventually("the other one has it", async || {
        call(&node, "GroupB").await.ok()
    });
    assert_eq!(answer.await, "?");
}

/// A bridge is told that a group is called as another one is.
#[tokio::test]
async fn a_bridge_refuses_a_group_whose_master_says_another_name() {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(OPEN)),
        ("GroupC", master_alone(OPEN)),
    ];
    let mut groups = Groups::launch(&groups);
    groups.are_ready().await;
    let _callees = Callees::join(groups.at(C), 1).await;
    let (a, c) = (groups.join(A), groups.join(C));
    // The one at GroupB's address is GroupB, whatever the bridge was told.
    let misnamed = tests::Join {
        group: "GroupX".to_owned(),
        ..groups.join(B)
    };
    groups.bridges_mut().run_with("bridge@0", &[a, misnamed, c]);
    reaches(groups.at(A), "bridge@0", "GroupC", true).await;
    reaches(groups.at(A), "bridge@0", "GroupX", false).await;
    eventually("the bridge says what is wrong", async || {
        let log = groups.bridges().log("bridge@0");
        (log.contains("WARN") && log.contains("GroupX") && log.contains("GroupB")).then_some(())
    })
    .await;
    let node = caller(groups.at(A), "GroupC").await;
    let begun = Instant::now();
    let error = call(&node, "GroupX").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.contains("bridge@0"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    // The name that it has there was not given to the bridge.
    let error = call(&node, "GroupB").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    eventually("other groups are called", async || {
        call(&node, "GroupC").await.ok()
    })
    .await;
    // It announces nothing in the group that is not what it was told.
    let in_b = record(groups.at(B), "bridge@0").await;
    assert!(in_b.is_none_or(|record| record.groups.is_empty()));

    // When it is told the right name, all is well.
    groups.end_bridge("bridge@0", Signal::TERM).await;
    groups.run_bridge("bridge@0");
    finds(&node, "GroupB").await;
}
