//! In which order `up` starts and stops.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::Stdio;

use rustix::process::Signal;
use support::{Stage, until};
use tokio::process::Command;

const STARTS: [&str; 6] = [
    "started master@0",
    "ready master@0",
    "started scene@0",
    "ready scene@0",
    "started gate@0",
    "ready gate@0",
];

const STOPS: [&str; 6] = [
    "asked gate@0",
    "stopped gate@0",
    "asked scene@0",
    "stopped scene@0",
    "asked master@0",
    "stopped master@0",
];

#[tokio::test]
async fn roles_start_in_order_and_sigterm_stops_them_in_reverse() {
    let up = Stage::new().up().comes_up().await;
    assert_eq!(up.stage.events(), STARTS);
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(stage.events(), [STARTS, STOPS].concat());
    assert!(log.trim_end().ends_with("group GroupA is down"), "{log}");
}

#[tokio::test]
async fn a_slave_starts_right_after_the_master_and_stops_right_before_it() {
    let up = Stage::new().with_slave().up().comes_up().await;
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let (starts, stops) = (
        ["started slave@0", "ready slave@0"],
        ["asked slave@0", "stopped slave@0"],
    );
    let events = [
        &STARTS[..2],
        &starts,
        &STARTS[2..],
        &STOPS[..4],
        &stops,
        &STOPS[4..],
    ];
    assert_eq!(stage.events(), events.concat());
}

#[tokio::test]
async fn ctrl_c_at_a_terminal_reaches_only_up_itself() {
    let up = Stage::new().up().comes_up().await;
    up.signal_group(Signal::INT);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(stage.events(), [STARTS, STOPS].concat());
}

#[tokio::test]
async fn a_terminal_that_goes_away_takes_the_group_down_in_order() {
    let stage = Stage::new();
    // In a terminal of its own, of which it has the only process.
    let line = format!(
        "exec {} up {} --bin-dir {}",
        env!("CARGO_BIN_EXE_redrabbit"),
        stage.path("topology.toml").display(),
        stage.path("").display(),
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("it is up", || stage.events() == STARTS).await;
    terminal.kill().await.unwrap();
    until("it is down", || {
        stage.events().len() >= STARTS.len() + STOPS.len()
    })
    .await;
    assert_eq!(stage.events(), [STARTS, STOPS].concat());
    until("nothing is left", || stage.living().is_empty()).await;
}

#[tokio::test]
async fn the_last_line_of_a_start_says_where_clients_connect() {
    let mut up = Stage::new().up();
    let line = up.says("is up").await;
    let said = "group GroupA is up: tcp 127.0.0.1:10242, websocket 127.0.0.1:10243";
    assert!(line.ends_with(said), "{line}");
    up.signal(Signal::TERM);
    up.ended().await;
}

#[tokio::test]
async fn a_role_waits_for_the_former_one_however_long_and_says_so() {
    let stage = Stage::new().conduct("master@0", r#"{"waits_for": "go"}"#);
    let mut up = stage.args(&["--patience", "100"]).up();
    up.says("master@0 is not ready after 0.1 s; still waiting")
        .await;
    up.says("master@0 is not ready after 0.2 s; still waiting")
        .await;
    assert_eq!(up.stage.events(), ["started master@0"]);
    up.stage.write("go", "");
    let up = up.comes_up().await;
    assert_eq!(up.stage.events(), STARTS);
    up.signal(Signal::TERM);
    up.ended().await;
}

#[tokio::test]
async fn a_start_can_be_called_off() {
    let stage = Stage::new().conduct("scene@0", r#"{"waits_for": "never"}"#);
    let up = stage.up();
    until("scene@0 has started", || {
        up.stage.events().contains(&"started scene@0".to_owned())
    })
    .await;
    up.signal(Signal::INT);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(stage.events()[3..], STOPS[2..]);
}
