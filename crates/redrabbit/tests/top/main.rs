//! `redrabbit top` in a terminal, and without one, before a real master.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../group/mod.rs"]
mod group;
mod terminal;

use ffrpc::Services;
use group::{Group, SOON};
use protocol::v1::Role;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use terminal::Terminal;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

/// What leads to a screen of its own, and back.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

async fn code(mut child: Child) -> i32 {
    let ended = timeout(SOON, child.wait()).await.unwrap().unwrap();
    ended.code().unwrap_or(-1)
}

#[tokio::test]
async fn a_group_is_shown_until_q_and_the_terminal_is_as_it_was() {
    let group = Group::start("").await;
    let gate = group.node("gate@7", Role::Gate, Services::new()).await;
    gate.set_load(3);
    let mut terminal = Terminal::new(120, 30);
    let top = terminal.run(&["top"], &group.path("topology.toml"));
    terminal.shows(ENTER).await;
    terminal.shows("GroupA").await;
    terminal.shows("master@0").await;
    assert!(!terminal.is_as_before());
    // One further each: the gate is the first behind the cursor's first row.
    terminal.types("n\r\x1b[B\r");
    terminal.shows("last warnings and errors").await;
    terminal.types("\x1b");
    terminal.shows("STATE").await;
    terminal.types("q");
    assert_eq!(code(top).await, 0);
    terminal.shows(LEAVE).await;
    assert!(terminal.is_as_before());
    gate.leave().await;
}

#[tokio::test]
async fn a_signal_leaves_the_terminal_as_it_was() {
    let group = Group::start("").await;
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        let terminal = Terminal::new(80, 24);
        let top = terminal.run(&["top"], &group.path("topology.toml"));
        terminal.shows("master@0").await;
        let pid = Pid::from_raw(top.id().unwrap() as i32).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(code(top).await, 0, "{signal:?}");
        terminal.shows(LEAVE).await;
        assert!(terminal.is_as_before(), "{signal:?}");
    }
}

#[tokio::test]
async fn a_terminal_that_goes_away_ends_it_without_a_panic() {
    let group = Group::start("").await;
    let terminal = Terminal::new(80, 24);
    let top = terminal.run(&["top"], &group.path("topology.toml"));
    terminal.shows("master@0").await;
    terminal.hang_up();
    assert_eq!(code(top).await, 0);
}

#[tokio::test]
async fn a_master_that_restarts_does_not_end_what_follows_it_for_ever() {
    let group = Group::start("").await;
    let mut top = group.spawn(&["top", "--json"]);
    let mut lines = BufReader::new(top.stdout.take().unwrap()).lines();
    let mut epoch = async || {
        let line = timeout(SOON, lines.next_line()).await.unwrap().unwrap();
        let state: Value = serde_json::from_str(&line.unwrap()).unwrap();
        state["epoch"].as_u64().unwrap()
    };
    let first = epoch().await;
    let _group = group.restarted(std::future::ready(())).await;
    while epoch().await == first {}
    top.kill().await.unwrap();
}

#[tokio::test]
async fn a_master_that_goes_is_said_and_one_that_comes_is_shown() {
    let group = Group::start("").await;
    let mut terminal = Terminal::new(100, 24);
    let top = terminal.run(&["top"], &group.path("topology.toml"));
    terminal.shows("master@0").await;
    let group = group.restarted(terminal.shows("127.0.0.1")).await;
    // Another run of it: the number in the first line is a new one.
    let gate = group.node("gate@3", Role::Gate, Services::new()).await;
    terminal.shows("gate@3").await;
    terminal.types("\x03");
    assert_eq!(code(top).await, 0);
    gate.leave().await;
}

#[tokio::test]
async fn what_is_no_terminal_is_given_text_or_json() {
    let group = Group::start("").await;
    let gate = group.node("gate@0", Role::Gate, Services::new()).await;
    // What the master shows is up to a second old.
    let shown = async {
        loop {
            let text = group.redrabbit(&["top"]).await;
            assert_eq!(text.code, 0, "{text:?}");
            assert!(text.said.contains("HEARD"), "{text:?}");
            if text.said.contains("gate@0") {
                return;
            }
        }
    };
    timeout(SOON, shown).await.unwrap();

    let json = group.redrabbit(&["top", "--json", "--count", "2"]).await;
    let states = json.said.lines();
    let states: Vec<Value> = states
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((json.code, states.len()), (0, 2), "{json:?}");
    assert!(states[0]["now_ms"].as_u64() < states[1]["now_ms"].as_u64());
    let nodes = states[1]["nodes"].as_array().unwrap();
    let is_gate = |node: &Value| node["name"] == "gate@0" && node["state"] == "ready";
    assert!(nodes.iter().any(is_gate), "{nodes:?}");
    gate.leave().await;
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_and_shown_no_screen() {
    let group = Group::start("").await;
    let wrong = group.path("wrong");
    std::fs::write(&wrong, "open sesame").unwrap();
    let wrong = wrong.to_str().unwrap();
    let terminal = Terminal::new(80, 24);
    let args = ["top", "--secret-file", wrong];
    let top = terminal.run(&args, &group.path("topology.toml"));
    terminal.shows("secret").await;
    assert_eq!(code(top).await, 1);
    assert!(terminal.is_as_before());

    let args = ["top", "--json", "--secret-file", wrong];
    let json = group.redrabbit(&args).await;
    let error: Value = serde_json::from_str(&json.wrong).unwrap();
    assert_eq!((json.code, &error["kind"]), (1, &Value::from("failure")));
    let none = group.redrabbit(&["top", "--count", "0"]).await;
    assert_eq!(none.code, 64, "{none:?}");
}
