//! A call ends exactly once, with its answer or with the error that says why
//! there is none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, Services};
use futures_util::future::{join_all, pending};
use protocol::{CallError, ErrorKind, NodeId, envelope::MAX_BODY_BYTES};

use crate::harness::{By, config, echo, eventually, master, node, resolved, within};

#[tokio::test]
async fn calls_are_answered_by_socket_and_by_memory_and_between_them() {
    for (caller_by, service_by) in [
        (By::Socket, By::Socket),
        (By::Memory, By::Memory),
        (By::Socket, By::Memory),
        (By::Memory, By::Socket),
    ] {
        let master = master("").await;
        let service = node(&master, service_by, "echo@0", echo()).await;
        let caller = node(&master, caller_by, "caller@0", Services::new()).await;
        let echo = resolved(&caller, "echo@0").await;
        let calls = (0..2000_u32).map(|n| {
            let caller = &caller;
            async move {
                let body = Bytes::copy_from_slice(&n.to_le_bytes());
                assert_eq!(caller.call(echo, "echo", body.clone()).await, Ok(body));
            }
        });
        within(join_all(calls)).await;
        within(async { tokio::join!(service.leave(), caller.leave()) }).await;
        within(master.shutdown()).await;
    }
}

async fn error(caller: &Node, to: NodeId, method: &'static str) -> CallError {
    // A panic may be long in telling where it has come from.
    let wait = match method {
        "sleeps" => Duration::from_millis(300),
        _ => Duration::from_secs(30),
    };
    within(caller.call_within(to, method, Bytes::new(), wait))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn every_failure_has_its_own_kind() {
    let master = master("").await;
    let services = Services::new()
        .serve("fails", async |_| {
            Err(CallError::new(ErrorKind::Handler, "no more apples"))
        })
        .serve("panics", async |_| panic!("on purpose"))
        .serve("sleeps", async |_| pending().await)
        .serve("grows", async |_| Ok(vec![0; MAX_BODY_BYTES + 1].into()));
    let _service = node(&master, By::Socket, "svc@0", services).await;
    let caller = node(&master, By::Socket, "caller@0", Services::new()).await;
    let to = resolved(&caller, "svc@0").await;

    let failed = error(&caller, to, "fails").await;
    assert_eq!(failed, CallError::new(ErrorKind::Handler, "no more apples"));
    assert_eq!(error(&caller, to, "panics").await.kind, ErrorKind::Handler);
    assert_eq!(
        error(&caller, to, "sleeps").await.kind,
        ErrorKind::DeadlineExceeded
    );
    assert_eq!(error(&caller, to, "grows").await.kind, ErrorKind::TooLarge);
    assert_eq!(
        error(&caller, to, "unheard-of").await.kind,
        ErrorKind::Unimplemented
    );
    let unknown = caller.find(&"nobody@7".parse().unwrap()).unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert_eq!(caller.find(&"svc@0".parse().unwrap()), Ok(to));
    let nobody = NodeId::new(1, 999);
    assert_eq!(
        error(&caller, nobody, "fails").await.kind,
        ErrorKind::Unavailable
    );
    let huge = Bytes::from(vec![0; MAX_BODY_BYTES + 1]);
    let refused = within(caller.call(to, "fails", huge)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn the_largest_body_passes() {
    let master = master("").await;
    let _service = node(&master, By::Socket, "echo@0", echo()).await;
    let caller = node(&master, By::Memory, "caller@0", Services::new()).await;
    let to = resolved(&caller, "echo@0").await;
    let largest = Bytes::from(vec![7; MAX_BODY_BYTES]);
    assert_eq!(
        within(caller.call(to, "echo", largest.clone())).await,
        Ok(largest)
    );
}

#[tokio::test]
async fn more_requests_than_a_node_takes_are_answered_overloaded() {
    let master = master("").await;
    let begun = Arc::new(AtomicUsize::new(0));
    let services = Services::new().serve("sleeps", {
        let begun = Arc::clone(&begun);
        move |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            pending()
        }
    });
    let mut config = config(&master, By::Socket, "svc@0");
    config.max_requests = 3;
    let service = Node::join(config, services);
    within(service.ready()).await;
    let caller = node(&master, By::Socket, "caller@0", Services::new()).await;
    let to = resolved(&caller, "svc@0").await;
    let outcomes = within(join_all((0..10).map(|_| error(&caller, to, "sleeps")))).await;
    let of = |kind| outcomes.iter().filter(|error| error.kind == kind).count();
    assert_eq!(
        (of(ErrorKind::DeadlineExceeded), of(ErrorKind::Overloaded)),
        (3, 7)
    );
    assert_eq!(begun.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_call_ends_when_its_destination_goes() {
    let master = master("").await;
    let services = Services::new().serve("sleeps", async |_| pending().await);
    let service = node(&master, By::Socket, "svc@0", services).await;
    let caller = node(&master, By::Socket, "caller@0", Services::new()).await;
    let to = resolved(&caller, "svc@0").await;
    let call = caller.call_within(to, "sleeps", Bytes::new(), Duration::from_secs(600));
    let leave = async {
        // The handler has begun when the service counts it, but nobody else
        // can see that: a second call that is answered comes after the first.
        let answered = caller.call(to, "unheard-of", Bytes::new()).await;
        assert_eq!(answered.unwrap_err().kind, ErrorKind::Unimplemented);
        service.leave().await;
    };
    let (outcome, ()) = within(async { tokio::join!(call, leave) }).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_nothing_behind() {
    let master = master("").await;
    let (begun_tx, mut begun_rx) = tokio::sync::mpsc::channel(1);
    let services = Services::new().serve("sleeps", move |_| {
        let begun = begun_tx.clone();
        async move {
            let _ = begun.send(()).await;
            pending().await
        }
    });
    let _service = node(&master, By::Socket, "svc@0", services).await;
    let caller = node(&master, By::Socket, "caller@0", Services::new()).await;
    let to = resolved(&caller, "svc@0").await;
    let call = caller.call(to, "sleeps", Bytes::new());
    tokio::select! {
        _ = call => panic!("it sleeps"),
        _ = begun_rx.recv() => {}
    }
    // A late answer, and the node's end, find nobody to tell; the next call is
    // not confused by them.
    assert_eq!(
        error(&caller, to, "unheard-of").await.kind,
        ErrorKind::Unimplemented
    );
    eventually(|| (caller.pending_calls() == 0).then_some(())).await;
}

#[tokio::test]
async fn protobuf_messages_are_called_with_and_what_is_none_is_an_error() {
    use protocol::v1::{Held, Script};
    let master = master("").await;
    let services = Services::new().serve_message("script", async |_, held: Held| {
        Ok(Script {
            version: held.epoch,
            hash: "abc".into(),
            services: Vec::new(),
        })
    });
    let _service = node(&master, By::Socket, "typed@0", services).await;
    let caller = node(&master, By::Socket, "caller@0", Services::new()).await;
    let to = resolved(&caller, "typed@0").await;
    let held = Held {
        epoch: 7,
        ..Held::default()
    };
    let script: Script = within(caller.call_message(to, "script", &held))
        .await
        .unwrap();
    assert_eq!((script.version, script.hash.as_str()), (7, "abc"));
    let garbage = within(caller.call(to, "script", vec![0xff; 3].into())).await;
    let garbage = garbage.unwrap_err();
    assert_eq!(garbage.kind, ErrorKind::Handler);
    assert!(garbage.message.contains("cannot be read"), "{garbage}");
}
