//! A bridge that is told to stop.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ffrpc::{Group, Node, NodeRecord, Services};
use protocol::{CallError, ErrorKind, NodeId};
use tokio::sync::watch;

use crate::harness::{GRACE, Running, bridge, eventually, everything, group, offering, within};

/// A service that answers when it is told to.
async fn patient(home: &Running) -> watch::Sender<bool> {
    let (answer_tx, answer_rx) = watch::channel(false);
    let services = Services::new()
        .serve("echo", async |request| Ok(request.body))
        .serve("wait", move |_| {
            let mut answer = answer_rx.clone();
            async move {
                let _ = answer.wait_for(|answer| *answer).await;
                Ok("done".into())
            }
        });
    home.join("patient@0", services).await;
    answer_tx
}

async fn waiting(other: Group) -> Result<Bytes, CallError> {
    other.call_within("wait", Bytes::new(), GRACE * 2).await
}

#[tokio::test]
async fn calls_under_way_end_before_the_bridge_does_and_new_ones_take_another() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let (zero, one) = (
        bridge("bridge@0", &[&a, &b]).await,
        bridge("bridge@1", &[&a, &b]).await,
    );
    let (answer, caller) = (patient(&b).await, a.caller().await);
    let ids = [
        known(&caller, "bridge@0").await,
        known(&caller, "bridge@1").await,
    ];
    let other = offering(&caller, "GroupB", "echo").await;
    // The one that would have the next call, too, is the one that stops.
    let ((first, second), left) = match other.bridge() == Ok(ids[0]) {
        true => ((zero, one), ids[1]),
        false => ((one, zero), ids[0]),
    };
    let pending = tokio::spawn(waiting(other.clone()));
    eventually(|| (first.calls() == 1).then_some(())).await;

    let shutdown = tokio::spawn(first.shutdown(GRACE));
    eventually(|| (other.bridge() == Ok(left)).then_some(())).await;
    for _ in 0..20 {
        within(other.call("echo", Bytes::new())).await.unwrap();
    }
    assert!(!shutdown.is_finished());
    answer.send_replace(true);
    assert_eq!(within(pending).await.unwrap().unwrap(), "done");
    within(shutdown).await.unwrap();
    within(second.shutdown(GRACE)).await;
}

/// A bridge, once the caller knows that it reaches the other group.
async fn known(caller: &Node, name: &str) -> NodeId {
    let id = eventually(|| caller.resolve(&name.parse().unwrap())).await;
    let reaches = |bridge: &NodeRecord| bridge.groups.iter().any(|group| group.reachable);
    eventually(|| caller.record(id).filter(|bridge| reaches(bridge))).await;
    id
}

#[tokio::test]
async fn calls_that_do_not_end_within_the_grace_end_with_the_bridge() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_answer, caller) = (patient(&b).await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let pending = tokio::spawn(waiting(other.clone()));
    eventually(|| (bridge.calls() == 1).then_some(())).await;
    let (began, grace) = (Instant::now(), Duration::from_millis(500));
    within(bridge.shutdown(grace)).await;
    assert!(began.elapsed() >= grace);
    assert_eq!(
        within(pending).await.unwrap().unwrap_err().kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn a_bridge_without_calls_stops_at_once() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let began = Instant::now();
    within(bridge.shutdown(GRACE)).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}
