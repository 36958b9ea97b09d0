//! Calls that cross a bridge.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ffrpc::{Origin, Services};
use futures_util::future::join_all;
use protocol::{
    ErrorKind,
    v1::{Crossing, NodeState, Role},
};
use tokio::{sync::oneshot, time::Duration};

use super::{
    group::{config, until},
    relay::{Relay, Stage, pass},
};

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_from_the_other_group_and_says_where_it_came_from() {
    let stage = Stage::new().await;
    let _relay = stage.relay(0).await;
    assert_eq!(stage.call("echo").await.unwrap(), "?");
    let origin = Origin {
        group: "GroupA".parse().unwrap(),
        node: "caller@0".into(),
        hops: 1,
    };
    let whence = stage.call("whence").await.unwrap();
    assert_eq!(whence, format!("{:?}", Some(&origin)));
    // Because of a request that has crossed three bridges itself.
    let origin = Origin { hops: 3, ..origin };
    let group = stage.group().after(Some(&origin));
    let whence = group.call("whence", Bytes::new()).await.unwrap();
    let origin = Origin { hops: 4, ..origin };
    assert_eq!(whence, format!("{:?}", Some(&origin)));
    // By name.
    let group = stage.group().service("callee@1".parse().unwrap());
    let error = group.call("echo", Bytes::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "no callee@1 there");
    // The other's own error, as it is.
    let error = stage.call("fly").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unimplemented);
    assert_eq!(error.message, "callee@0 has no method fly");
}

#[tokio::test(start_paused = true)]
async fn nobody_but_a_bridge_is_believed_to_bring_a_call_of_another_group() {
    let stage = Stage::new().await;
    let other = stage.a.service("other@0", Services::new()).await;
    let caller = stage.caller.id().unwrap();
    until(|| other.record(caller)).await;
    let crossing = Crossing {
        from_group: "GroupB".into(),
        from_node: "operator@0".into(),
        hops: 1,
        ..Crossing::default()
    };
    let (said, heard) = oneshot::channel();
    let wait = Duration::from_secs(1);
    let then = |outcome| drop(said.send(outcome));
    other.call_then(caller, "whence", Bytes::new(), wait, Some(&crossing), then);
    assert_eq!(heard.await.unwrap().unwrap(), "None");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_no_bridge_passes_nothing_on() {
    let stage = Stage::new().await;
    // It calls itself one.
    let fake = stage
        .a
        .join(config("bridge@0", Role::Bridge), Services::new())
        .await;
    fake.set_groups(vec![protocol::v1::GroupLink {
        name: "GroupB".into(),
        identity: 2,
        reachable: true,
    }]);
    until(|| stage.group().bridge().ok()).await;
    let error = stage.call("echo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "bridge@0 is no bridge to GroupB");

    // The longest name that fits is not repeated to whoever thinks of it.
    let crossing = Crossing {
        group: "x".repeat(1_048_000),
        ..Crossing::default()
    };
    let (said, heard) = oneshot::channel();
    let (bridge, wait) = (fake.id().unwrap(), Duration::from_secs(1));
    let then = |outcome| drop(said.send(outcome));
    stage
        .caller
        .call_then(bridge, "echo", Bytes::new(), wait, Some(&crossing), then);
    let error = heard.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.len() < 100);
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_caller_to_one_group_keep_their_order() {
    let stage = Stage::new().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let of_services = Arc::clone(&heard);
    let services = Services::new().serve("note", move |request| {
        of_services.lock().unwrap().push(request.body[0]);
        async { Ok(Bytes::new()) }
    });
    let _noter = stage.b.service("noter@0", services).await;
    let relays = [stage.relay(0).await, stage.relay(1).await];
    until(|| {
        relays[0].in_b.resolve(&"noter@0".parse().unwrap())?;
        relays[1].in_b.resolve(&"noter@0".parse().unwrap())
    })
    .await;
    let group = stage.group().service("noter@0".parse().unwrap());
    let call = |number: u8| group.call("note", vec![number].into());
    for outcome in join_all((0..=255).map(call)).await {
        outcome.unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), (0..=255).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_not_there_is_told_from_one_that_cannot_be_reached() {
    let stage = Stage::new().await;
    let error = stage.call("echo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "no bridge of this group joins GroupB");
    let relay = stage.relay(0).await;
    stage.call("echo").await.unwrap();
    relay.announce("GroupB", 2, false);
    let error = until(|| stage.group().bridge().err()).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        error.message.ends_with("bridge@0 does not reach it"),
        "{error}"
    );
    relay.announce("GroupB", 2, true);
    until(|| stage.group().bridge().ok()).await;
    stage.call("echo").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_groups_of_one_name_are_both_refused() {
    let stage = Stage::new().await;
    let _relay = stage.relay(0).await;
    let other = Relay::new(&stage.a, &stage.b, config("bridge@1", Role::Bridge), pass).await;
    other.announce("GroupB", 3, true);
    let error = until(|| stage.group().bridge().err()).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        error.message.starts_with("two groups claim the name"),
        "{error}"
    );
    other.in_a.leave().await;
    until(|| stage.group().bridge().ok()).await;
}

#[tokio::test(start_paused = true)]
async fn calls_at_a_bridge_that_drains_go_on_and_new_ones_go_elsewhere() {
    let stage = Stage::new().await;
    let relay = stage.relay(0).await;
    let pending = tokio::spawn({
        let group = stage.group();
        async move { group.call("slow", "?".into()).await }
    });
    until(|| (stage.caller.pending_calls() == 1).then_some(())).await;
    relay.in_a.set_state(NodeState::Draining);
    let error = until(|| stage.group().bridge().err()).await;
    assert!(
        error.message.ends_with("bridge@0 takes no new calls"),
        "{error}"
    );
    let other = stage.relay(1).await;
    assert_eq!(stage.group().bridge().unwrap(), other.id());
    stage.call("echo").await.unwrap();
    assert_eq!(pending.await.unwrap().unwrap(), "?");
}
