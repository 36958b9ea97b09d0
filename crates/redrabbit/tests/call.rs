//! `redrabbit call` against a master and nodes that stand in for scenes and services.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod group;

use std::{fs, future::pending};

use bytes::Bytes;
use ffrpc::Services;
use group::{Ended, Group};
use protocol::{
    CallError, ErrorKind,
    v1::{GroupLink, NodeState, Role, Script},
};
use serde_json::Value;

/// Gives back what it is given, fails, and never answers.
fn echo() -> Services {
    Services::new()
        .serve("echo", |request| async move { Ok(request.body) })
        .serve("fail", |_| async {
            Err(CallError::new(
                ErrorKind::Handler,
                "no such \u{1b}[2Jplayer",
            ))
        })
        .serve("full", |_| async {
            Err(CallError::new(ErrorKind::Overloaded, "10000 calls wait"))
        })
        .serve("sleep", |_| async { pending().await })
}

/// As a scene does it: all services, and the script says which it has.
fn scene() -> Services {
    Services::new().serve_prefix("service.", |method, request| {
        let known = method == "service.200";
        async move {
            match known {
                true => Ok(Bytes::from([b"scene got ", &request.body[..]].concat())),
                false => Err(CallError::new(ErrorKind::Unimplemented, "no service 201")),
            }
        }
    })
}

fn good(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.wrong.as_str()), (0, ""), "{ended:?}");
    &ended.said
}

#[tokio::test]
async fn a_method_is_called_and_its_answer_printed() {
    let group = Group::start("").await;
    let _echo = group.node("echo@0", Role::Service, echo()).await;
    let text = group.redrabbit(&["call", "echo@0", "echo", "hello"]).await;
    assert_eq!(good(&text), "hello\n");
    let nothing = group.redrabbit(&["call", "echo", "echo"]).await;
    assert_eq!(good(&nothing), "");
    let bytes = group
        .redrabbit(&["call", "any", "echo", "--hex", "00 ff"])
        .await;
    assert!(good(&bytes).starts_with("00000000  00 ff  "), "{bytes:?}");
    group.master.shutdown().await;
}

#[tokio::test]
async fn a_script_service_is_called_by_its_number_where_the_script_has_it() {
    let group = Group::start("").await;
    let _without = group.node("scene@0", Role::Scene, scene()).await;
    let with = group.node("scene@1", Role::Scene, scene()).await;
    with.set_script(Script {
        version: 1,
        hash: "a1b2c3d4e5f6".into(),
        services: vec![200],
    });
    let is_shown = |nodes: &[Value]| nodes.iter().any(|one| one["script"]["services"][0] == 200);
    group
        .until("the service is in the directory", is_shown)
        .await;
    let called = group
        .redrabbit(&["call", "scene", "200", "{}", "--json"])
        .await;
    let json: Value = serde_json::from_str(good(&called)).unwrap();
    assert_eq!(json["node"], "scene@1");
    assert_eq!(json["method"], "service.200");
    assert_eq!(json["text"], "scene got {}");
    assert_eq!(json["bytes"], 12);
    assert!(json["json"].is_null() && json["hex"].is_null());
    assert!(json["milliseconds"].as_f64().unwrap() > 0.0);

    let unknown = group.redrabbit(&["call", "scene@1", "201"]).await;
    assert_eq!(unknown.code, 76, "{unknown:?}");
    assert!(unknown.wrong.contains("what it offers: 200"), "{unknown:?}");
    group.master.shutdown().await;
}

#[tokio::test]
async fn a_body_comes_from_a_file_or_the_standard_input() {
    let group = Group::start("").await;
    let _echo = group.node("echo@0", Role::Service, echo()).await;
    fs::write(group.path("body"), "{\"a\":  1}").unwrap();
    let file = group.path("body");
    let args = ["call", "echo@0", "echo", "--json", "--body-file"];
    let told = [&args[..], &[file.to_str().unwrap(), "--json-body"]].concat();
    let json: Value = serde_json::from_str(good(&group.redrabbit(&told).await)).unwrap();
    assert_eq!(
        (&json["text"], &json["json"]["a"]),
        (&"{\"a\":  1}".into(), &1.into())
    );
    let told = [&args[..], &["-"]].concat();
    let input = group.redrabbit_told(&told, b"\x00\xff").await;
    let json: Value = serde_json::from_str(good(&input)).unwrap();
    assert_eq!(json["hex"], "00ff");
    group.master.shutdown().await;
}

#[tokio::test]
async fn every_end_has_its_exit_code_and_says_what_to_do() {
    let group = Group::start("").await;
    let _echo = group.node("echo@0", Role::Service, echo()).await;
    let leaving = group.node("echo@1", Role::Service, echo()).await;
    leaving.set_state(NodeState::Draining);
    let drains = |nodes: &[Value]| nodes.iter().any(|one| one["state"] == "draining");
    group.until("it drains", drains).await;
    let ends: [(&[&str], i32, &str, &str); 9] = [
        (
            &["echo@0", "fail"],
            70,
            "handler",
            "answers with an error: no such [2Jplayer",
        ),
        (&["echo@0", "full"], 75, "overloaded", "try again later"),
        (
            &["echo@0", "nothing"],
            76,
            "unimplemented",
            "what it offers: echo, fail",
        ),
        (
            &["echo", "nothing"],
            76,
            "unimplemented",
            "no echo in group GroupA offers nothing",
        ),
        (
            &["echo@0", "sleep", "--deadline", "200ms"],
            124,
            "deadline_exceeded",
            "--deadline",
        ),
        (
            &["echo@7", "echo"],
            68,
            "not_found",
            "there is no echo@7 in group GroupA",
        ),
        (
            &["scene", "200"],
            68,
            "not_found",
            "echo@0 (echo, fail, full, sleep)",
        ),
        (&["echo@1", "echo"], 69, "unavailable", "it drains"),
        (
            &["any", "echo", "--group", "GroupB"],
            68,
            "not_found",
            "GroupB",
        ),
    ];
    for (args, code, kind, words) in ends {
        let args = [&["call"], args].concat();
        let ended = group.redrabbit(&args).await;
        assert_eq!(
            (ended.code, ended.said.as_str()),
            (code, ""),
            "{args:?}: {ended:?}"
        );
        assert!(ended.wrong.contains(words), "{args:?}: {ended:?}");
        let ended = group.redrabbit(&[&args[..], &["--json"]].concat()).await;
        let json: Value = serde_json::from_str(&ended.wrong).unwrap();
        assert_eq!(
            (&json["kind"], &json["exit_code"]),
            (&kind.into(), &code.into())
        );
        assert!(json["error"].as_str().unwrap().contains(words), "{json}");
    }
    group.master.shutdown().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anybody_is_called() {
    let group = Group::start("").await;
    fs::write(group.path("large"), vec![b'x'; 32 << 20]).unwrap();
    let large = group.path("large");
    let wrong: [(&[&str], i32, &str); 10] = [
        (&["echo@0", "node.drain"], 64, "`redrabbit drain`"),
        (
            &["echo@0", "session.enter"],
            64,
            "daemons speak to each other",
        ),
        (&["echo@0", "70000"], 64, "0 to 65535"),
        (&["echo@", "echo"], 64, "neither a node"),
        (&["echo@0"], 64, "METHOD"),
        (
            &["echo@0", "echo", "x", "--body-file", "y"],
            64,
            "cannot be used with",
        ),
        (
            &["echo@0", "echo", "--body-file", "/nowhere"],
            64,
            "cannot read the body",
        ),
        (&["echo@0", "echo", "0g", "--hex"], 65, "not hexadecimal"),
        (&["echo@0", "echo", "{", "--json-body"], 65, "not JSON"),
        (
            &["echo@0", "echo", "--body-file", large.to_str().unwrap()],
            65,
            "larger than",
        ),
    ];
    for (args, code, words) in wrong {
        let ended = group.redrabbit(&[&["call"], args].concat()).await;
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
        assert!(ended.wrong.contains(words), "{args:?}: {ended:?}");
    }
    group.master.shutdown().await;
}

#[tokio::test]
async fn another_group_is_called_through_a_bridge_and_may_forbid_it() {
    let group = Group::start("").await;
    let services = Services::new().bridge(|transit, responder| {
        let answer = match transit.method.as_str() {
            "echo" => Ok(transit.body),
            _ => Err(CallError::new(
                ErrorKind::Forbidden,
                "GroupB does not export it",
            )),
        };
        responder.respond(answer);
    });
    let bridge = group.node("bridge@0", Role::Bridge, services).await;
    bridge.set_groups(vec![GroupLink {
        name: "GroupB".into(),
        identity: 7,
        reachable: true,
    }]);
    let joined = async { while !group.redrabbit(&["nodes"]).await.said.contains("GroupB") {} };
    tokio::time::timeout(group::SOON, joined).await.unwrap();
    let args = ["call", "scene@0", "echo", "hello", "--group", "GroupB"];
    assert_eq!(good(&group.redrabbit(&args).await), "hello\n");
    let args = ["call", "any", "secret", "--group", "GroupB"];
    let ended = group.redrabbit(&args).await;
    assert_eq!(ended.code, 77, "{ended:?}");
    assert!(ended.wrong.contains("[exports]"), "{ended:?}");
    let args = ["call", "scene", "echo", "--group", "GroupB"];
    assert_eq!(group.redrabbit(&args).await.code, 64);
    group.master.shutdown().await;
}

#[tokio::test]
async fn without_a_master_nobody_is_called() {
    // Nobody listens on a port that was just somebody's.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let group = Group::start("").await;
    let elsewhere = format!("master.listen={address}");
    let args = ["call", "echo@0", "echo", "--set", &elsewhere];
    let ended = group.redrabbit(&args).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.wrong.contains("no master answers"), "{ended:?}");
    group.master.shutdown().await;
}
