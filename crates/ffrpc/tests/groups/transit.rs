//! What a bridge is given, and how it answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{NodeConfig, Responder};
use futures_util::future::join_all;
use protocol::{
    CallError, ErrorKind,
    envelope::MAX_BODY_BYTES,
    v1::{Crossing, Role},
};
use tokio::time::{Instant, sleep};

use super::{
    group::{Link, config, until},
    relay::{Relay, Stage},
};

/// How much the bridge keeps for a caller of what may be refused.
const PAIR_BYTES: usize = 1 << 20;

/// A stage whose bridge does with calls what `pass` says.
async fn stage(
    max_requests: usize,
    pass: impl Fn(ffrpc::Transit, Responder) + Send + Sync + 'static,
) -> (Stage, Relay) {
    let stage = Stage::new().await;
    let config = NodeConfig {
        max_requests,
        pair_bytes: PAIR_BYTES,
        ..config("bridge@0", Role::Bridge)
    };
    let pass = move |_: &ffrpc::Node, transit, responder| pass(transit, responder);
    let relay = Relay::new(&stage.a, &stage.b, config, pass).await;
    relay.announce("GroupB", 2, true);
    until(|| stage.group().bridge().ok()).await;
    (stage, relay)
}

#[tokio::test(start_paused = true)]
async fn a_bridge_is_told_who_asks_for_what_and_until_when() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let of_bridge = Arc::clone(&seen);
    let (stage, _relay) = stage(10, move |transit, responder| {
        of_bridge.lock().unwrap().push(transit);
        responder.respond(Ok("!".into()));
    })
    .await;
    let group = stage.group().service("scene@1".parse().unwrap()).hops(5);
    let begun = Instant::now();
    let answer = group.call_within("service.7", "?".into(), Duration::from_secs(2));
    assert_eq!(answer.await.unwrap(), "!");
    let transit = seen.lock().unwrap().pop().unwrap();
    assert_eq!(transit.source, stage.caller.id().unwrap());
    assert_eq!(transit.method.as_str(), "service.7");
    assert_eq!(transit.body, "?");
    let wait = transit.deadline - begun;
    assert!(wait >= Duration::from_secs(2) && wait < Duration::from_millis(2100));
    let crossing = Crossing {
        group: "GroupB".into(),
        service: "scene@1".into(),
        hops: 5,
        ..Crossing::default()
    };
    assert_eq!(*transit.crossing, crossing);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_never_given_is_one() {
    let (stage, _relay) = stage(10, |_, responder| drop(responder)).await;
    let error = stage.call("echo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(error.message, "the bridge has given the call up");
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_panics_answers_too() {
    let (stage, _relay) = stage(10, |_, _| panic!("on purpose")).await;
    for _ in 0..3 {
        let error = stage.call("echo").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_is_an_error_and_the_largest_is_none() {
    let (stage, _relay) = stage(10, |transit, responder| {
        let more = usize::from(transit.method.as_str() == "more");
        responder.respond(Ok(vec![7; MAX_BODY_BYTES + more].into()));
    })
    .await;
    let largest = stage.call("largest").await.unwrap();
    assert_eq!(largest.len(), MAX_BODY_BYTES);
    let error = stage.call("more").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_take_the_places_of_requests_until_they_are_answered() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let of_bridge = Arc::clone(&kept);
    let (stage, _relay) = stage(3, move |_, responder| {
        of_bridge.lock().unwrap().push(responder);
    })
    .await;
    let group = stage.group();
    let calls = tokio::spawn({
        let group = group.clone();
        async move { join_all((0..5).map(|_| group.call("echo", Bytes::new()))).await }
    });
    until(|| (kept.lock().unwrap().len() == 3).then_some(())).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(kept.lock().unwrap().len(), 3, "the others have no place");
    let mut responders = std::mem::take(&mut *kept.lock().unwrap()).into_iter();
    responders.next().unwrap().respond(Ok(Bytes::new()));
    responders
        .next()
        .unwrap()
        .respond(Err(CallError::new(ErrorKind::Forbidden, "not for GroupA")));
    drop(responders);
    let mut kinds: Vec<_> = calls
        .await
        .unwrap()
        .into_iter()
        .map(|outcome| outcome.map_err(|error| error.kind).err())
        .collect();
    kinds.sort_by_key(|kind| kind.map_or("", ErrorKind::as_str));
    assert_eq!(
        kinds,
        [
            None,
            Some(ErrorKind::Forbidden),
            Some(ErrorKind::Overloaded),
            Some(ErrorKind::Overloaded),
            Some(ErrorKind::Unavailable),
        ]
    );
    // The places are free again.
    let call = tokio::spawn(async move { group.call("echo", Bytes::new()).await });
    let responder = until(|| kept.lock().unwrap().pop()).await;
    responder.respond(Ok("!".into()));
    assert_eq!(call.await.unwrap().unwrap(), "!");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_acknowledges_nothing_is_kept_some_large_answers_and_no_more() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let of_bridge = Arc::clone(&kept);
    let (stage, _relay) = stage(100, move |_, responder| {
        of_bridge.lock().unwrap().push(responder);
    })
    .await;
    let group = stage.group();
    let calls =
        tokio::spawn(
            async move { join_all((0..40).map(|_| group.call("echo", Bytes::new()))).await },
        );
    until(|| (kept.lock().unwrap().len() == 40).then_some(())).await;
    let caller = stage.caller.id().unwrap();
    stage.a.set_link(caller, Link::Frozen);
    let large = Bytes::from(vec![7; MAX_BODY_BYTES]);
    let mut responders = std::mem::take(&mut *kept.lock().unwrap()).into_iter();
    for responder in responders.by_ref().take(20) {
        responder.respond(Ok(large.clone()));
    }
    for responder in responders {
        responder.respond(Ok("!".into()));
    }
    stage.a.set_link(caller, Link::Up);
    let outcomes = calls.await.unwrap();
    let of = |what: &dyn Fn(&Result<Bytes, CallError>) -> bool| {
        outcomes.iter().filter(|outcome| what(outcome)).count()
    };
    let answered = of(&|outcome| outcome.as_ref() == Ok(&large));
    assert!((8..=9).contains(&answered), "{answered} were kept");
    let refused = of(&|outcome| {
        let kind = outcome.as_ref().err().map(|error| error.kind);
        kind == Some(ErrorKind::Overloaded)
    });
    assert_eq!(refused, 20 - answered);
    assert_eq!(
        of(&|outcome| outcome.as_ref().is_ok_and(|body| body == "!")),
        20
    );
}
