use std::time::{Duration, Instant};

use protocol::ErrorKind;
use tests::{Callees, Callers, CrossLoad, ECHO_METHOD, Groups, MASTER, Signal};

use super::stage::{A, B, EXPORTS, OPEN, PAUSE, SHORT_LEASE, master_alone, with_slave};

/// The directory is full again: everybody has come back as whom he was.
async fn is_whole(groups: &Groups, at: usize) {
    for name in [MASTER, "bridge@0"] {
        groups.at(at).has(name).await;
    }
    groups.are_linked().await;
}

#[tokio::test]
async fn a_master_that_restarts_beside_a_slave_costs_no_call_of_either_group() {
    // A new master waits for everybody for a lease: with a short one that is little on
    // a busy machine.
    let groups = [("GroupA", with_slave("")), ("GroupB", with_slave(EXPORTS))];
    let mut groups = Groups::start(&groups, 1).await;
    let callees = Callees::join(groups.at(B), 1).await;
    let callers = Callers::start(groups.at(A), "GroupB", CrossLoad::default()).await;
    callers.take();
    for at in [B, A] {
        groups.at_mut(at).end(MASTER, Signal::KILL).await;
        // Longer than a lease: who is not there now is missed.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        callers.flow().await;
        groups.at_mut(at).run(MASTER);
        is_whole(&groups, at).await;
        callers.flow().await;
        let ends = callers.take();
        println!("the master of {}: {ends}", ["GroupA", "GroupB"][at]);
        ends.are_answers();
        assert!(ends.longest() < PAUSE, "{ends}");
    }
    callers.stop().await.are_answers();
    assert_eq!(callees.came().1, 0, "calls were handled twice");
}

#[tokio::test]
async fn a_master_without_slaves_that_restarts_makes_its_group_unavailable_for_a_while() {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(OPEN)),
    ];
    let mut groups = Groups::start(&groups, 1).await;
    let callees = Callees::join(groups.at(B), 1).await;
    let callers = Callers::start(groups.at(A), "GroupB", CrossLoad::default()).await;
    callers.take();
    groups.at_mut(B).end(MASTER, Signal::KILL).await;
    tests::reaches(groups.at(A), "bridge@0", "GroupB", false).await;
    // New calls end at once: nobody waits for what cannot come.
    let node = &callers.nodes()[0];
    for _ in 0..3 {
        let begun = Instant::now();
        let group = node.group("GroupB".parse().unwrap());
        let error = group
            .call(ECHO_METHOD, "anybody?".into())
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.message.contains("bridge@0"), "{error}");
        assert!(
            begun.elapsed() < Duration::from_millis(500),
            "{:?}",
            begun.elapsed()
        );
    }

    groups.at_mut(B).run(MASTER);
    is_whole(&groups, B).await;
    callers.flow().await;
    let ends = callers.take();
    // What was under way has waited.
    println!("with a new one: {ends}");
    ends.are_answers_or(&["unavailable", "deadline_exceeded"]);
    callers.stop().await.are_answers();
    assert_eq!(callees.came().1, 0, "calls were handled twice");
}
