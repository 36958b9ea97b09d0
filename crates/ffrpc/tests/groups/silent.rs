//! Bridges that are killed, frozen, or gone, with calls under way.

use std::time::Duration;

use protocol::{CallError, ErrorKind, envelope::EnvelopeKind};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    group::{Link, until},
    relay::{Relay, Stage},
};

/// A call that is under way at the only bridge.
async fn under_way(
    stage: &Stage,
    method: &'static str,
) -> JoinHandle<Result<bytes::Bytes, CallError>> {
    let group = stage.group();
    let call = tokio::spawn(async move {
        let wait = Duration::from_secs(60);
        group.call_within(method, "?".into(), wait).await
    });
    // It has arrived, and its acknowledgement has come back.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.caller.pending_calls(), 1);
    call
}

/// The bridge that the caller uses, and the other one.
async fn two(stage: &Stage) -> (Relay, Relay) {
    let (one, other) = (stage.relay(0).await, stage.relay(1).await);
    match stage.group().bridge().unwrap() == one.id() {
        true => (one, other),
        false => (other, one),
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_bridge_is_noticed_within_100_ms_by_a_caller_with_one_call() {
    let stage = Stage::new().await;
    let (used, other) = two(&stage).await;
    let call = under_way(&stage, "never").await;
    let killed = Instant::now();
    stage.a.set_link(used.id(), Link::Cut);
    let error = call.await.unwrap().unwrap_err();
    assert!(killed.elapsed() <= Duration::from_millis(100));
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let said = format!(
        "{} does not answer: the call may or may not have been done",
        used.in_a.name()
    );
    assert_eq!(error.message, said);
    // The next one goes by the other bridge, at once.
    let again = Instant::now();
    assert_eq!(stage.call("echo").await.unwrap(), "?");
    assert!(again.elapsed() <= Duration::from_millis(5));
    assert_eq!(stage.group().bridge().unwrap(), other.id());
}

#[tokio::test(start_paused = true)]
async fn a_bridge_whose_link_is_opened_anew_keeps_its_calls() {
    let stage = Stage::new().await;
    let relay = stage.relay(0).await;
    let long = under_way(&stage, "never").await;
    for _ in 0..5 {
        stage.a.set_link(relay.id(), Link::Cut);
        let group = stage.group();
        let echo = tokio::spawn(async move { group.call("echo", "?".into()).await });
        sleep(Duration::from_millis(3)).await;
        stage.a.set_link(relay.id(), Link::Up);
        let begun = Instant::now();
        assert_eq!(echo.await.unwrap().unwrap(), "?");
        assert!(begun.elapsed() <= Duration::from_millis(50));
        sleep(Duration::from_secs(1)).await;
        assert!(!long.is_finished());
    }
    long.abort();
}

#[tokio::test(start_paused = true)]
async fn a_frozen_bridge_ends_its_calls_after_a_second_and_is_used_again_when_it_is_back() {
    let stage = Stage::new().await;
    let (used, other) = two(&stage).await;
    let call = under_way(&stage, "slow").await;
    let frozen = Instant::now();
    stage.a.set_link(used.id(), Link::Frozen);
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let took = frozen.elapsed();
    assert!(
        (900..=1100).contains(&took.as_millis()),
        "ended after {took:?}"
    );
    assert_eq!(stage.group().bridge().unwrap(), other.id());
    stage.call("echo").await.unwrap();
    // The answer to the first call comes now, and is nobody's.
    sleep(Duration::from_secs(8)).await;
    assert_eq!(stage.caller.pending_calls(), 0);
    stage.a.set_link(used.id(), Link::Up);
    until(|| (stage.group().bridge() == Ok(used.id())).then_some(())).await;
    assert_eq!(stage.call("echo").await.unwrap(), "?");
}

#[tokio::test(start_paused = true)]
async fn the_only_bridge_that_is_silent_is_named_at_once() {
    let stage = Stage::new().await;
    let relay = stage.relay(0).await;
    let call = under_way(&stage, "never").await;
    stage.a.set_link(relay.id(), Link::Cut);
    call.await.unwrap().unwrap_err();
    let begun = Instant::now();
    let error = stage.call("echo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(
        error.message,
        "GroupB cannot be reached now: bridge@0 does not answer"
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // It was only its link.
    stage.a.set_link(relay.id(), Link::Up);
    until(|| stage.group().bridge().ok()).await;
    stage.call("echo").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_leaves_takes_its_calls_along_and_says_what_it_was() {
    let stage = Stage::new().await;
    let relay = stage.relay(0).await;
    let call = under_way(&stage, "never").await;
    stage.a.expire(relay.id());
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(
        error.message,
        "bridge@0 is gone: the call may or may not have been done"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_keeps_its_bridge() {
    let stage = Stage::new().await;
    let relay = stage.relay(0).await;
    let call = under_way(&stage, "never").await;
    sleep(Duration::from_secs(30)).await;
    assert!(!call.is_finished());
    let (caller, bridge) = (stage.caller.id().unwrap(), relay.id());
    assert!(
        stage.a.sent(caller, bridge, EnvelopeKind::Ack).len() > 100,
        "it is asked for signs of life"
    );
    call.abort();
}

#[tokio::test(start_paused = true)]
async fn a_bridge_without_calls_is_not_watched() {
    let stage = Stage::new().await;
    let relay = stage.relay(0).await;
    stage.call("slow").await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let (caller, bridge) = (stage.caller.id().unwrap(), relay.id());
    let asked = || stage.a.sent(caller, bridge, EnvelopeKind::Ack).len();
    let before = asked();
    assert!(before > 0, "it was, while there was one");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(asked(), before);
    // Calls to nodes of the own group are no reason.
    let other = stage.a.service("other@0", ffrpc::Services::new()).await;
    let own = stage.caller.id().unwrap();
    until(|| other.record(own)).await;
    let wait = Duration::from_secs(5);
    let error = other.call_within(own, "never", "?".into(), wait).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::DeadlineExceeded);
    let other = other.id().unwrap();
    assert!(stage.a.sent(other, own, EnvelopeKind::Ack).is_empty());
}
