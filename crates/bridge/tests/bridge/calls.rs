//! Calls that get there.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::{Origin, Services};
use protocol::{CallError, ErrorKind};

use crate::harness::{
    bridge, eventually, everything, export, group, offering, once_not, reaching, within,
};

#[tokio::test]
async fn a_call_is_one_call_away_from_another_group() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let answer = within(other.call("echo", Bytes::from_static(b"hello"))).await;
    assert_eq!(answer.unwrap(), "hello");
}

#[tokio::test]
async fn a_call_may_name_the_node_that_shall_have_it() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let names = ["who@0", "who@1", "who@2"];
    let mut nodes = Vec::new();
    for name in names {
        let services = Services::new().serve("who", async move |_| Ok(name.into()));
        nodes.push(b.join(name, services).await);
    }
    let caller = a.caller().await;
    let other = reaching(&caller, "GroupB").await;
    for name in names {
        let named = other.clone().service(name.parse().unwrap());
        let answer = once_not(ErrorKind::NotFound, async || {
            named.call("who", Bytes::new()).await
        });
        assert_eq!(answer.await.unwrap(), name);
    }
}

#[tokio::test]
async fn a_command_of_a_service_is_a_method_like_any() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let services = Services::new().serve_prefix("service.", |method, _| {
        let answer = method.to_owned();
        async move { Ok(answer.into()) }
    });
    let (_go, caller) = (b.join("go@0", services).await, a.caller().await);
    let other = offering(&caller, "GroupB", "service.200").await;
    let answer = within(other.call("service.200", Bytes::new())).await;
    assert_eq!(answer.unwrap(), "service.200");
}

#[tokio::test]
async fn who_is_called_knows_from_where() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let heard: Arc<Mutex<Vec<Origin>>> = Arc::default();
    let services = Services::new().serve("origin", {
        let heard = Arc::clone(&heard);
        move |request| {
            heard
                .lock()
                .unwrap()
                .extend(request.origin.as_deref().cloned());
            async { Ok(Bytes::new()) }
        }
    });
    let (_origin, caller) = (b.join("origin@0", services).await, a.caller().await);
    offering(&caller, "GroupB", "origin").await;
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (
            heard[0].group.as_str(),
            heard[0].node.as_str(),
            heard[0].hops
        ),
        ("GroupA", "caller@0", 1)
    );
}

/// One answers with an error of its own, one does not know the method, one's answer is
/// too large, one takes too long.
#[tokio::test]
async fn an_error_comes_back_as_it_is() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridge = bridge("bridge@0", &[&a, &b]).await;
    let services = Services::new()
        .serve("ok", async |_| Ok(Bytes::new()))
        .serve("moody", async |_| {
            Err(CallError::new(ErrorKind::Handler, "not today"))
        })
        .serve("large", async |_| Ok(Bytes::from(vec![0; 2 << 20])))
        .serve("forever", async |_| std::future::pending().await);
    let (_node, caller) = (b.join("node@0", services).await, a.caller().await);
    let other = offering(&caller, "GroupB", "ok").await;
    let call =
        async |method: &'static str| within(other.call(method, Bytes::new())).await.unwrap_err();

    assert_eq!(
        call("moody").await,
        CallError::new(ErrorKind::Handler, "not today")
    );
    assert_eq!(call("large").await.kind, ErrorKind::TooLarge);
    let named = other.clone().service("node@0".parse().unwrap());
    let unknown = within(named.call("unknown", Bytes::new()))
        .await
        .unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::Unimplemented);
    assert!(unknown.message.contains("node@0"), "{unknown}");

    let (began, wait) = (Instant::now(), Duration::from_millis(200));
    let late = within(other.call_within("forever", Bytes::new(), wait))
        .await
        .unwrap_err();
    assert_eq!(late.kind, ErrorKind::DeadlineExceeded);
    assert!(began.elapsed() >= wait && began.elapsed() < Duration::from_secs(2));
    // The bridge waits no longer than the caller does.
    eventually(|| (bridge.calls() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_body_as_large_as_may_be_gets_there_and_back() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let body = Bytes::from(vec![7; protocol::envelope::MAX_BODY_BYTES]);
    let answer = within(other.call("echo", body.clone())).await;
    assert!(answer.unwrap() == body);
}

#[tokio::test]
async fn calls_go_to_whoever_carries_least() {
    let exports = vec![export("GroupA", "*", "count")];
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", exports).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let mut counting = Vec::new();
    for name in ["count@0", "count@1", "count@2"] {
        let count = Arc::new(AtomicUsize::new(0));
        let services = Services::new().serve("count", {
            let count = Arc::clone(&count);
            move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                async { Ok(Bytes::new()) }
            }
        });
        counting.push((b.join(name, services).await, count));
    }
    let caller = a.caller().await;
    let other = offering(&caller, "GroupB", "count").await;
    // One call at a time to three that carry the same: they take turns.
    let counts = || {
        counting
            .iter()
            .map(|(_, count)| count.swap(0, Ordering::Relaxed))
            .collect::<Vec<_>>()
    };
    eventually_turns(&other, &counts).await;
    // Calls that have ended count no more. Two of the nodes carry something, as the group's master says within a second or two.
    counting[0].0.set_load(20);
    counting[2].0.set_load(20);
    within(async {
        loop {
            counts();
            for _ in 0..30 {
                other.call("count", Bytes::new()).await.unwrap();
            }
            if counts() == [0, 30, 0] {
                return;
            }
        }
    })
    .await;
}

/// Until the bridge has heard of all three.
async fn eventually_turns(other: &ffrpc::Group, counts: &impl Fn() -> Vec<usize>) {
    within(async {
        loop {
            counts();
            for _ in 0..30 {
                other.call("count", Bytes::new()).await.unwrap();
            }
            if counts() == [10, 10, 10] {
                return;
            }
        }
    })
    .await;
}
