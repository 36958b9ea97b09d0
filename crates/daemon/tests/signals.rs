//! What signals do to a daemon.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::Signal;
use support::{Idle, Running};

async fn ready(idle: Idle) -> Running {
    let mut running = idle.args(&["--name", "gate@0"]).start();
    running.logs("ready").await;
    running
}

#[tokio::test]
async fn sigterm_drains_and_ends_well() {
    let running = ready(Idle::new("")).await;
    running.signal(Signal::TERM);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drained"), "{log}");
}

#[tokio::test]
async fn a_daemon_whose_log_nobody_reads_ends_as_well() {
    let running = ready(Idle::new("")).await.unread();
    running.signal(Signal::TERM);
    let status = running.ended().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn ctrl_c_drains_and_ends_well() {
    let running = ready(Idle::new("")).await;
    running.signal(Signal::INT);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drained"), "{log}");
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_that_does_not_end() {
    let idle = Idle::new("[limits]\ndrain_grace = \"1h\"").args(&["--stubborn"]);
    let mut running = ready(idle).await;
    running.signal(Signal::TERM);
    running.logs("draining").await;
    running.signal(Signal::INT);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drain ended by a second signal"), "{log}");
}

#[tokio::test]
async fn a_drain_that_does_not_end_runs_out_of_time() {
    let idle = Idle::new("[limits]\ndrain_grace = \"1s\"").args(&["--stubborn"]);
    let running = ready(idle).await;
    running.signal(Signal::TERM);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drain ran out of time"), "{log}");
}

#[tokio::test]
async fn a_second_signal_ends_work_that_does_not_listen() {
    let mut running = Idle::new("").args(&["--name", "gate@0", "--deaf"]).start();
    running.logs("listening").await;
    running.signal(Signal::TERM);
    running.logs("told to stop").await;
    running.signal(Signal::TERM);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("a second signal ended it"), "{log}");
}
