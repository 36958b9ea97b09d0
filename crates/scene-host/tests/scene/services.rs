//! Services of a script.

use std::time::Duration;

use bytes::Bytes;
use protocol::{CallError, ErrorKind, NodeId, v1::NodeState};
use scene_host::{Event, Request};
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    cluster::{Gate, Group},
    stage::{PATIENCE, Stage, alone, eventually, limits, log, logged},
};

const SERVES: &str = r#"
import asyncio
import ffext

@ffext.reg_service(200)
def total(message):
    return None if message is None else {'total': sum(message)}

@ffext.reg_service(201, bytes)
async def turn(body):
    await asyncio.sleep(0)
    return body[::-1]

@ffext.reg_service(202)
def fail(message):
    raise KeyError('no such guild')

@ffext.reg_service(203)
async def wait(message):
    await asyncio.Event().wait()

@ffext.reg_service(204)
def unspeakable(message):
    return object()

@ffext.reg_service(205)
def long(length):
    return bytes(length)

@ffext.reg_service(207)
async def a_while(message):
    await asyncio.sleep(0.3)
    return 'after all'

@ffext.reg_service(206)
async def fail_later(message):
    await asyncio.sleep(0)
    raise ffext.CallError('not_found', 'from within')
"#;

/// Serves a command whose calls end when another one is called.
const GATED: &str = r#"
import asyncio
import ffext

class Gate:
    def __init__(self):
        self.opened = asyncio.Event()

@ffext.reg_service(300)
async def old(message):
    await ffext.singleton(Gate).opened.wait()
    return 'old'

@ffext.reg_service(7)
def go(message):
    ffext.singleton(Gate).opened.set()
"#;

/// A node beside the scene that calls its services.
pub(crate) async fn caller(group: &Group) -> Gate {
    group.gate_in_state("gate@0", NodeState::Ready).await
}

impl Gate {
    async fn call_within(
        &self,
        cmd: impl std::fmt::Display,
        body: impl Into<Bytes>,
        wait: Duration,
    ) -> Result<Bytes, CallError> {
        let method = format!("service.{cmd}");
        let call = self.node.call_within(self.scene, method, body.into(), wait);
        timeout(PATIENCE, call).await.unwrap()
    }

    pub(crate) async fn call(
        &self,
        cmd: impl std::fmt::Display,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, CallError> {
        self.call_within(cmd, body, Duration::from_secs(5)).await
    }

    pub(crate) async fn ask(&self, cmd: u16, order: Value) -> Value {
        let answer = self.call_within(cmd, order.to_string(), PATIENCE).await;
        match answer.unwrap() {
            nothing if nothing.is_empty() => Value::Null,
            answer => serde_json::from_slice(&answer).unwrap(),
        }
    }

    fn served(&self) -> Vec<u32> {
        let record = self.node.record(self.scene);
        let script = record.and_then(|record| record.script.clone());
        script.unwrap_or_default().services
    }
}

pub(crate) fn kind(answer: Result<Bytes, CallError>) -> (ErrorKind, String) {
    let error = answer.unwrap_err();
    (error.kind, error.message)
}

#[test]
fn a_service_answers_other_nodes_or_says_why_not() {
    alone(|| async {
        let group = Group::start(SERVES).await;
        let gate = caller(&group).await;
        assert_eq!(gate.call(200, "[1,2,3]").await.unwrap(), r#"{"total":6}"#);
        assert_eq!(gate.call(200, "").await.unwrap(), "");
        assert_eq!(gate.call(201, "abc").await.unwrap(), "cba");
        let (what, text) = kind(gate.call(202, "[]").await);
        assert_eq!(
            (what, text.as_str()),
            (ErrorKind::Handler, "KeyError: 'no such guild'")
        );
        logged("in fail").await;
        logged("peer=\"gate@0 (").await;
        let (what, text) = kind(gate.call(206, "[]").await);
        assert_eq!(what, ErrorKind::Handler, "{text}");
        assert!(text.contains("from within"), "{text}");
        let (what, text) = kind(gate.call(200, "{nonsense").await);
        assert_eq!(what, ErrorKind::Handler);
        assert!(text.contains("the message cannot be read"), "{text}");
        let (what, text) = kind(gate.call(204, "[]").await);
        assert_eq!(what, ErrorKind::Handler);
        assert!(text.contains("TypeError"), "{text}");
        assert_eq!(gate.call(205, "1044480").await.unwrap().len(), 1_044_480);
        assert_eq!(kind(gate.call(205, "1044481").await).0, ErrorKind::TooLarge);
        for cmd in ["999", "x", "0200", "65536", ""] {
            let (what, text) = kind(gate.call(cmd, "").await);
            assert_eq!(what, ErrorKind::Unimplemented, "{cmd}");
            assert!(text.contains(cmd), "{text}");
        }
        let soon = Duration::from_millis(100);
        let (what, _) = kind(gate.call_within(203, "", soon).await);
        assert_eq!(what, ErrorKind::DeadlineExceeded);
        // Its caller has gone, and nobody else is held up by it.
        logged("handler cancelled after its time limit").await;
        assert_eq!(gate.call(201, "abc").await.unwrap(), "cba");
        group.stop().await;
    });
}

#[test]
fn a_service_ends_at_the_scenes_own_limit() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_timeout = Duration::from_millis(100);
        let stage = Stage::start_with(SERVES, limits).await;
        let (answer, answered) = oneshot::channel();
        stage.push(request(203, answer));
        let (what, text) = kind(timeout(PATIENCE, answered).await.unwrap().unwrap());
        assert_eq!(what, ErrorKind::DeadlineExceeded);
        assert!(text.contains("main.wait"), "{text}");
        assert!(stage.stop().await);
    });
}

fn request(cmd: u16, answer: oneshot::Sender<Result<Bytes, CallError>>) -> Event {
    Event::Request(Box::new(Request {
        cmd,
        body: Bytes::new(),
        deadline: std::time::Instant::now() + PATIENCE,
        source: NodeId::new(1, 9),
        origin: None,
        hops: 0,
        answer,
    }))
}

#[test]
fn a_call_that_was_given_up_is_not_begun() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext
            @ffext.reg_service(1)
            def one(message): print('one was called')
            @ffext.reg_service(2)
            def two(message): print('two was called')
            "#,
        )
        .await;
        stage.push(request(1, oneshot::channel().0));
        let (answer, answered) = oneshot::channel();
        stage.push(request(2, answer));
        timeout(PATIENCE, answered).await.unwrap().unwrap().unwrap();
        logged("two was called").await;
        assert!(!log().contains("one was called"));
        assert!(stage.stop().await);
    });
}

#[test]
fn the_directory_shows_what_is_served_and_a_load_takes_it_away() {
    alone(|| async {
        let group = Group::start(GATED).await;
        let gate = caller(&group).await;
        eventually(
            || gate.served() == [7, 300],
            || format!("{:?}", gate.served()),
        )
        .await;
        let call = gate.call(300, "");
        tokio::pin!(call);
        // It is under way when what was called later is answered.
        tokio::select! {
            biased;
            answer = &mut call => panic!("{answer:?} before its time"),
            answer = gate.call(999, "") => assert_eq!(kind(answer).0, ErrorKind::Unimplemented),
        }
        let path = group.folder.path().join("main.py");
        std::fs::write(&path, GATED.replace("300", "301")).unwrap();
        let loaded = group.scene.script().reload(None).await;
        assert!(loaded.ok, "{loaded}");
        eventually(
            || gate.served() == [7, 301],
            || format!("{:?}", gate.served()),
        )
        .await;
        assert_eq!(kind(gate.call(300, "").await).0, ErrorKind::Unimplemented);
        gate.call(7, "").await.unwrap();
        assert_eq!(call.await.unwrap(), r#""old""#);
        group.stop().await;
    });
}

#[test]
fn a_call_that_is_under_way_when_the_scene_stops_ends_as_unavailable() {
    alone(|| async {
        let group = Group::start(SERVES).await;
        let gate = caller(&group).await;
        let node = gate.node.clone();
        let scene = gate.scene;
        let call = tokio::spawn(async move {
            node.call_within(scene, "service.203", Bytes::new(), PATIENCE)
                .await
        });
        // It has been begun when what was called later is answered.
        gate.call(201, "").await.unwrap();
        group.stop().await;
        assert_eq!(kind(call.await.unwrap()).0, ErrorKind::Unavailable);
    });
}

#[test]
fn a_call_that_ends_while_the_scene_stops_is_answered() {
    alone(|| async {
        let group = Group::start(SERVES).await;
        let gate = caller(&group).await;
        let (node, scene) = (gate.node.clone(), gate.scene);
        let call = tokio::spawn(async move {
            node.call_within(scene, "service.207", Bytes::new(), PATIENCE)
                .await
        });
        gate.call(201, "").await.unwrap();
        group.stop().await;
        assert_eq!(call.await.unwrap().unwrap(), r#""after all""#);
    });
}

#[test]
fn messages_and_answers_may_have_types() {
    // As the compiler of protobuf makes them.
    const TYPED: &str = r#"
import ffext

class Text:
    DESCRIPTOR = None

    def __init__(self, text=''):
        self.text = text

    @classmethod
    def FromString(cls, body):
        return cls(body.decode())

    def SerializeToString(self):
        return self.text.encode()

    def IsInitialized(self):
        return True

@ffext.reg_service(1, Text)
def shout(message):
    assert isinstance(message, Text)
    return Text(message.text.upper())

@ffext.reg_service(2)
async def ask(text):
    answer = await ffext.call_service('scene@0', 1, Text(text), type=Text)
    return {'answer': answer.text}

@ffext.reg_service(3)
async def wrong(message):
    try:
        await ffext.call_service('scene@0', 1, b'\xff', type=Text)
    except ffext.CallError as error:
        return [error.kind, str(error)]
"#;
    alone(|| async {
        let group = Group::start(TYPED).await;
        let gate = caller(&group).await;
        assert_eq!(gate.call(1, "hello").await.unwrap(), "HELLO");
        assert_eq!(gate.ask(2, json!("hello")).await["answer"], "HELLO");
        assert_eq!(gate.ask(2, json!("")).await["answer"], "");
        let told = gate.ask(3, json!(null)).await;
        assert_eq!(told[0], "handler");
        let text = told[1].as_str().unwrap();
        assert!(
            text.starts_with("the message cannot be read: not a Text: UnicodeDecodeError"),
            "{text}"
        );
        group.stop().await;
    });
}
