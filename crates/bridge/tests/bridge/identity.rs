//! Groups that are not what they are taken for.

use bytes::Bytes;
use protocol::{ErrorKind, v1::Crossing};
use tokio::sync::oneshot;

use crate::harness::{
    Begins, GRACE, bridge, eventually, everything, group, joins, offering, once_not, reaching,
    start, within,
};

#[tokio::test]
async fn a_group_of_another_name_is_passed_nothing_on_until_the_right_one_answers() {
    let (a, x) = (
        group("GroupA", everything()).await,
        group("GroupX", everything()).await,
    );
    let bridge = start(
        "bridge@0",
        vec![joins("GroupA", a.address()), joins("GroupB", x.address())],
    );
    within(bridge.ready()).await;
    let (_in_a, _in_x) = (a.echo("echo@0").await, x.echo("echo@0").await);
    let (caller, intruder) = (a.caller().await, x.caller().await);

    // Neither into it, nor out of it.
    let other = caller.group("GroupB".parse().unwrap());
    let error = once_not(ErrorKind::NotFound, async || {
        other.call("echo", Bytes::new()).await
    });
    assert_eq!(error.await.unwrap_err().kind, ErrorKind::Unavailable);
    let id = eventually(|| intruder.resolve(&"bridge@0".parse().unwrap())).await;
    assert!(intruder.record(id).unwrap().groups.is_empty());
    assert_eq!(bridge.reachable().len(), 1);
    // Whoever asks all the same would be taken for one of GroupB.
    let (end_tx, end_rx) = oneshot::channel();
    let crossing = Crossing {
        group: "GroupA".into(),
        ..Crossing::default()
    };
    let end = move |outcome| end_tx.send(outcome).unwrap();
    intruder.call_then(id, "echo", Bytes::new(), GRACE, Some(&crossing), end);
    let error = within(end_rx).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("another group"), "{error}");

    let address = x.address();
    x.stop().await;
    let b = Begins {
        address,
        ..Begins::new("GroupB", everything())
    }
    .start()
    .await;
    let _in_b = b.echo("echo@0").await;
    offering(&caller, "GroupB", "echo").await;
    assert_eq!(bridge.reachable().len(), 2);
}

#[tokio::test]
async fn two_groups_of_one_name_are_told_apart() {
    let (a, b, b_too) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
        group("GroupB", everything()).await,
    );
    let _first = bridge("bridge@0", &[&a, &b]).await;
    let caller = a.caller().await;
    let other = reaching(&caller, "GroupB").await;
    let second = bridge("bridge@1", &[&a, &b_too]).await;
    let error = eventually(|| other.bridge().err()).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    for part in ["GroupB", "bridge@0", "bridge@1"] {
        assert!(error.message.contains(part), "{error}");
    }
    within(second.shutdown(std::time::Duration::from_secs(10))).await;
    eventually(|| other.bridge().ok()).await;
}
