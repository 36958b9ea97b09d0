//! SIGHUP: what a daemon takes from a file that was edited, what it says of the rest,
//! and that a wrong file changes nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::Signal;
use support::{Idle, Running, SOON};
use tokio::{net::UnixDatagram, time::timeout};

async fn started(more: &str) -> Running {
    let mut running = Idle::new(more).args(&["--name", "gate@0"]).start();
    running.logs("ready").await;
    running
}

async fn stops(running: Running) -> String {
    running.signal(Signal::TERM);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

/// Waits for a message with a line that begins so.
async fn hears(socket: &UnixDatagram, wanted: &str) -> String {
    let hearing = async {
        let mut message = [0; 4096];
        loop {
            let length = socket.recv(&mut message).await.unwrap();
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if text.lines().any(|line| line.starts_with(wanted)) {
                return text;
            }
        }
    };
    timeout(SOON, hearing).await.unwrap()
}

#[tokio::test]
async fn a_live_change_is_told_to_the_work_and_logged_in_a_line() {
    let mut running = started("[limits]\nframe_burst = 400").await;
    running.rewrite("[limits]\nframe_burst = 7\n[slaves.\"slave@3\"]\nlisten = \"127.0.0.1:0\"");
    running.signal(Signal::HUP);
    running.logs("plan changed frame_burst=7").await;
    let log = stops(running).await;
    assert!(
        log.contains(r#"key="limits.frame_burst" from="400" to="7""#),
        "{log}"
    );
    assert!(log.contains(r#"added="slave@3""#), "{log}");
    assert!(!log.contains("wait until"), "{log}");
}

#[tokio::test]
async fn what_needs_a_restart_is_named_until_it_is_taken_back() {
    let mut running = started("").await;
    running.rewrite("[limits]\nlease = \"2s\"\npair_bytes = \"2MiB\"");
    running.signal(Signal::HUP);
    // The lease is the master's.
    running.logs(r#"keys="limits.pair_bytes""#).await;
    running.rewrite("[limits]\npair_bytes = \"2MiB\"\nframe_burst = 7");
    running.signal(Signal::HUP);
    running.logs(r#"keys="limits.pair_bytes""#).await;
    let told = running.log.len();
    running.rewrite("");
    running.signal(Signal::HUP);
    running.logs("topology read again").await;
    running.logs("plan changed").await;
    let log = stops(running).await;
    assert!(!log[told..].contains("wait until"), "{log}");
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_its_mistakes_are_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut running = Idle::new("[limits]\nframe_burst = 400")
        .args(&["--name", "gate@0"])
        .env("NOTIFY_SOCKET", &path)
        .start();
    hears(&socket, "READY=1").await;
    running.rewrite("[limits]\nframe_burst = 7\nframe_bytes = \"lots\"\ncolour = 1");
    running.signal(Signal::HUP);
    hears(&socket, "RELOADING=1").await;
    let status = hears(&socket, "STATUS=topology refused").await;
    assert!(status.contains("2 mistakes"), "{status}");
    hears(&socket, "READY=1").await;
    running.logs("the one before it stays").await;
    running.rewrite("[limits]\nframe_burst = 400");
    running.signal(Signal::HUP);
    hears(&socket, "STATUS=topology read again").await;
    let log = stops(running).await;
    assert!(log.contains(r#"key="limits.frame_bytes""#), "{log}");
    assert!(log.contains(r#"key="limits.colour""#), "{log}");
    assert!(!log.contains("frame_burst=7"), "{log}");
    assert!(!log.contains(r#"key="limits.frame_burst""#), "{log}");
}

#[tokio::test]
async fn a_file_without_the_node_changes_nothing() {
    let mut running = started("").await;
    std::fs::write(
        running.topology(),
        "group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    running.signal(Signal::HUP);
    running.logs("declares no node gate@0").await;
    stops(running).await;
}

#[tokio::test]
async fn levels_of_the_log_change_while_it_runs() {
    let mut running = started("").await;
    running.rewrite("[log]\nlevel = \"warn,idle=debug\"");
    running.signal(Signal::HUP);
    running.logs("in detail").await;
    let before = running.log.len();
    running.rewrite("[log]\nlevel = \"warn\"\n[limits]\nframe_burst = 7\npair_bytes = \"2MiB\"");
    running.signal(Signal::HUP);
    running.logs("limits.pair_bytes").await;
    let log = stops(running).await;
    assert!(!log[before..].contains("frame_burst"), "{log}");
    assert!(!log[before..].contains("draining"), "{log}");
}

#[tokio::test]
async fn what_the_environment_says_is_logged_whatever_the_file_says() {
    let mut running = Idle::new("[log]\nlevel = \"off\"")
        .args(&["--name", "gate@0"])
        .env("RUST_LOG", "info")
        .start();
    running.logs("ready").await;
    running.rewrite("[log]\nlevel = \"debug\"");
    running.signal(Signal::HUP);
    running.logs("log.level changes nothing").await;
    stops(running).await;
}

#[tokio::test]
async fn the_file_says_how_lines_are_written_and_the_command_line_overrides_it() {
    let json = Idle::new("[log]\nformat = \"json\"");
    let mut running = json.args(&["--name", "gate@0"]).start();
    running.logs(r#""message":"ready""#).await;
    stops(running).await;
    let text = Idle::new("[log]\nformat = \"json\"").args(&["--log-format", "text"]);
    let mut running = text.args(&["--name", "gate@0"]).start();
    running.logs(" ready").await;
    assert!(!running.log.contains('{'), "{}", running.log);
    stops(running).await;
}

#[tokio::test]
async fn a_bridge_reads_its_file_again_too() {
    let text = |grace: &str| {
        format!(
            "[bridges.\"bridge@0\"]\n[[groups]]\nname = \"GroupA\"\nmaster = \"127.0.0.1:10241\"\n\
             [[groups]]\nname = \"GroupB\"\nmaster = \"127.0.0.1:11241\"\n\
             [limits]\ndrain_grace = \"{grace}\"\n"
        )
    };
    let idle = Idle::with_topology(&text("10s")).args(&["--name", "bridge@0", "--bridge"]);
    let mut running = idle.start();
    running.logs("ready").await;
    std::fs::write(running.topology(), text("2s")).unwrap();
    running.signal(Signal::HUP);
    running.logs("topology read again").await;
    let log = stops(running).await;
    assert!(log.contains("grace_seconds=2"), "{log}");
}
