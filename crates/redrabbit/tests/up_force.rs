//! How `up` ends what does not end by itself, and that nothing outlives it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Instant;

use rustix::process::Signal;
use support::{Stage, until};

#[tokio::test]
async fn a_role_that_does_not_stop_is_killed_and_said_to_be() {
    let stage = Stage::new().conduct("gate@0", r#"{"stubborn": true}"#);
    let up = stage.up().comes_up().await;
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    // The grace period of the topology, and five seconds.
    assert!(
        log.contains("gate@0 has not stopped within 6 s: killed"),
        "{log}"
    );
    assert_eq!(stage.events().last().unwrap(), "stopped master@0");
    assert!(stage.living().is_empty());
}

#[tokio::test]
async fn a_second_ctrl_c_ends_everything_at_once() {
    let mut stage = Stage::new();
    for name in ["gate@0", "scene@0", "master@0"] {
        stage = stage.conduct(name, r#"{"stubborn": true, "offspring": true}"#);
    }
    let mut up = stage.up().comes_up().await;
    up.signal(Signal::INT);
    up.says("gate@0 is asked to stop").await;
    let asked = Instant::now();
    up.signal(Signal::INT);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        asked.elapsed().as_secs() < 5,
        "it took {:?}",
        asked.elapsed()
    );
    assert!(
        log.contains("told to stop at once: what is left is killed"),
        "{log}"
    );
    until("everything is gone", || stage.living().is_empty()).await;
}

#[tokio::test]
async fn kill_9_of_up_leaves_no_child_behind() {
    let mut stage = Stage::new();
    for name in ["gate@0", "scene@0", "master@0"] {
        stage = stage.conduct(name, r#"{"stubborn": true}"#);
    }
    let up = stage.up().comes_up().await;
    assert_eq!(up.stage.living().len(), 3);
    up.signal(Signal::KILL);
    let (_, _, stage) = up.ended().await;
    until("every child is gone", || stage.living().is_empty()).await;
}

#[tokio::test]
async fn when_nobody_reads_the_log_the_group_is_taken_down_in_order() {
    let mut up = Stage::new().up().comes_up().await;
    up.close_log();
    // Something has to be written for it to notice.
    let scene = up.stage.pids()[1];
    rustix::process::kill_process(scene, Signal::KILL).unwrap();
    let (status, _, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0));
    let stops = [
        "asked gate@0",
        "stopped gate@0",
        "asked master@0",
        "stopped master@0",
    ];
    assert_eq!(stage.events()[6..], stops);
}
