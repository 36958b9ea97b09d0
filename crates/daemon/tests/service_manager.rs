//! What a service manager hears of a daemon, and what its log looks like.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::Signal;
use support::{Idle, SOON};
use tokio::{net::UnixDatagram, time::timeout};

/// Waits for a message with the line `wanted`.
async fn hears(socket: &UnixDatagram, wanted: &str) {
    let hearing = async {
        let mut message = [0; 4096];
        loop {
            let length = socket.recv(&mut message).await.unwrap();
            let text = String::from_utf8_lossy(&message[..length]);
            if text.lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    timeout(SOON, hearing).await.unwrap();
}

#[tokio::test]
async fn it_hears_ready_then_alive_then_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut running = Idle::new("")
        .args(&["--name", "gate@0"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "100000")
        .start();
    hears(&socket, "READY=1").await;
    hears(&socket, "WATCHDOG=1").await;
    hears(&socket, "WATCHDOG=1").await;
    running.logs("ready").await;
    running.signal(Signal::TERM);
    hears(&socket, "STOPPING=1").await;
    assert_eq!(running.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_service_manager_that_is_gone_changes_nothing() {
    let mut running = Idle::new("")
        .args(&["--name", "gate@0"])
        .env("NOTIFY_SOCKET", "/nowhere/notify")
        .start();
    running.logs("ready").await;
    running.signal(Signal::TERM);
    assert_eq!(running.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_log_that_is_no_terminal_has_no_colour_unless_asked_for() {
    let mut plain = Idle::new("").args(&["--name", "gate@0"]).start();
    plain.logs("ready").await;
    assert!(!plain.log.contains('\u{1b}'), "{:?}", plain.log);

    let coloured = Idle::new("").env("REDRABBIT_LOG_COLOR", "always");
    let mut coloured = coloured.args(&["--name", "gate@0"]).start();
    coloured.logs("ready").await;
    assert!(coloured.log.contains('\u{1b}'), "{:?}", coloured.log);
}

#[tokio::test]
async fn json_logs_are_an_object_a_line() {
    let json = Idle::new("").args(&["--name", "gate@0", "--log-format", "json"]);
    let mut running = json.start();
    running.logs(r#""message":"ready""#).await;
    for line in running.log.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
}
