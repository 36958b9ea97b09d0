//! The daemon as a process.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use broker_master::{Master, MasterConfig};
use protocol::{Secret, v1::Exports};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_in_its_groups_and_drains_on_sigterm() {
    let (a, b) = (master("GroupA").await, master("GroupB").await);
    let (_folder, mut child) = bridge(&[("GroupA", &a), ("GroupB", &b)]);
    let stderr = child.stderr.take().unwrap();
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
        let log: Vec<String> = lines
            .by_ref()
            .take_while(|line| !line.contains(" ready"))
            .collect();
        kill_process(pid, Signal::TERM).unwrap();
        (log.join("\n"), lines.collect::<Vec<_>>().join("\n"))
    });
    let (start, end) = tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(start.matches("group reachable").count(), 2, "{start}");
    assert!(!end.contains("unreachable"), "{end}");
    assert!(end.contains("draining") && end.contains("drained"), "{end}");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{start}\n{end}");
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_refused_join_names_the_group_and_not_the_secret() {
    let a = master("GroupA").await;
    let b = guarded_master("GroupB", Secret::new("of GroupB")).await;
    let (_folder, mut child) = bridge(&[("GroupA", &a), ("GroupB", &b)]);
    let stderr = child.stderr.take().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
        lines.find(|line| line.contains("refuses this node"))
    });
    let line = tokio::time::timeout(Duration::from_secs(20), reading).await;
    // Before anything may fail, so that no daemon is left behind.
    child.kill().unwrap();
    child.wait().unwrap();
    let line = line.unwrap().unwrap().unwrap();
    assert_eq!(line.matches("GroupB").count(), 1, "{line}");
    assert!(!line.contains("GroupA"), "{line}");
    assert!(!line.contains("of GroupB"), "{line}");
    a.shutdown().await;
    b.shutdown().await;
}

async fn master(group: &str) -> Master {
    guarded_master(group, Secret::default()).await
}

async fn guarded_master(group: &str, secret: Secret) -> Master {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = MasterConfig {
        tls: None,
        name: "master@0".parse().unwrap(),
        group: group.parse().unwrap(),
        secret,
        lease: Duration::from_secs(3),
        outbox_bytes: 8 << 20,
        build: "test".into(),
        epoch_file: None,
        exports: Exports::default(),
    };
    Master::start(config, listener).unwrap()
}

fn bridge(groups: &[(&str, &Master)]) -> (TempDir, Child) {
    let folder = tempfile::tempdir().unwrap();
    let topology = folder.path().join("bridge.toml");
    let groups = groups.iter().map(|(name, master)| {
        let master = master.address();
        format!("[[groups]]\nname = \"{name}\"\nmaster = \"{master}\"\n")
    });
    let text = format!("[bridges.\"bridge@0\"]\n{}", groups.collect::<String>());
    std::fs::write(&topology, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_bridge"))
        .arg("--topology")
        .arg(&topology)
        .args(["--name", "bridge@0"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (folder, child)
}
