//! What `up` does about roles that die.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::{Signal, kill_process};
use support::{Stage, until};

#[tokio::test]
async fn a_death_is_reported_and_nothing_is_started_again() {
    let mut up = Stage::new().up().comes_up().await;
    kill_process(up.stage.pids()[1], Signal::KILL).unwrap();
    up.says("scene@0 died: signal 9 (SIGKILL); it is not started again")
        .await;
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let starts = stage
        .events()
        .iter()
        .filter(|event| event.starts_with("started"))
        .count();
    assert_eq!(starts, 3);
}

#[tokio::test]
async fn with_restart_a_dead_role_is_started_again_and_said_to_be() {
    let mut up = Stage::new().args(&["--restart"]).up().comes_up().await;
    for life in 1..=2 {
        let last = *up.stage.pids().last().unwrap();
        kill_process(last, Signal::KILL).unwrap();
        // It was ready each time, so the wait does not grow.
        up.says("gate@0 died: signal 9 (SIGKILL); it is started again in 1 s")
            .await;
        up.says("gate@0 is ready").await;
        assert_eq!(up.stage.pids().len(), 3 + life);
    }
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stage.living().is_empty());
}

#[tokio::test]
async fn a_role_that_was_drained_has_ended_and_the_others_go_on() {
    let mut up = Stage::new().up().comes_up().await;
    // What it is told by an operator ends like what it is told by a signal.
    kill_process(up.stage.pids()[2], Signal::TERM).unwrap();
    up.says("gate@0 has ended: exit code 0; it is not started again (--restart would)")
        .await;
    assert_eq!(up.stage.living().len(), 2);
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let events = stage.events();
    let starts = events.iter().filter(|event| event.starts_with("started"));
    assert_eq!(starts.count(), 3);
}

#[tokio::test]
async fn with_restart_a_role_that_was_drained_comes_back() {
    let mut up = Stage::new().args(&["--restart"]).up().comes_up().await;
    kill_process(up.stage.pids()[1], Signal::TERM).unwrap();
    up.says("scene@0 has ended: exit code 0; it is started again in 1 s")
        .await;
    up.says("scene@0 is ready").await;
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stage.living().is_empty());
}

#[tokio::test]
async fn with_restart_a_role_that_never_gets_ready_is_tried_ever_more_rarely() {
    let stage = Stage::new().conduct("scene@0", r#"{"exits": 3}"#);
    let mut up = stage.args(&["--restart"]).up();
    up.says("scene@0 died: exit code 3; it is started again in 1 s")
        .await;
    up.says("scene@0 died: exit code 3; it is started again in 2 s")
        .await;
    // It is not too late for it, nor for the others.
    up.stage.write("scene@0.json", "{}");
    let up = up.comes_up().await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_role_at_rest_does_not_hold_up_the_end() {
    let stage = Stage::new().conduct("gate@0", r#"{"exits": 3}"#);
    let mut up = stage.args(&["--restart"]).up();
    up.says("gate@0 died").await;
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stage.living().is_empty());
}

#[tokio::test]
async fn a_role_that_fails_to_start_takes_the_others_down_and_ends_with_1() {
    let stage = Stage::new().conduct(
        "scene@0",
        r#"{"complains": ["no such port\n"], "exits": 3}"#,
    );
    let (status, log, stage) = stage.up().ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("scene@0  | no such port"), "{log}");
    assert!(log.contains("scene@0 died: exit code 3"), "{log}");
    assert!(
        log.contains("group GroupA does not come up: scene@0 has ended"),
        "{log}"
    );
    assert_eq!(stage.events().last().unwrap(), "stopped master@0");
    assert!(!stage.events().contains(&"started gate@0".to_owned()));
}

#[tokio::test]
async fn what_a_restart_cannot_mend_is_not_restarted() {
    let stage = Stage::new().conduct("master@0", r#"{"exits": 78}"#);
    let (status, log, stage) = stage.args(&["--restart"]).up().ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("exit code 78; to start it again would not help"),
        "{log}"
    );
    assert_eq!(stage.events(), ["started master@0"]);
}

#[tokio::test]
async fn when_nothing_is_left_it_ends_with_1() {
    let up = Stage::new().up().comes_up().await;
    for pid in up.stage.pids() {
        kill_process(pid, Signal::KILL).unwrap();
    }
    let (status, log, _) = up.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("nothing is left of group GroupA"), "{log}");
}

#[tokio::test]
async fn what_a_dead_role_had_started_ends_with_it() {
    let stage = Stage::new().conduct("scene@0", r#"{"offspring": true}"#);
    let mut up = stage.up().comes_up().await;
    let (scene, offspring) = (up.stage.pids()[1], up.stage.pids()[2]);
    kill_process(scene, Signal::KILL).unwrap();
    up.says("scene@0 died").await;
    until("the offspring is gone", || {
        !up.stage.living().contains(&offspring)
    })
    .await;
    up.signal(Signal::TERM);
    up.ended().await;
}
