//! What scripts and clients get wrong harms nobody else.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::process::Command;

use serde_json::{Value, json};
use tests::{ARCADE, Group, Runs};

#[tokio::test]
async fn a_handler_that_raises_is_logged_and_harms_nothing_else() {
    let group = Group::start(Runs::Solo, ARCADE).await;
    let mut alice = group.player("alice").await;
    alice.send(5, Value::Null).await;
    assert_eq!(alice.asks(1, json!(["on"])).await, json!(["on"]));
    let log = group.log();
    for word in [
        "this handler fails on purpose",
        "alice",
        "Traceback",
        "in fail",
    ] {
        assert!(log.contains(word), "{word:?} is not in the log");
    }
}

#[tokio::test]
async fn an_unknown_command_is_logged_once_a_session() {
    let group = Group::start(Runs::Solo, ARCADE).await;
    let mut alice = group.player("alice").await;
    for _ in 0..20 {
        alice.send(999, Value::Null).await;
    }
    assert_eq!(alice.asks(1, json!(["on"])).await, json!(["on"]));
    let said = group
        .log()
        .lines()
        .filter(|line| line.contains("cmd=999"))
        .count();
    assert_eq!(said, 1);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_logged_and_harmless() {
    let group = Group::start(Runs::Solo, ARCADE).await;
    let mut client = group.player("alice").await.into_client();
    for body in [&b"{"[..], b"\xff\xfe", b"", &[b'['; 40_000]] {
        client.send(1, body).await.unwrap();
    }
    client.send(9, b"on").await.unwrap();
    loop {
        let frame = client.recv().await.unwrap();
        if frame.cmd == 9 {
            break assert_eq!(&frame.body[..], b"no");
        }
    }
}

#[tokio::test]
async fn a_websocket_client_that_is_not_ours_plays_and_misbehaves() {
    let group = Group::start(Runs::Up, ARCADE).await;
    let folder = env!("CARGO_MANIFEST_DIR");
    let python = format!("{folder}/.venv/bin/python");
    assert!(
        std::path::Path::new(&python).exists(),
        "run ./tests/run unit once: it makes {python}"
    );
    let output = Command::new(python)
        .arg(format!("{folder}/python/websocket_client.py"))
        .arg(group.websocket())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{failed}");
}

#[tokio::test]
async fn a_second_scene_in_one_process_is_refused_in_words() {
    let more = "[scenes.\"scene@1\"]\nscript = \"main.py\"\n";
    let mut group = Group::launch(Runs::Solo, ARCADE, more);
    let status = group.process().ended().await;
    assert!(!status.success());
    let log = group.log();
    assert!(
        log.contains("scene@1") && log.contains("redrabbit up"),
        "{log}"
    );
}

#[tokio::test]
async fn a_wrong_topology_ends_every_program_with_all_its_mistakes() {
    let more = "[limits]\nframe_bites = 3\n[gates.\"gate@1\"]\nverify = \"scene@9\"\n";
    for runs in [Runs::Solo, Runs::Up] {
        let mut group = Group::launch(runs, ARCADE, more);
        let status = group.process().ended().await;
        assert_eq!(status.code(), Some(78));
        let log = group.log();
        for word in ["frame_bites", "frame_bytes", "scene@9", "gate@1"] {
            assert!(log.contains(word), "{word} is not in\n{log}");
        }
    }
}

#[tokio::test]
async fn the_seeds_chat_script_runs_unchanged() {
    let script = include_str!("../../crates/scene-host/examples/seed/main.py");
    for runs in [Runs::Solo, Runs::Up] {
        let group = Group::start(runs, script).await;
        let mut alice = group.player("alice").await;
        let welcome = alice.hears(1).await;
        assert!(
            welcome.as_str().unwrap().contains("测试单播接口！欢迎你！"),
            "{welcome}"
        );
        alice.until(|value| value == &json!(["alice"])).await;
        let mut bob = group.websocket_player("bob").await;
        alice.until(|value| value == &json!(["alice", "bob"])).await;
        bob.send(1, json!(["你好"])).await;
        alice
            .until(|value| {
                value
                    .as_str()
                    .is_some_and(|text| text.contains("[bob ") && text.ends_with("你好"))
            })
            .await;
        alice.send(1, json!(["reload"])).await;
        bob.until(|value| {
            value
                .as_str()
                .is_some_and(|text| text.contains("main.py已完成重载"))
        })
        .await;
        drop(bob);
        alice
            .until(|value| {
                value
                    .as_str()
                    .is_some_and(|text| text.contains("[bob ") && text.contains("offline"))
            })
            .await;
        alice.until(|value| value == &json!(["alice"])).await;
        // What it prints is in the log.
        group.says("process_chat session_id=bob content=你好").await;
    }
}
