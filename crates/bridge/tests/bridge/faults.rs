//! Groups that go and come back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ffrpc::{Credentials, Group};
use protocol::{ErrorKind, Secret};

use crate::harness::{
    Begins, LEASE, bridge, eventually, everything, group, joins, offering, once_not, reaching,
    start, within,
};

async fn echo(other: &Group) -> Result<Bytes, protocol::CallError> {
    other.call("echo", Bytes::from_static(b"hello")).await
}

#[tokio::test]
async fn a_group_that_is_gone_is_announced_as_such_and_calls_to_it_end_at_once() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let address = b.address();
    b.stop().await;

    eventually(|| (bridge.reachable().len() == 1).then_some(())).await;
    let gone = eventually(|| other.bridge().err()).await;
    assert_eq!(gone.kind, ErrorKind::Unavailable);
    let began = Instant::now();
    let error = within(echo(&other)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );

    // Another run of it: everybody joins anew.
    let returned = Begins {
        address,
        ..Begins::new("GroupB", everything())
    };
    let _b = returned.start().await;
    within(async {
        while echo(&other).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(bridge.reachable().len(), 2);
}

#[tokio::test]
async fn a_call_that_is_under_way_ends_with_its_group() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let (callee, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let wait = Duration::from_secs(60);
    let pending =
        tokio::spawn(async move { other.call_within("forever", Bytes::new(), wait).await });
    eventually(|| (bridge.calls() == 1).then_some(())).await;
    within(callee.leave()).await;
    let error = within(pending).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    eventually(|| (bridge.calls() == 0).then_some(())).await;
}

/// Nobody is left who could say that its nodes are gone.
#[tokio::test]
async fn a_call_that_is_under_way_ends_when_its_group_was_not_reached_for_a_lease() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_callee, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let wait = Duration::from_secs(60);
    let pending =
        tokio::spawn(async move { other.call_within("forever", Bytes::new(), wait).await });
    eventually(|| (bridge.calls() == 1).then_some(())).await;
    let began = Instant::now();
    b.stop().await;
    let error = within(pending).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("may or may not"), "{error}");
    assert!(began.elapsed() >= Duration::from_secs(3));
    assert_eq!(bridge.calls(), 0);
}

#[tokio::test]
async fn a_master_that_is_restarted_under_calls_loses_none_of_their_ends() {
    let folder = tempfile::tempdir().unwrap();
    let begins = Begins {
        epoch_file: Some(folder.path().join("group.epoch")),
        ..Begins::new("GroupB", everything())
    };
    let (a, b) = (group("GroupA", vec![]).await, begins.clone().start().await);
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let other = other.clone();
            tokio::spawn(async move {
                let (mut ends, began) = (Vec::new(), Instant::now());
                while began.elapsed() < 4 * LEASE {
                    let outcome = echo(&other).await;
                    if outcome.is_err() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    ends.push(outcome.map_err(|error| error.kind));
                }
                ends
            })
        })
        .collect();
    let address = b.address();
    b.stop().await;
    let _b = Begins { address, ..begins }.start().await;
    for call in calls {
        let ends = within(call).await.unwrap();
        assert_eq!(ends.last(), Some(&Ok(Bytes::from_static(b"hello"))));
        for end in ends {
            assert!(
                matches!(
                    end,
                    Ok(_) | Err(ErrorKind::Unavailable | ErrorKind::DeadlineExceeded)
                ),
                "{end:?}"
            );
        }
    }
    eventually(|| (bridge.calls() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_bridge_with_a_wrong_secret_is_ready_without_that_group() {
    let (a, b, c) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
        group("GroupC", everything()).await,
    );
    let mut wrong = joins("GroupB", b.address());
    wrong.credentials = Credentials::from(Secret::new("open"));
    let bridge = start(
        "bridge@0",
        vec![
            joins("GroupA", a.address()),
            wrong,
            joins("GroupC", c.address()),
        ],
    );
    let began = Instant::now();
    within(bridge.ready()).await;
    assert!(began.elapsed() >= Duration::from_secs(3));
    let (_echo, caller) = (c.echo("echo@0").await, a.caller().await);
    offering(&caller, "GroupC", "echo").await;
    let refused = caller.group("GroupB".parse().unwrap());
    let error = once_not(ErrorKind::NotFound, async || echo(&refused).await)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    within(bridge.shutdown(Duration::from_secs(1))).await;
}

#[tokio::test]
async fn a_bridge_is_not_ready_while_it_reaches_nobody() {
    let (a, b) = (group("GroupA", vec![]).await, group("GroupB", vec![]).await);
    let (at_a, at_b) = (a.address(), b.address());
    a.stop().await;
    b.stop().await;
    let bridge = start(
        "bridge@0",
        vec![joins("GroupA", at_a), joins("GroupB", at_b)],
    );
    let early = tokio::time::timeout(Duration::from_millis(3500), bridge.ready()).await;
    assert!(early.is_err());
    let _a = Begins {
        address: at_a,
        ..Begins::new("GroupA", vec![])
    }
    .start()
    .await;
    within(bridge.ready()).await;
    let began = Instant::now();
    within(bridge.shutdown(Duration::from_secs(10))).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

/// What the bridge reports comes with the directory: a node that joins later knows it.
#[tokio::test]
async fn a_caller_that_joins_later_hears_of_the_groups() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let _echo = b.echo("echo@0").await;
    let early = a.caller().await;
    offering(&early, "GroupB", "echo").await;
    let late = a.join("late@0", ffrpc::Services::new()).await;
    let other = reaching(&late, "GroupB").await;
    assert!(within(echo(&other)).await.is_ok());
}
