//! A session, a call and a node are each followed through every daemon by one id.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{path::PathBuf, process::Command};

use client::Client;
use serde_json::{Value, json};
use tests::{Cluster, Groups, Members, Player, binary, bridge, eventually, log_in_json};

const SCRIPT: &str = r#"
import asyncio
import logging

import ffext

log = logging.getLogger("game")


@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, ""]


@ffext.session_enter_callback
def enter(session_id, from_scene, extra_data):
    log.info("welcome")


@ffext.session_offline_callback
def offline(session_id, online_time):
    log.info("farewell")


@ffext.session_call(1)
def echo(session_id, message):
    log.info("at once")
    ffext.send_msg_session(session_id, 1, message)


@ffext.session_call(2)
async def ask(session_id, message):
    await asyncio.sleep(0.01)
    log.info("later")
    group, scene, name = message
    if group:
        answer = await ffext.bridge_call_service(group, scene, 200, name)
    else:
        answer = await ffext.call_service(scene, 200, name)
    ffext.send_msg_session(session_id, 2, answer)


@ffext.session_call(3)
async def trespass(session_id, message):
    try:
        answer = await ffext.bridge_call_service(message[0], message[1], 201, "")
    except ffext.CallError as error:
        answer = error.kind
    ffext.send_msg_session(session_id, 3, answer)


@ffext.reg_service(200)
def greet(name):
    log.info("nobody's")
    return "hello " + name
"#;

const MEMBERS: Members<'static> = Members {
    gates: 1,
    scenes: 2,
    slaves: 1,
    script: SCRIPT,
    more: "",
};

/// The lines of a log; each is an object and says whose it is.
fn lines(node: &str, log: &str) -> Vec<Value> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{node}: {line}"));
        assert_eq!(line["node"], node, "{line}");
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "no {field}: {line}");
        }
        line
    };
    // The last may be half written.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(read).collect()
}

fn messages<'a>(lines: &'a [Value], field: &str, value: &str) -> Vec<&'a str> {
    let about = lines.iter().filter(|line| line[field] == value);
    about
        .map(|line| line["message"].as_str().unwrap())
        .collect()
}

async fn player(cluster: &Cluster, name: &str) -> Player {
    let client = Client::connect_tcp(cluster.tcp("gate@0")).await.unwrap();
    Player::login(client, name).await.unwrap()
}

/// Waits until a node has logged this of whatever has that value in the field.
async fn logged(cluster: &Cluster, node: &str, field: &str, value: &str, message: &str) {
    let what = format!("{node} logs {message:?} of {value}");
    eventually(&what, async || {
        let lines = lines(node, &cluster.log(node));
        messages(&lines, field, value)
            .contains(&message)
            .then_some(())
    })
    .await;
}

/// The calls that a node has begun of this method.
fn calls(cluster: &Cluster, node: &str, method: &str) -> Vec<String> {
    let lines = lines(node, &cluster.log(node));
    let begun = lines.iter().filter(|line| {
        line["message"] == "call begun" && line["method"] == method && line["target"] == "call"
    });
    begun
        .map(|line| line["call_id"].as_str().unwrap().to_owned())
        .collect()
}

/// What `redrabbit logs` prints of these files.
fn found(arguments: &[&str], files: &[PathBuf]) -> Vec<Value> {
    let mut command = Command::new(binary("redrabbit"));
    let output = command
        .args(["logs", "--json"])
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_session_is_followed_from_its_login_to_its_end() {
    log_in_json("debug");
    let cluster = Cluster::start(MEMBERS).await;
    let mut ann = player(&cluster, "ann").await;
    let _bob = player(&cluster, "bob").await;
    ann.send(1, json!("hi")).await;
    ann.until(|answer| *answer == json!("hi")).await;
    ann.send(2, json!(["", "scene@1", "ann"])).await;
    ann.until(|answer| *answer == json!("hello ann")).await;
    drop(ann);
    logged(&cluster, "gate@0", "session_id", "ann", "session closed").await;
    logged(&cluster, "scene@0", "session_id", "ann", "farewell").await;

    let of_scene = lines("scene@0", &cluster.log("scene@0"));
    let told = messages(&of_scene, "session_id", "ann");
    let expected = [
        "client verified",
        "session enters",
        "welcome",
        "at once",
        "later",
        "session is offline",
        "farewell",
    ];
    assert_eq!(told, expected);
    let of_bob = messages(&of_scene, "session_id", "bob");
    assert_eq!(of_bob, ["client verified", "session enters", "welcome"]);
    // A service is called for nobody that it knows.
    let of_other = lines("scene@1", &cluster.log("scene@1"));
    let greeted = of_other
        .iter()
        .find(|line| line["message"] == "nobody's")
        .unwrap();
    assert_eq!(greeted["session_id"], Value::Null);

    let files = ["gate@0", "scene@0", "scene@1"];
    let files = files.map(|name| cluster.process(name).log_file().to_owned());
    let found = found(&["--session", "ann"], &files);
    let nodes: Vec<&str> = found
        .iter()
        .map(|line| line["node"].as_str().unwrap())
        .collect();
    assert!(
        nodes.contains(&"gate@0") && nodes.contains(&"scene@0"),
        "{nodes:?}"
    );
    assert!(!nodes.contains(&"scene@1"), "{nodes:?}");
    let times: Vec<&str> = found
        .iter()
        .map(|line| line["time"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn a_call_is_known_by_one_id_to_whoever_calls_and_whoever_is_called() {
    log_in_json("info,call=debug");
    let cluster = Cluster::start(MEMBERS).await;
    let mut ann = player(&cluster, "ann").await;
    ann.send(2, json!(["", "scene@1", "ann"])).await;
    ann.until(|answer| *answer == json!("hello ann")).await;

    let begun = calls(&cluster, "scene@0", "service.200");
    let [call_id] = &begun[..] else {
        panic!("{begun:?}")
    };
    assert!(call_id.starts_with("GroupA-"), "{call_id}");
    logged(&cluster, "scene@0", "call_id", call_id, "call ended").await;
    let of = |node: &str| lines(node, &cluster.log(node));
    assert_eq!(
        messages(&of("scene@0"), "call_id", call_id),
        ["call begun", "call ended"]
    );
    let taken = of("scene@1");
    assert_eq!(
        messages(&taken, "call_id", call_id),
        ["call taken", "call answered"]
    );
    let taken = taken
        .iter()
        .find(|line| line["call_id"] == **call_id)
        .unwrap();
    assert_eq!(
        (&taken["peer"], &taken["method"]),
        (&json!("scene@0"), &json!("service.200"))
    );
    // The gate's question, whose answer let her in, is another call.
    let asked = calls(&cluster, "gate@0", "session.verify");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        messages(&of("scene@0"), "call_id", &asked[0]),
        ["call taken", "call answered"]
    );
}

#[tokio::test]
async fn a_call_keeps_its_id_across_a_bridge() {
    log_in_json("info,call=debug");
    let exporting = Members {
        gates: 0,
        scenes: 1,
        more: "[exports.greet]\ngroups = [\"GroupA\"]\nservices = [\"*\"]\ncmds = [200]\n",
        ..MEMBERS
    };
    let groups = Groups::start(&[("GroupA", MEMBERS), ("GroupB", exporting)], 1).await;
    let (here, there) = (groups.at(0), groups.at(1));
    let mut ann = player(here, "ann").await;
    eventually("the other group answers", async || {
        ann.send(2, json!(["GroupB", "scene@0", "ann"])).await;
        let (_, answer) = ann.next().await;
        (answer == json!("hello ann")).then_some(())
    })
    .await;
    let begun = calls(here, "scene@0", "service.200");
    let call_id = begun.last().unwrap();
    logged(there, "scene@0", "call_id", call_id, "call answered").await;
    let passed = ["call taken", "call begun", "call ended", "call answered"];
    eventually("the bridge has passed it on", async || {
        let lines = lines(&bridge(0), &groups.bridges().log(&bridge(0)));
        (messages(&lines, "call_id", call_id) == passed).then_some(())
    })
    .await;

    // What is not exported ends at the bridge, and is followed that far.
    ann.send(3, json!(["GroupB", "scene@0"])).await;
    assert_eq!(ann.next().await, (3, json!("forbidden")));
    let begun = calls(here, "scene@0", "service.201");
    let call_id = begun.last().unwrap();
    eventually("the bridge has refused it", async || {
        let lines = lines(&bridge(0), &groups.bridges().log(&bridge(0)));
        let refused = lines
            .iter()
            .find(|line| line["call_id"] == **call_id && line["message"] == "call answered")?;
        assert_eq!(refused["outcome"], "forbidden", "{refused}");
        assert_eq!(
            messages(&lines, "call_id", call_id),
            ["call taken", "call answered"]
        );
        Some(())
    })
    .await;
}
