//! What a script asks of other nodes.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ffrpc::Services;
use protocol::{CallError, ErrorKind, v1::NodeState};
use serde_json::{Value, json};

use crate::{
    cluster::Group,
    services::{caller, kind},
    stage::{PATIENCE, alone, eventually},
};

/// Calls what it is told to, and says how that went.
const ASKS: &str = r#"
import asyncio
import ffext

@ffext.reg_service(1)
async def ask(order):
    name, cmd, message, type, timeout = order
    try:
        answer = await ffext.call_service(
            name, cmd, message, type={'bytes': bytes}.get(type, type), timeout=timeout)
    except ffext.CallError as error:
        return {'kind': error.kind, 'text': error.message}
    return {'answer': answer.decode() if type == 'bytes' else answer}

@ffext.reg_service(2)
async def ask_back(order):
    name, cmd, message, type, timeout = order
    told = asyncio.get_running_loop().create_future()
    assert ffext.call_service(
        name, cmd, message, lambda error, answer: told.set_result((error, answer)),
        type=type, timeout=timeout) is None
    error, answer = await told
    if error:
        return {'kind': error.kind, 'text': error}
    assert error.kind == ''
    return {'answer': answer}

@ffext.reg_service(3)
async def many(order):
    name, cmd, count = order
    calls = [ffext.call_service(name, cmd, number) for number in range(count)]
    return len([await call for call in calls])

@ffext.reg_service(4)
async def impatient(order):
    name, cmd = order
    try:
        await asyncio.wait_for(ffext.call_service(name, cmd), 0.02)
    except TimeoutError:
        return 'gave up'

@ffext.reg_service(5)
def too_many(order):
    name, cmd = order
    calls = [ffext.call_service(name, cmd, timeout=60) for _ in range(65_537)]
    done = [call.done() for call in calls]
    error = calls[-1].exception()
    for call in calls:
        call.cancel()
    return [done.index(True), error.kind]

@ffext.reg_service(6)
async def find(wanted):
    found = await ffext.lookup(wanted)
    told = asyncio.get_running_loop().create_future()
    ffext.lookup(wanted, lambda error, info: told.set_result((error, info)))
    assert (await told) == ('', found)
    return found and found._asdict()

@ffext.reg_service(7)
def is_there(name):
    return ffext.is_exist(name)

@ffext.reg_service(8, bytes)
def large(body):
    return ffext.call_service('svc@0', 1, bytes(int(body)), type=bytes)

@ffext.reg_service(9)
def greet(name):
    return 'hello ' + name
"#;

#[test]
fn a_script_calls_services_and_hears_how_each_call_ended() {
    alone(|| async {
        let group = Group::start(ASKS).await;
        let gate = caller(&group).await;
        let services = Services::new()
            .serve("service.1", async |request| Ok(request.body))
            .serve("service.2", async |_| {
                Err(CallError::new(ErrorKind::Handler, "no more apples"))
            })
            .serve("service.3", async |_| std::future::pending().await)
            .serve("service.4", async |_| Ok("not json".into()))
            .serve("service.5", async |_| Ok(Bytes::new()));
        let service = group.service("svc@0", services).await;
        for form in [1, 2] {
            let ask = async |name: &str, cmd: u16, message: Value, wait: Value| {
                gate.ask(form, json!([name, cmd, message, "json", wait]))
                    .await
            };
            let value = json!({"hello": ["world", 1.5, null]});
            assert_eq!(
                ask("svc@0", 1, value.clone(), json!(null)).await,
                json!({"answer": value})
            );
            assert_eq!(
                ask("svc@0", 5, json!(null), json!(null)).await,
                json!({"answer": null})
            );
            // The scene itself is a node like others.
            assert_eq!(
                ask("scene@0", 9, json!("ann"), json!(null)).await,
                json!({"answer": "hello ann"})
            );
            for (name, cmd, wait, kind, text) in [
                ("svc@7", 1, json!(null), "not_found", "svc@7"),
                ("svc@0", 99, json!(null), "unimplemented", "service.99"),
                ("scene@0", 99, json!(null), "unimplemented", "99"),
                ("svc@0", 2, json!(null), "handler", "no more apples"),
                ("scene@0", 9, json!(null), "handler", "TypeError"),
                ("svc@0", 3, json!(0.1), "deadline_exceeded", "in time"),
                (
                    "svc@0",
                    4,
                    json!(null),
                    "handler",
                    "the answer of svc@0 cannot be read",
                ),
            ] {
                let ended = ask(name, cmd, json!(null), wait).await;
                assert_eq!(ended["kind"], kind, "{name} {cmd}: {ended}");
                assert!(ended["text"].as_str().unwrap().contains(text), "{ended}");
            }
        }
        let bytes = gate.ask(1, json!(["svc@0", 4, null, "bytes", null])).await;
        assert_eq!(bytes, json!({"answer": "not json"}));
        let (what, text) = kind(gate.call(8, "1044481").await);
        assert_eq!(what, ErrorKind::Handler);
        assert!(text.contains("1044480 are allowed"), "{text}");
        assert_eq!(gate.call(8, "1044480").await.unwrap().len(), 1_044_480);

        // The service goes while it is called.
        let call = gate.ask(1, json!(["svc@0", 3, null, "json", 15]));
        let (ended, ()) = tokio::join!(call, async {
            let scene = group.scene.node();
            eventually(|| scene.pending_calls() > 0, || "no call".to_owned()).await;
            service.leave().await;
        });
        assert_eq!(ended["kind"], "unavailable", "{ended}");
        group.stop().await;
    });
}

#[test]
fn calls_keep_their_order_and_those_that_are_given_up_are_forgotten() {
    alone(|| async {
        let group = Group::start(ASKS).await;
        let gate = caller(&group).await;
        let heard: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let services = Services::new()
            .serve("service.1", {
                let heard = heard.clone();
                move |request| {
                    heard.lock().unwrap().push(request.body.clone());
                    async move { Ok(request.body) }
                }
            })
            .serve("service.3", async |_| std::future::pending().await);
        let _service = group.service("svc@0", services).await;
        let never = Services::new().serve("service.3", async |_| std::future::pending().await);
        let _busy = group.service("svc@1", never).await;
        assert_eq!(gate.ask(3, json!(["svc@0", 1, 2_000])).await, 2_000);
        let expected: Vec<_> = (0..2_000).map(|n| Bytes::from(n.to_string())).collect();
        let heard = heard.lock().unwrap().clone();
        let out_of_turn = heard
            .iter()
            .zip(&expected)
            .position(|(is, shall)| is != shall);
        assert_eq!((out_of_turn, heard.len()), (None, expected.len()));

        assert_eq!(gate.ask(4, json!(["svc@0", 3])).await, "gave up");
        let scene = group.scene.node();
        let left = || format!("{} calls", scene.pending_calls());
        eventually(|| scene.pending_calls() == 0, left).await;

        assert_eq!(
            gate.ask(5, json!(["svc@1", 3])).await,
            json!([65_536, "overloaded"])
        );
        eventually(|| scene.pending_calls() == 0, left).await;
        // Nothing of it is left.
        assert_eq!(gate.ask(3, json!(["svc@0", 1, 10])).await, 10);
        group.stop().await;
    });
}

#[test]
fn nodes_are_looked_up_by_name_and_by_role() {
    alone(|| async {
        let group = Group::start(ASKS).await;
        let gate = caller(&group).await;
        let service = group.service("svc@3", Services::new()).await;
        service.set_load(5);
        for wanted in ["svc@3", "svc"] {
            let found = gate.ask(6, json!(wanted)).await;
            assert_eq!(
                (&found["name"], &found["role"], &found["state"]),
                (&json!("svc@3"), &json!("service"), &json!("ready")),
            );
            assert_eq!((&found["version"], &found["hash"]), (&json!(0), &json!("")));
        }
        for wanted in ["scene@0", "scene"] {
            let found = gate.ask(6, json!(wanted)).await;
            assert_eq!(
                (&found["name"], &found["version"]),
                (&json!("scene@0"), &json!(1))
            );
            assert_eq!(found["hash"].as_str().unwrap().len(), 12);
        }
        for wanted in ["svc@0", "nobody"] {
            assert_eq!(gate.ask(6, json!(wanted)).await, json!(null), "{wanted}");
        }
        for (name, is_there) in [("svc@3", true), ("scene@0", true), ("svc@0", false)] {
            assert_eq!(gate.ask(7, json!(name)).await, is_there, "{name}");
        }
        service.set_state(NodeState::Draining);
        let deadline = std::time::Instant::now() + PATIENCE;
        while gate.ask(7, json!("svc@3")).await == true {
            assert!(std::time::Instant::now() < deadline, "it is ready still");
        }
        assert_eq!(gate.ask(6, json!("svc@3")).await["state"], "draining");
        assert_eq!(gate.ask(6, json!("svc")).await, json!(null));
        for wrong in ["", "@", "svc@x", "a b"] {
            let (what, text) = kind(gate.call(6, json!(wrong).to_string()).await);
            assert_eq!(what, ErrorKind::Handler);
            assert!(
                text.starts_with("ValueError: a node's name"),
                "{wrong}: {text}"
            );
        }
        group.stop().await;
    });
}

#[test]
fn a_session_that_goes_offline_at_the_end_may_still_be_told_of() {
    const TELLS: &str = r#"
import ffext

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key]

@ffext.reg_service(7)
def is_there(name):
    return ffext.is_exist(name)

@ffext.session_offline_callback
async def offline(session_id, online_time):
    turned = await ffext.call_service('svc@0', 1, session_id)
    await ffext.call_service('svc@0', 2, [turned, 'offline'])
"#;
    alone(|| async {
        let group = Group::start(TELLS).await;
        let gate = group.gate("gate@0").await;
        let (told_tx, mut told) = tokio::sync::mpsc::channel(8);
        let services = Services::new()
            .serve("service.1", async |request| Ok(request.body))
            .serve("service.2", move |request| {
                let _ = told_tx.try_send(request.body);
                async { Ok(Bytes::new()) }
            });
        let service = group.service("svc@0", services).await;
        gate.enter("ann").await;
        let is_here = || service.record(gate.scene).is_some();
        eventually(is_here, || "no scene".to_owned()).await;
        // The other way round, too: it will call by name.
        let deadline = std::time::Instant::now() + PATIENCE;
        while gate.ask(7, json!("svc@0")).await != true {
            assert!(
                std::time::Instant::now() < deadline,
                "the service is unknown"
            );
        }
        group.stop().await;
        let told = tokio::time::timeout(PATIENCE, told.recv()).await;
        let told = told.expect("the offline function has called nobody");
        assert_eq!(told.unwrap(), r#"["ann","offline"]"#);
    });
}
