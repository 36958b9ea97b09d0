//! The three SDKs, through a network that breaks, at a gate of real processes: nothing is
//! lost, nothing comes twice, and the script notices nothing.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use client::{ClientError, Event, Session};
use serde_json::Value;
use tests::{Cluster, ECHO, Members, Seed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::Command,
    time::timeout,
};

/// Numbers that each client sends and hears.
const MESSAGES: u32 = 2_000;

/// No client takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

async fn cluster() -> Cluster {
    let members = Members {
        gates: 1,
        scenes: 1,
        slaves: 1,
        script: ECHO,
        // They are to be fast.
        more: "[limits]\nframes_per_second = 100000\nframe_burst = 100000\n",
    };
    Cluster::start(members).await
}

/// A network to this gate, of which every connection breaks after some thousand bytes.
async fn network(gate: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut seed = Seed::new();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let bytes = 200 + seed.below(4_000) as usize;
            tokio::spawn(async move {
                let gate = TcpStream::connect(gate).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_gate, to_gate) = gate.into_split();
                tokio::select! {
                    () = carry(from_client, to_gate, bytes) => {}
                    () = carry(from_gate, to_client, bytes) => {}
                }
            });
        }
    });
    address
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut bytes: usize) {
    let mut buffer = [0; 512];
    while bytes > 0 {
        let most = bytes.min(buffer.len());
        let Ok(read @ 1..) = from.read(&mut buffer[..most]).await else {
            return;
        };
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        bytes -= read;
    }
}

fn websocket(cluster: &Cluster) -> SocketAddr {
    let url = cluster.websocket("gate@0");
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    address.parse().unwrap()
}

/// Where the SDKs are.
fn sdk(file: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    crates.join("crates/client").join(file)
}

/// Runs a program that talks to the gate through such a network, over TCP and WebSocket.
async fn talks(program: &mut dyn FnMut() -> Command) {
    let cluster = cluster().await;
    for (scheme, gate) in [("tcp", cluster.tcp("gate@0")), ("ws", websocket(&cluster))] {
        let address = network(gate).await;
        let mut command = program();
        command
            .arg(format!("{scheme}://{address}"))
            .args([scheme, &MESSAGES.to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{scheme}: {output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        println!("{scheme}: {said}");
        assert!(said["losses"].as_u64().unwrap() > 3, "{scheme}: {said}");
    }
    let resumed = cluster
        .metric("gate@0", "redrabbit_gate_resumes_total")
        .await;
    assert!(resumed > 6, "{resumed}");
}

#[tokio::test]
async fn rust_talks_through_a_network_that_breaks() {
    let cluster = cluster().await;
    for (scheme, gate) in [("tcp", cluster.tcp("gate@0")), ("ws", websocket(&cluster))] {
        let address = format!("{scheme}://{}", network(gate).await);
        let losses = timeout(PATIENCE, talk(&address, scheme)).await.unwrap();
        println!("{scheme}: {losses} losses");
        assert!(losses > 3, "{scheme}: {losses}");
    }
}

async fn talk(address: &str, key: &str) -> u32 {
    let mut session = loop {
        match Session::login(address, key).await {
            Ok(session) => break session,
            Err(ClientError::Refused { reason }) => panic!("{reason}"),
            // It was cut before it was answered.
            Err(_) => {}
        }
    };
    let (mut sent, mut heard, mut losses) = (0, 0, 0);
    while heard < MESSAGES {
        // Some are under way at any time.
        while sent < MESSAGES && sent < heard + 100 {
            sent += 1;
            let body = sent.to_string();
            session.send(1, body.as_bytes()).await.unwrap();
        }
        match session.recv().await.unwrap() {
            Event::Message(frame) => {
                heard += 1;
                assert_eq!(frame.body, heard.to_string());
            }
            Event::Away => losses += 1,
            Event::Back => {}
            other => panic!("{other:?}"),
        }
    }
    session.close().await.unwrap();
    losses
}

#[tokio::test]
async fn typescript_talks_through_a_network_that_breaks() {
    talks(&mut || {
        let mut node = Command::new("node");
        node.arg(sdk("typescript/test/talk.mjs"));
        node
    })
    .await;
}

#[tokio::test]
async fn python_talks_through_a_network_that_breaks() {
    talks(&mut || {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
        let mut python = Command::new(python);
        python.arg("-B").arg(sdk("python/tests/talk.py"));
        python
    })
    .await;
}
