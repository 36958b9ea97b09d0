//! `up` of a bridge's file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::{Signal, kill_process};
use support::Stage;

#[tokio::test]
async fn the_bridges_of_this_machine_start_one_after_the_other_and_stop_when_asked() {
    let mut up = Stage::new().of_bridges().up();
    let line = up.says("is up").await;
    let said = "bridge between GroupA and GroupB is up: \
                GroupA at 127.0.0.1:10241, GroupB at 127.0.0.1:11241";
    assert!(line.ends_with(said), "{line}");
    let starts = [
        "started bridge@0",
        "ready bridge@0",
        "started bridge@1",
        "ready bridge@1",
    ];
    assert_eq!(up.stage.events(), starts);

    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stage.living().is_empty());
    let last = log.trim_end().lines().last().unwrap();
    assert!(
        last.ends_with("bridge between GroupA and GroupB is down"),
        "{log}"
    );
}

#[tokio::test]
async fn a_bridge_that_dies_is_started_again_where_that_is_asked_for() {
    let mut up = Stage::new().of_bridges().args(&["--restart"]).up();
    up.says("is up").await;
    kill_process(up.stage.pids()[1], Signal::KILL).unwrap();
    up.says("bridge@1 died: signal 9 (SIGKILL); it is started again in 1 s")
        .await;
    up.says("bridge@1 is ready").await;
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stage.living().is_empty());
}

#[tokio::test]
async fn a_bridge_is_told_its_file_and_its_name() {
    let stage = Stage::new().of_bridges();
    let stage = stage.conduct("bridge@0", r#"{"tells_arguments": true}"#);
    let set = "groups.GroupB.master=127.0.0.1:12241";
    let mut up = stage.args(&["--set", set]).up();
    let told = up.says("arguments").await;
    for part in [
        "topology.toml'",
        "'--name', 'bridge@0'",
        &format!("'--set', '{set}'"),
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let line = up.says("is up").await;
    assert!(line.ends_with("GroupB at 127.0.0.1:12241"), "{line}");
    up.signal(Signal::TERM);
    up.ended().await;
}

#[tokio::test]
async fn a_script_is_for_a_groups_file() {
    let stage = Stage::new().of_bridges();
    stage.write("main.py", "");
    let script = stage.path("main.py").display().to_string();
    let (status, log, stage) = stage.args(&["--script", &script]).up().ended().await;
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(stage.events().is_empty());
}
