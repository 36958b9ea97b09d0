//! Calls that go to another group, and calls that come from one. The bridge is the
//! test's own.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, Responder, Services, Transit};
use protocol::{
    CallError, ErrorKind, method,
    v1::{self, Crossing, Role},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    cluster::Group,
    services::{caller, kind},
    stage::{PATIENCE, alone, eventually, logged},
};

const SCRIPT: &str = r#"
import asyncio
import ffext

@ffext.reg_service(1)
async def ask(order):
    group, name, cmd, message, timeout = order
    try:
        if name is None:
            return {'answer': await ffext.bridge_call(group, cmd, message, timeout=timeout)}
        answer = ffext.bridge_call_service(group, name, cmd, message, timeout=timeout)
        return {'answer': await answer}
    except ffext.CallError as error:
        return {'kind': error.kind, 'text': error.message}

@ffext.reg_service(2)
async def ask_back(order):
    group, name, cmd, message, timeout = order
    told = asyncio.get_running_loop().create_future()
    tell = lambda error, answer: told.set_result((error, answer))
    if name is None:
        ffext.bridge_call(group, cmd, message, tell, timeout=timeout)
    else:
        ffext.bridge_call_service(group, name, cmd, message, tell, timeout=timeout)
    error, answer = await told
    return {'kind': error.kind, 'text': error} if error else {'answer': answer}

@ffext.reg_service(3)
def who(message):
    return ffext.caller()

@ffext.reg_service(4)
async def who_later(message):
    async def task():
        await asyncio.sleep(0)
        return await ffext.bridge_call('GroupB', 1, 'task')
    fired = asyncio.get_running_loop().create_future()
    ffext.once_timer(1, lambda: fired.set_result(ffext.bridge_call('GroupB', 1, 'timer')))
    await ffext.bridge_call('GroupB', 1, 'at once')
    await asyncio.create_task(task())
    await (await fired)
    # What it calls of itself is called because of the same.
    await ffext.call_service('scene@0', 5)
    return ffext.caller()

@ffext.reg_service(5)
async def onwards(message):
    await ffext.bridge_call('GroupB', 1, 'onwards')
    return ffext.caller()

@ffext.reg_service(6)
async def many(count):
    calls = [ffext.bridge_call('GroupB', 1, number) for number in range(count)]
    return len([await call for call in calls])

@ffext.reg_service(7)
async def own(message):
    await ffext.bridge_call('test', 1)

@ffext.reg_service(8)
def fails(message):
    raise KeyError('not here')

@ffext.reg_service(9)
async def large(length):
    return await ffext.bridge_call('GroupB', 1, bytes(length), type=bytes)
"#;

/// What has crossed the bridge.
type Crossed = Arc<Mutex<Vec<(Crossing, Bytes)>>>;

/// A bridge that joins GroupB, GroupC which it does not reach, and nothing else.
async fn bridge(group: &Group, crossed: &Crossed) -> Node {
    let crossed = crossed.clone();
    let services = Services::new().bridge(move |transit: Transit, responder: Responder| {
        let crossing = (Crossing::clone(&transit.crossing), transit.body.clone());
        crossed.lock().unwrap().push(crossing);
        let fail = |kind, text: &str| Err(CallError::new(kind, text));
        let outcome = match transit.method.as_str() {
            "service.1" => Ok(transit.body),
            "service.2" => fail(ErrorKind::Forbidden, "GroupB does not export service.2"),
            "service.3" => fail(ErrorKind::NotFound, "nobody in GroupB serves service.3"),
            "service.4" => fail(ErrorKind::Handler, "ValueError: too dear"),
            "service.5" => fail(ErrorKind::Overloaded, "too many calls"),
            "service.6" => fail(ErrorKind::Unimplemented, "scene@0 does not serve 6"),
            "service.7" => fail(ErrorKind::TooLarge, "an answer of 2000000 bytes"),
            "service.8" => Ok("not json".into()),
            // Nobody answers.
            "service.9" => return drop(tokio::spawn(hold(responder))),
            // The bridge gives it up.
            _ => return,
        };
        responder.respond(outcome);
    });
    let config = NodeConfig {
        name: "bridge@0".parse().unwrap(),
        role: Role::Bridge,
        uplink: group.uplink(),
        ..NodeConfig::default()
    };
    let node = Node::join(config, services);
    let links = [("GroupB", true), ("GroupC", false)].map(|(name, reachable)| v1::GroupLink {
        name: name.to_owned(),
        identity: 7,
        reachable,
    });
    node.set_groups(links.into());
    timeout(PATIENCE, node.ready()).await.unwrap();
    let scene = group.scene.node();
    let group_b = || scene.group("GroupB".parse().unwrap()).bridge();
    eventually(
        || group_b().is_ok() && scene.group("GroupC".parse().unwrap()).bridge().is_err(),
        || format!("{:?}", group_b()),
    )
    .await;
    let name = "scene@0".parse().unwrap();
    eventually(|| node.resolve(&name).is_some(), || "no scene".to_owned()).await;
    node
}

async fn hold(responder: Responder) {
    std::future::pending::<()>().await;
    drop(responder);
}

/// Calls a service of the scene for a node of another group.
async fn call_from(
    bridge: &Node,
    hops: u32,
    cmd: u16,
    body: &'static str,
) -> Result<Bytes, CallError> {
    let crossing = Crossing {
        from_group: "GroupB".to_owned(),
        from_node: "scene@3".to_owned(),
        hops,
        ..Crossing::default()
    };
    let scene = bridge.resolve(&"scene@0".parse().unwrap()).unwrap();
    let (answer_tx, answer_rx) = tokio::sync::oneshot::channel();
    let method = format!("{}{cmd}", method::SERVICE);
    let then = move |outcome| {
        let _ = answer_tx.send(outcome);
    };
    bridge.call_then(scene, method, body.into(), PATIENCE, Some(&crossing), then);
    timeout(PATIENCE, answer_rx).await.unwrap().unwrap()
}

fn value(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_script_calls_another_group_and_hears_how_each_call_ended() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let crossed = Crossed::default();
        let _bridge = bridge(&group, &crossed).await;
        let gate = caller(&group).await;
        for form in [1, 2] {
            let ask = async |order: Value| gate.ask(form, order).await;
            let message = json!({"hello": [1.5, null]});
            let answer = ask(json!(["GroupB", null, 1, message, null])).await;
            assert_eq!(answer, json!({"answer": message}));
            let answer = ask(json!(["GroupB", "scene@1", 1, 5, null])).await;
            assert_eq!(answer, json!({"answer": 5}));
            let answer = ask(json!(["GroupB", null, 1, null, null])).await;
            assert_eq!(answer, json!({"answer": null}));
            for (name, cmd, kind, text) in [
                ("GroupB", 2, "forbidden", "GroupB does not export service.2"),
                ("GroupB", 3, "not_found", "nobody in GroupB"),
                ("GroupB", 4, "handler", "too dear"),
                ("GroupB", 5, "overloaded", "too many"),
                ("GroupB", 6, "unimplemented", "does not serve"),
                ("GroupB", 7, "too_large", "an answer of"),
                (
                    "GroupB",
                    8,
                    "handler",
                    "the answer of GroupB cannot be read",
                ),
                ("GroupB", 9, "deadline_exceeded", "in time"),
                ("GroupB", 10, "unavailable", "given the call up"),
                ("GroupC", 1, "unavailable", "bridge@0"),
                ("GroupX", 1, "not_found", "joins GroupX"),
            ] {
                let wait = json!((cmd == 9).then_some(0.1));
                let ended = ask(json!([name, null, cmd, null, wait])).await;
                assert_eq!(ended["kind"], kind, "{name} {cmd}: {ended}");
                assert!(ended["text"].as_str().unwrap().contains(text), "{ended}");
            }
        }
        {
            let crossed = crossed.lock().unwrap();
            let crossing = |service: &str| Crossing {
                group: "GroupB".to_owned(),
                service: service.to_owned(),
                ..Crossing::default()
            };
            assert_eq!(crossed[0].0, crossing(""));
            assert_eq!(crossed[1].0, crossing("scene@1"));
            assert_eq!(crossed[2].1, "", "None is nothing");
        }
        assert_eq!(gate.call(9, "1044480").await.unwrap().len(), 1_044_480);
        let (_, text) = kind(gate.call(9, "1044481").await);
        assert!(text.contains("1044480 are allowed"), "{text}");
        let (what, text) = kind(gate.call(7, "").await);
        assert_eq!(what, ErrorKind::Handler);
        assert!(text.contains("test is this scene's own group"), "{text}");
        group.stop().await;
    });
}

#[test]
fn calls_of_another_group_keep_their_order() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let crossed = Crossed::default();
        let _bridge = bridge(&group, &crossed).await;
        let gate = caller(&group).await;
        assert_eq!(gate.ask(6, json!(2_000)).await, 2_000);
        let crossed = std::mem::take(&mut *crossed.lock().unwrap());
        let bodies: Vec<_> = crossed.into_iter().map(|(_, body)| body).collect();
        let expected: Vec<_> = (0..2_000).map(|n| Bytes::from(n.to_string())).collect();
        assert!(bodies == expected, "out of turn");
        group.stop().await;
    });
}

#[test]
fn a_service_knows_who_calls_and_nobody_can_claim_to_be_another() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let bridge = bridge(&group, &Crossed::default()).await;
        let gate = caller(&group).await;
        let from_b = call_from(&bridge, 1, 3, "").await.unwrap();
        assert_eq!(value(&from_b), json!(["GroupB", "scene@3"]));
        // By turns, so that nothing of one is left for the next.
        let from_here = gate.ask(3, json!(null)).await;
        assert_eq!(from_here, json!([null, "gate@0"]));
        let service = group.service("svc@0", Services::new()).await;
        let scene = service.resolve(&"scene@0".parse().unwrap()).unwrap();
        let from_service = service.call(scene, "service.3", Bytes::new()).await;
        assert_eq!(value(&from_service.unwrap()), json!([null, "svc@0"]));
        // What a node that is no bridge says of other groups counts for nothing.
        let claimed = call_from(&service, 1, 3, "").await.unwrap();
        assert_eq!(value(&claimed), json!([null, "svc@0"]));

        let (what, _) = kind(call_from(&bridge, 1, 8, "1").await);
        assert_eq!(what, ErrorKind::Handler);
        logged("scene@3 of GroupB, by bridge@0 (").await;

        // A load begins anew what is remembered of callers.
        assert!(group.scene.script().reload(None).await.ok);
        assert_eq!(gate.ask(3, json!(null)).await, from_here);
        group.stop().await;
    });
}

#[test]
fn what_is_called_because_of_another_group_says_how_many_bridges_were_crossed() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let crossed = Crossed::default();
        let bridge = bridge(&group, &crossed).await;
        let gate = caller(&group).await;
        let hops = || {
            let crossed = std::mem::take(&mut *crossed.lock().unwrap());
            let hops = crossed.into_iter().map(|(crossing, _)| crossing.hops);
            hops.collect::<Vec<_>>()
        };
        // Its caller, which it knows after all that it has waited for.
        let caller = call_from(&bridge, 3, 4, "").await.unwrap();
        assert_eq!(value(&caller), json!(["GroupB", "scene@3"]));
        assert_eq!(
            hops(),
            [3; 4],
            "at once, in a task, by a timer, by the scene itself"
        );
        assert_eq!(gate.ask(4, json!(null)).await, json!([null, "gate@0"]));
        assert_eq!(hops(), [0; 4]);
        // The task that was kept ready has been of a call that had crossed some.
        let caller = call_from(&bridge, 7, 5, "").await.unwrap();
        assert_eq!(value(&caller), json!(["GroupB", "scene@3"]));
        assert_eq!(gate.ask(5, json!(null)).await, json!([null, "gate@0"]));
        assert_eq!(hops(), [7, 0]);
        group.stop().await;
    });
}
