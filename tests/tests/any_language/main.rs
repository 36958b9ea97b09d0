//! A service that is written in Python, with stock gRPC tools and `proto/`
//! alone, is a node like any other.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod group;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, Services};
use group::{Group, Python};
use protocol::{CallError, ErrorKind, NodeId, envelope::MAX_BODY_BYTES};
use serde_json::{Value, json};
use tests::{Signal, eventually, within};
use tokio::task::JoinHandle;

/// A node of ours that calls a service, and is called by it.
struct Caller {
    node: Node,
    service: NodeId,
    /// Numbers its calls, so that the service can see whether any is missing.
    numbers: AtomicUsize,
    mirrored: Arc<AtomicUsize>,
    goes_on: AtomicBool,
}

impl Caller {
    /// A node in `group`, and a service for it to call.
    async fn start(group: &mut Group) -> (Arc<Caller>, Python) {
        let mirrored = Arc::new(AtomicUsize::new(0));
        let node = group.node("caller@0", mirror(&mirrored)).await;
        let (python, service) = group.service("driven_service.py", "driven@0", &node).await;
        let caller = Caller {
            node,
            service,
            numbers: AtomicUsize::new(1),
            mirrored,
            goes_on: AtomicBool::new(true),
        };
        (Arc::new(caller), python)
    }

    /// Calls `echo` from some workers until each has called `calls` times.
    async fn echoes(self: &Arc<Self>, workers: usize, calls: usize) {
        let workers = (0..workers).map(|_| {
            let caller = Arc::clone(self);
            tokio::spawn(async move {
                for _ in 0..calls {
                    caller.echo().await;
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    }

    /// One call, with a body of its own of up to 3 KiB.
    async fn echo(&self) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut body = format!("call {number} ").into_bytes();
        body.resize(body.len() + number * 37 % 3000, b'.');
        let body = Bytes::from(body);
        let answer = self.node.call(self.service, "echo", body.clone()).await;
        assert_eq!(answer, Ok(body), "call {number}");
    }

    /// Has the service call `mirror` of this node, and sees that each call
    /// arrives once.
    async fn drives(&self, calls: usize) {
        let before = self.mirrored.load(Ordering::Relaxed);
        let order = json!({ "method": "mirror", "calls": calls, "at_once": 32 });
        let done = asks(&self.node, self.service, "drive", &order).await;
        assert_eq!(done.unwrap(), calls.to_string());
        let mirrored = self.mirrored.load(Ordering::Relaxed) - before;
        assert_eq!(mirrored, calls, "calls arrived");
    }

    /// Calls go both ways from now on, until [`has_lost_nothing`].
    ///
    /// [`has_lost_nothing`]: Caller::has_lost_nothing
    fn talks(self: &Arc<Self>) -> Vec<JoinHandle<usize>> {
        let mut talk = Vec::new();
        for worker in 0..17 {
            let caller = Arc::clone(self);
            talk.push(tokio::spawn(async move {
                let mut rounds = 0;
                while caller.goes_on.load(Ordering::Relaxed) {
                    match worker {
                        0 => caller.drives(500).await,
                        _ => caller.echo().await,
                    }
                    rounds += 1;
                }
                rounds
            }));
        }
        talk
    }

    /// Ends the talk: every call has been answered, and each arrived once, in
    /// the order in which they were made.
    async fn has_lost_nothing(&self, talk: Vec<JoinHandle<usize>>) {
        self.goes_on.store(false, Ordering::Relaxed);
        for worker in talk {
            let rounds = within("the last calls are answered", worker).await;
            assert!(rounds.unwrap() > 0, "it never came to talk");
        }
        let last = self.numbers.load(Ordering::Relaxed) - 1;
        let echoed = asks(&self.node, self.service, "echoed", &Value::Null).await;
        let echoed: Value = serde_json::from_str(&echoed.unwrap()).unwrap();
        assert_eq!(echoed, json!({ "last": last, "faults": [] }));
    }
}

/// Answers with the body in reverse, so that no answer can be its question, and
/// counts.
fn mirror(mirrored: &Arc<AtomicUsize>) -> Services {
    let mirrored = Arc::clone(mirrored);
    Services::new().serve("mirror", move |request| {
        mirrored.fetch_add(1, Ordering::Relaxed);
        async move { Ok(request.body.iter().rev().copied().collect()) }
    })
}

async fn asks(
    node: &Node,
    service: NodeId,
    method: &'static str,
    order: &Value,
) -> Result<String, CallError> {
    let wait = Duration::from_secs(60);
    let answer = node
        .call_within(service, method, order.to_string().into(), wait)
        .await?;
    Ok(String::from_utf8(answer.into()).unwrap())
}

#[tokio::test]
async fn thousands_of_calls_go_both_ways_and_each_body_arrives_as_it_was() {
    let mut group = Group::start(1).await;
    let (caller, _service) = Caller::start(&mut group).await;
    within("all calls are answered", async {
        tokio::join!(caller.echoes(64, 64), caller.drives(4096))
    })
    .await;
    caller.has_lost_nothing(Vec::new()).await;
    for length in [0, 1, 200_000, MAX_BODY_BYTES] {
        let body = Bytes::from(vec![b'x'; length]);
        let answer = caller.node.call(caller.service, "echo", body.clone()).await;
        assert!(answer == Ok(body), "{length} bytes");
    }
    caller.node.leave().await;
}

#[tokio::test]
async fn the_service_of_the_documentation_answers_and_asks_a_scene() {
    let mut group = Group::start(0).await;
    let node = group.node("caller@0", Services::new()).await;
    let (mut service, id) = group.service("echo_service.py", "echo@0", &node).await;
    let call = async |method: &'static str, body: &'static str| {
        node.call(id, method, Bytes::from_static(body.as_bytes()))
            .await
    };
    assert_eq!(call("echo", "hello").await, Ok("hello".into()));
    // The scene's script says who this is, and whom it does not let in.
    assert_eq!(call("whois", "alice").await, Ok("alice".into()));
    let refused = call("whois", "mallory").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Handler);
    assert!(
        refused.message.starts_with("the scene refuses: "),
        "{refused}"
    );

    let records = group.nodes().await.unwrap();
    let record = records.iter().find(|node| node.name == "echo@0").unwrap();
    assert_eq!(record.methods, ["echo", "whois"]);
    // It says good-bye: nobody waits for its lease.
    service.ends().await;
    let records = group.nodes().await.unwrap();
    assert!(records.iter().all(|node| node.name != "echo@0"));
}

#[tokio::test]
async fn every_way_in_which_a_call_ends_has_the_same_name_on_both_sides() {
    let mut group = Group::start(1).await;
    let services = Services::new()
        .serve("fail", async |_| {
            Err(CallError::new(ErrorKind::Handler, "no such sword"))
        })
        .serve("sleep", async |_| std::future::pending().await);
    let node = group.node("caller@0", services).await;
    let (_service, id) = group.service("driven_service.py", "driven@0", &node).await;

    // A node of ours calls Python.
    let ends = async |method: &'static str, body: &'static str, wait: u64| {
        let body = Bytes::from_static(body.as_bytes());
        let wait = Duration::from_millis(wait);
        let error = node.call_within(id, method, body, wait).await.unwrap_err();
        error.to_string()
    };
    assert_eq!(
        ends("fail", "no such sword", 5000).await,
        "handler: no such sword"
    );
    assert_eq!(
        ends("nothing", "", 5000).await,
        "unimplemented: driven@0 has no method nothing"
    );
    assert_eq!(
        ends("huge", "", 5000).await,
        "too_large: the answer is too large"
    );
    let late = ends("sleep", "30", 200).await;
    assert!(late.starts_with("deadline_exceeded: "), "{late}");

    // Python calls a node of ours.
    let own = node.id().unwrap().as_u64();
    let outcome = async |order: Value| asks(&node, id, "outcome", &order).await.unwrap();
    assert_eq!(
        outcome(json!({ "id": own, "method": "fail" })).await,
        "handler: no such sword"
    );
    assert_eq!(
        outcome(json!({ "id": own, "method": "nothing" })).await,
        "unimplemented: caller@0 has no method nothing"
    );
    assert_eq!(
        outcome(json!({ "id": own, "method": "sleep", "timeout": 0.2 })).await,
        "deadline_exceeded: no answer within 0.2 s"
    );
    assert_eq!(
        outcome(json!({ "id": own, "method": "fail", "bytes": 1 << 20 })).await,
        "too_large: a body of 1048576 bytes, at most 1044480 are allowed"
    );
    assert_eq!(
        outcome(json!({ "name": "nobody@0", "method": "x" })).await,
        "not_found: there is no nobody@0 in the group"
    );
    // A request that a real scene cannot read.
    assert_eq!(
        outcome(json!({ "name": "scene@0", "method": "session.verify", "bytes": 3 })).await,
        "handler: not a request: failed to decode Protobuf message: invalid tag value: 0"
    );
    // A service of the scene's script, and one of Python's that the script calls.
    let hello = json!({ "name": "scene@0", "method": "service.200", "text": "\"ann\"" });
    assert_eq!(outcome(hello).await, "answer: 15 bytes");
    assert_eq!(
        outcome(json!({ "name": "scene@0", "method": "service.7" })).await,
        "unimplemented: scene@0 does not serve command 7"
    );
    let scene = node.resolve(&"scene@0".parse().unwrap()).unwrap();
    let order = json!(["driven@0", 200, { "hello": "world" }]);
    assert_eq!(
        asks(&node, scene, "service.201", &order).await.unwrap(),
        r#"{"hello":"world"}"#
    );
    let gone = json!({ "id": 1, "method": "x" });
    assert_eq!(outcome(gone).await, "unavailable: node 0.1 is gone");
}

#[tokio::test]
async fn a_killed_service_ends_its_calls_and_comes_back_under_its_name() {
    let mut group = Group::start(1).await;
    let node = group.node("caller@0", Services::new()).await;
    let (mut service, first) = group.service("driven_service.py", "driven@0", &node).await;
    let pending = tokio::spawn({
        let node = node.clone();
        let wait = Duration::from_secs(60);
        async move { node.call_within(first, "sleep", "60".into(), wait).await }
    });
    // The request has arrived: requests of one node are handled in turn.
    node.call(first, "echo", Bytes::new()).await.unwrap();
    service.kill();
    let error = within("the call ends with the service", pending)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");

    let (_service, second) = group.service("driven_service.py", "driven@0", &node).await;
    assert_ne!(first, second);
    let answer = node
        .call(second, "echo", Bytes::from_static(b"hello"))
        .await;
    assert_eq!(answer, Ok("hello".into()));
    let error = node.call(first, "echo", Bytes::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn slaves_die_while_the_service_talks_and_no_call_is_lost_or_repeated() {
    let mut group = Group::start(2).await;
    let (caller, _service) = Caller::start(&mut group).await;
    let talk = caller.talks();
    // Each of them, so that whoever carries the service's pairs is among them.
    for slave in ["slave@0", "slave@1"] {
        group.end(slave, Signal::KILL).await;
        is_gone(&group, slave).await;
        group.run(slave);
        group.is_ready(6).await;
    }
    // One drains, then the other, and the master carries all.
    group.end("slave@0", Signal::TERM).await;
    group.end("slave@1", Signal::TERM).await;
    is_gone(&group, "slave@1").await;
    caller.echoes(4, 25).await;
    caller.has_lost_nothing(talk).await;
}

#[tokio::test]
async fn a_slave_freezes_while_the_service_talks_and_no_call_is_lost_or_repeated() {
    let mut group = Group::start(1).await;
    let (caller, _service) = Caller::start(&mut group).await;
    let talk = caller.talks();
    group.signal("slave@0", Signal::STOP);
    // Nobody says so: it is only silent.
    caller.echoes(4, 25).await;
    group.signal("slave@0", Signal::CONT);
    group.is_ready(5).await;
    caller.echoes(4, 25).await;
    caller.has_lost_nothing(talk).await;
}

async fn is_gone(group: &Group, name: &str) {
    eventually(&format!("{name} is gone"), async || {
        let nodes = group.nodes().await?;
        nodes.iter().all(|node| node.name != name).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_master_takes_the_service_back_as_the_same_node() {
    let mut group = Group::start(1).await;
    let (caller, _service) = Caller::start(&mut group).await;
    let talk = caller.talks();
    group.end("master@0", Signal::KILL).await;
    caller.echoes(4, 25).await;
    group.run("master@0");
    let id = caller.service.as_u64();
    eventually("the new master has the service back", async || {
        let nodes = group.nodes().await?;
        nodes.iter().any(|node| node.node_id == id).then_some(())
    })
    .await;
    caller.echoes(4, 25).await;
    caller.has_lost_nothing(talk).await;
    let own = caller
        .node
        .call(caller.service, "whoami", Bytes::new())
        .await;
    assert_eq!(own, Ok(id.to_string().into()));
}

#[tokio::test]
async fn every_broken_rule_is_answered_as_the_documentation_says() {
    let mut group = Group::start(1).await;
    let master = group.master().to_string();
    let mut rules = group.python("rules.py", &[&master]);
    rules.succeeds().await;
}
