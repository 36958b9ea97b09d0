//! `--json` of the commands that say what they do while they do it, or print a table.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod group;
mod support;

use std::{fs, process::Command};

use ffrpc::Services;
use group::{Group, SOON};
use protocol::{
    method::{NODE_DRAIN, NODE_RELOAD},
    v1::{DrainRequest, DrainResponse, ReloadRequest, ReloadResponse, Role},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::Stage;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// Each line as JSON.
fn lines(said: &str) -> Vec<Value> {
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Exit code, stdout, stderr.
fn redrabbit(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redrabbit"))
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn check_tells_programs_what_is_good_and_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topology.toml");
    let path = file.to_str().unwrap();
    fs::write(
        &file,
        "group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:7\"\n",
    )
    .unwrap();
    let (code, said, wrong) = redrabbit(&["check", path, "--json"]);
    assert_eq!((code, wrong.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["nodes"][0]["addresses"]["listen"], "127.0.0.1:7");
    assert_eq!(json["nodes"][0]["here"], true);

    fs::write(&file, "group = \"Group A\"\n[master]\nlisten = 7\n").unwrap();
    let (code, said, wrong) = redrabbit(&["check", path, "--json"]);
    assert_eq!((code, said.as_str()), (78, ""));
    let json: Value = serde_json::from_str(&wrong).unwrap();
    assert_eq!(json["kind"], "config");
    assert_eq!(json["mistakes"].as_array().unwrap().len(), 2, "{json}");
}

#[test]
fn a_wrong_command_line_is_told_as_json_too() {
    for args in [
        &["nodes", "--json", "--what"][..],
        &["check", "--json"],
        &["--json"],
    ] {
        let (code, said, wrong) = redrabbit(args);
        assert_eq!((code, said.as_str()), (64, ""), "{args:?}");
        let json: Value = serde_json::from_str(&wrong).unwrap();
        assert_eq!(
            (&json["kind"], &json["exit_code"]),
            (&"usage".into(), &64.into())
        );
    }
    let (code, said, _) = redrabbit(&["nodes", "--json", "--help"]);
    assert_eq!(code, 0);
    assert!(said.contains("Exit codes:"), "{said}");
}

#[tokio::test]
async fn reload_and_drain_tell_programs_how_it_goes() {
    let group = Group::start("[scenes.\"scene@0\"]\nscript = \"main.py\"\n").await;
    let services = Services::new()
        .serve_message(NODE_RELOAD, |_, _: ReloadRequest| async {
            Ok(ReloadResponse {
                ok: true,
                version: 3,
                hash: "a1b2c3d4e5f6".into(),
                ..ReloadResponse::default()
            })
        })
        .serve_message(NODE_DRAIN, |_, _: DrainRequest| async {
            Ok(DrainResponse { sessions: 7 })
        });
    let scene = group.node("scene@0", Role::Scene, services).await;
    let ended = group.redrabbit(&["reload", "--all", "--json"]).await;
    let json: Value = serde_json::from_str(&ended.said).unwrap();
    let expected = json!([{
        "scene": "scene@0", "result": "loaded", "version": 3, "hash": "a1b2c3d4e5f6", "note": null,
    }]);
    assert_eq!(json, expected);

    let drained = group
        .redrabbit(&["drain", "scene@0", "--json", "--no-wait"])
        .await;
    let expected = json!({
        "event": "drains", "node": "scene@0", "sessions": 7, "to": null, "closes_logins_at": [],
    });
    assert_eq!(lines(&drained.said), [expected]);
    let mut waiting = group.spawn(&["drain", "scene@0", "--json"]);
    let mut said = BufReader::new(waiting.stdout.take().unwrap()).lines();
    // It has its answer before the scene leaves.
    let first = timeout(SOON, said.next_line()).await.unwrap().unwrap();
    assert_eq!(lines(&first.unwrap())[0]["event"], "drains");
    scene.leave().await;
    let mut last = Value::Null;
    while let Some(line) = timeout(SOON, said.next_line()).await.unwrap().unwrap() {
        last = lines(&line).remove(0);
    }
    assert_eq!(last["event"], "left");
    assert_eq!(waiting.wait().await.unwrap().code(), Some(0));

    let unknown = group.redrabbit(&["drain", "scene@7", "--json"]).await;
    assert_eq!(unknown.code, 1);
    assert_eq!(lines(&unknown.wrong)[0]["kind"], "failure");
    group.master.shutdown().await;
}

#[tokio::test]
async fn apply_tells_programs_each_step_and_does_not_ask() {
    let up = Stage::new().up().comes_up().await;
    let place = up.stage.path("topology.toml");
    let text = fs::read_to_string(&place).unwrap();
    up.stage
        .write("edited.toml", &text.replace("\"1s\"", "\"2s\""));
    let edited = up.stage.path("edited.toml");
    let args = [
        "apply",
        edited.to_str().unwrap(),
        "--to",
        place.to_str().unwrap(),
        "--json",
    ];
    let (code, said, wrong) = redrabbit(&args);
    assert_eq!((code, wrong.as_str()), (0, ""));
    let events = lines(&said);
    let names: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["compared", "written", "told"], "{said}");
    assert_eq!(events[0]["changes"][0]["key"], "limits.drain_grace");
    assert!(events[1]["backup"].as_str().unwrap().ends_with(".bak"));

    up.stage
        .write("edited.toml", &text.replace("10242", "10244"));
    let (code, _, wrong) = redrabbit(&args);
    assert_eq!(code, 64);
    assert!(
        lines(&wrong)[0]["error"]
            .as_str()
            .unwrap()
            .contains("--yes")
    );
    up.signal(Signal::TERM);
    up.ended().await;
}
