//! Calls whose end a function is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, Services};
use protocol::{CallError, ErrorKind, NodeId, envelope::EnvelopeKind};
use tokio::time::{Instant, sleep};

use super::{
    group::{Group, Link, until},
    relay::Stage,
};

/// The ends that were told, and when.
type Ends = Arc<Mutex<Vec<(Result<Bytes, CallError>, Instant)>>>;

fn call(node: &Node, destination: NodeId, method: &'static str, wait: u64) -> Ends {
    let ends = Ends::default();
    let told = Arc::clone(&ends);
    let then = move |outcome| told.lock().unwrap().push((outcome, Instant::now()));
    let wait = Duration::from_millis(wait);
    node.call_then(destination, method, "?".into(), wait, None, then);
    ends
}

/// Everything that there was time for has happened.
async fn only(ends: &Ends) -> (Result<Bytes, CallError>, Instant) {
    until(|| (!ends.lock().unwrap().is_empty()).then_some(())).await;
    sleep(Duration::from_secs(20)).await;
    let ends = std::mem::take(&mut *ends.lock().unwrap());
    assert_eq!(ends.len(), 1, "{ends:?}");
    ends.into_iter().next().unwrap()
}

fn kind((outcome, _): (Result<Bytes, CallError>, Instant)) -> ErrorKind {
    outcome.unwrap_err().kind
}

/// A group with a caller and a callee.
async fn pair() -> (Arc<Group>, Node, Node, NodeId) {
    let Stage {
        b, callee, caller, ..
    } = Stage::new().await;
    caller.leave().await;
    let caller = b.service("caller@0", Services::new()).await;
    let id = callee.id().unwrap();
    until(|| caller.record(id)).await;
    (b, caller, callee, id)
}

#[tokio::test(start_paused = true)]
async fn every_end_is_told_once() {
    let (group, caller, callee, id) = pair().await;
    let answered = only(&call(&caller, id, "echo", 1000)).await;
    assert_eq!(answered.0.unwrap(), "?");
    let refused = only(&call(&caller, id, "fly", 1000)).await;
    assert_eq!(kind(refused), ErrorKind::Unimplemented);
    let nobody = call(&caller, NodeId::new(9, 9), "echo", 1000);
    assert_eq!(nobody.lock().unwrap().len(), 1, "told at once");
    assert_eq!(kind(only(&nobody).await), ErrorKind::Unavailable);

    let begun = Instant::now();
    let (outcome, at) = only(&call(&caller, id, "slow", 300)).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::DeadlineExceeded);
    let late = at - begun - Duration::from_millis(300);
    assert!(late <= Duration::from_millis(60), "{late:?} late");

    let given_up = call(&caller, id, "never", 60_000);
    let reason = CallError::new(ErrorKind::Unavailable, "on purpose");
    caller.end_calls(&reason);
    assert_eq!(only(&given_up).await.0.unwrap_err(), reason);
    let gone = call(&caller, id, "never", 60_000);
    group.expire(id);
    assert_eq!(kind(only(&gone).await), ErrorKind::Unavailable);
    let id = until(|| caller.resolve(callee.name())).await;
    let left = call(&caller, id, "never", 60_000);
    caller.leave().await;
    assert_eq!(kind(only(&left).await), ErrorKind::Unavailable);
    assert_eq!(caller.pending_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_panics_ends_nothing_but_itself() {
    let (_group, caller, _callee, id) = pair().await;
    for method in ["echo", "fly"] {
        let wait = Duration::from_secs(1);
        caller.call_then(id, method, Bytes::new(), wait, None, |_| {
            panic!("on purpose")
        });
    }
    // Here and now, too.
    let nobody = NodeId::new(9, 9);
    caller.call_then(nobody, "echo", Bytes::new(), Duration::ZERO, None, |_| {
        panic!("on purpose")
    });
    until(|| (caller.pending_calls() == 0).then_some(())).await;
    assert!(caller.call(id, "echo", Bytes::new()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_function_may_call_again_and_end_calls() {
    let (_group, caller, _callee, id) = pair().await;
    let (again, wait) = (caller.clone(), Duration::from_secs(60));
    let ends = Ends::default();
    let told = Arc::clone(&ends);
    caller.call_then(id, "echo", Bytes::new(), wait, None, move |_| {
        let node = again.clone();
        let then = move |outcome| told.lock().unwrap().push((outcome, Instant::now()));
        again.call_then(id, "never", Bytes::new(), wait, None, then);
        node.end_calls(&CallError::new(ErrorKind::Handler, "on purpose"));
    });
    assert_eq!(kind(only(&ends).await), ErrorKind::Handler);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_call_has_ended_is_not_executed_later() {
    let (group, caller, _callee, id) = pair().await;
    let own = caller.id().unwrap();
    // It gets its number, and no further.
    group.set_link(own, Link::Cut);
    let ends = call(&caller, id, "echo", 100);
    assert_eq!(kind(only(&ends).await), ErrorKind::DeadlineExceeded);
    group.set_link(own, Link::Up);
    assert!(caller.call(id, "echo", Bytes::new()).await.is_ok());
    let calls = group.sent(own, id, EnvelopeKind::Request);
    assert!(calls.iter().all(|call| *call == 2), "{calls:?}");
}
