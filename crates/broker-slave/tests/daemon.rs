//! The daemon as a process.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use broker_master::{Master, MasterConfig};
use protocol::Secret;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_in_its_group_and_drains_on_sigterm() {
    let master = master().await;
    let (_folder, mut child) = slave(master.address());
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
    assert!(start.contains("listening for nodes"), "{start}");
    assert!(end.contains("draining") && end.contains("drained"), "{end}");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{start}\n{end}");
    master.shutdown().await;
}

async fn master() -> Master {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = MasterConfig {
        tls: None,
        name: "master@0".parse().unwrap(),
        group: "GroupA".parse().unwrap(),
        secret: Secret::default(),
        lease: Duration::from_secs(3),
        outbox_bytes: 8 << 20,
        build: "test".into(),
        epoch_file: None,
        exports: Default::default(),
    };
    Master::start(config, listener).unwrap()
}

fn slave(master: SocketAddr) -> (TempDir, Child) {
    let folder = tempfile::tempdir().unwrap();
    let topology = folder.path().join("topology.toml");
    let text = format!(
        "group = \"GroupA\"\n[master]\nlisten = \"{master}\"\n\
         [slaves.\"slave@0\"]\nlisten = \"127.0.0.1:0\"\n"
    );
    std::fs::write(&topology, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_broker-slave"))
        .arg("--topology")
        .arg(&topology)
        .args(["--name", "slave@0"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (folder, child)
}
