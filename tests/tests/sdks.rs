//! The three SDKs, through a network that breaks, at a gate of real processes: nothing is
//! lost, nothing comes twice, and the script notices nothing.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use client::{Address, ClientError, Event, Session};
use serde_json::Value;
use tests::{Certificate, Cluster, ECHO, Members, Place, Seed, eventually, own_address};
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

/// As many through TLS, where each takes more bytes, and so does each connection.
const MESSAGES_OF_TLS: u32 = 800;

/// As many, and of so many bytes, where they are compressed.
const WIDE_MESSAGES: u32 = 200;
const WIDTH: usize = 2_000;

/// No client takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

const FAST: &str = "[limits]\nframes_per_second = 100000\nframe_burst = 100000\n";

async fn cluster() -> Cluster {
    let members = Members {
        gates: 1,
        scenes: 1,
        slaves: 1,
        script: ECHO,
        // They are to be fast.
        more: FAST,
    };
    Cluster::start(members).await
}

/// As many bytes come through at least before a connection breaks: a login, and a handshake.
const LEAST: usize = 200;
const LEAST_OF_TLS: usize = 4_000;

/// A network to this gate, of which every connection breaks after some thousand bytes.
async fn network(gate: SocketAddr, least: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut seed = Seed::new();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let bytes = least + seed.below(4_000) as usize;
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
async fn talks(program: fn() -> Command) {
    let cluster = cluster().await;
    for (scheme, gate) in [("tcp", cluster.tcp("gate@0")), ("ws", websocket(&cluster))] {
        let address = network(gate, LEAST).await;
        let mut command = program();
        command
            .arg(format!("{scheme}://{address}"))
            .args([scheme, &MESSAGES.to_string()]);
        let losses = losses_of(command).await;
        assert!(losses > 3, "{scheme}: {losses}");
    }
    let resumed = cluster
        .metric("gate@0", "redrabbit_gate_resumes_total")
        .await;
    assert!(resumed > 6, "{resumed}");
}

/// A login gate, and a game gate that clients reach only through such a network: where they
/// log in, over TLS if they have a certificate.
async fn behind_a_login_gate(
    certificate: Option<&Certificate>,
) -> (Cluster, [(&'static str, String); 2]) {
    let (bytes, messages, least) = match certificate {
        Some(_) => ("tls", "wss", LEAST_OF_TLS),
        None => ("tcp", "ws", LEAST),
    };
    let lines = certificate.map(Certificate::lines).unwrap_or_default();
    let address = own_address();
    let port = |port: u16| SocketAddr::from((address, port));
    let (tcp, websocket) = (port(10400), port(12400));
    let more = format!(
        "[gates.\"gate@0\"]\ntcp = \"{tcp}\"\nwebsocket = \"{websocket}\"\n\
         advertise_tcp = \"{bytes}://{}\"\nadvertise_websocket = \"{messages}://{}\"\nhttp = \"{}\"\n{lines}\
         [gates.\"gate@1\"]\nmode = \"login\"\ntcp = \"{}\"\nwebsocket = \"{}\"\nhttp = \"{}\"\n{lines}{FAST}",
        network(tcp, least).await,
        network(websocket, least).await,
        port(11400),
        port(10401),
        port(12401),
        port(11401),
    );
    let mut cluster = Cluster::launch(
        Place::default(),
        Members {
            gates: 0,
            scenes: 1,
            slaves: 1,
            script: ECHO,
            more: &more,
        },
    );
    cluster.run("gate@0");
    cluster.run("gate@1");
    cluster.is_ready().await;
    eventually("the login gate takes clients", async || {
        (cluster.readiness("gate@1").await == "ready").then_some(())
    })
    .await;
    let addresses = [
        (bytes, format!("{bytes}://{}", port(10401))),
        (messages, format!("{messages}://{}", port(12401))),
    ];
    (cluster, addresses)
}

#[tokio::test]
async fn each_goes_on_where_a_login_gate_sends_it() {
    let (cluster, addresses) = behind_a_login_gate(None).await;
    each_goes_on(&cluster, &addresses, None).await;
}

#[tokio::test]
async fn each_goes_on_through_tls_where_a_login_gate_sends_it() {
    let certificate = Certificate::of(&[own_address().into(), Ipv4Addr::LOCALHOST.into()]);
    let (cluster, addresses) = behind_a_login_gate(Some(&certificate)).await;
    each_goes_on(&cluster, &addresses, Some(&certificate)).await;
}

async fn each_goes_on(
    cluster: &Cluster,
    addresses: &[(&'static str, String)],
    certificate: Option<&Certificate>,
) {
    let trust = certificate.map(Certificate::trust).unwrap_or_default();
    let (messages, least) = match certificate {
        Some(_) => (MESSAGES_OF_TLS, 1),
        None => (MESSAGES, 4),
    };
    for (scheme, address) in addresses {
        let begin = async || {
            let address = address.parse::<Address>()?.trusting(trust.clone());
            Session::login_at(address, scheme).await
        };
        let talking = talk_by(begin, messages, 0);
        let losses = timeout(PATIENCE, talking).await.unwrap();
        assert!(u64::from(losses) >= least, "rust, {scheme}: {losses}");
        for (sdk, mut program) in [("typescript", typescript()), ("python", python())] {
            program.arg(address).args([*scheme, &messages.to_string()]);
            if let Some(certificate) = certificate {
                // As the system believes them: each has a variable of its own for that.
                for variable in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
                    program.env(variable, certificate.authority());
                }
            }
            let losses = losses_of(program).await;
            assert!(losses >= least, "{sdk}, {scheme}: {losses}");
        }
    }
    let used = cluster
        .metric("gate@0", "redrabbit_gate_tickets_total{outcome=\"used\"}")
        .await;
    // A login may be cut, and tried again.
    assert!(used >= 6, "{used}");
}

#[tokio::test]
async fn each_reads_what_the_gate_has_compressed() {
    let cluster = cluster().await;
    for (scheme, gate) in [("tcp", cluster.tcp("gate@0")), ("ws", websocket(&cluster))] {
        let address = format!("{scheme}://{}", network(gate, LEAST).await);
        let begin = async || Session::login_compressed(address.parse()?, scheme).await;
        let losses = timeout(PATIENCE, talk_by(begin, WIDE_MESSAGES, WIDTH))
            .await
            .unwrap();
        assert!(losses > 1, "rust, {scheme}: {losses}");
        for (sdk, mut program) in [("typescript", typescript()), ("python", python())] {
            let numbers = [WIDE_MESSAGES, WIDTH as u32].map(|number| number.to_string());
            program.arg(&address).arg(scheme).args(numbers);
            let losses = losses_of(program).await;
            assert!(losses > 1, "{sdk}, {scheme}: {losses}");
        }
    }
    let compressed = "redrabbit_gate_compressed_bytes_total{side=";
    let [before, after] = [
        cluster
            .metric("gate@0", &format!("{compressed}\"before\"}}"))
            .await,
        cluster
            .metric("gate@0", &format!("{compressed}\"after\"}}"))
            .await,
    ];
    // Everything that was echoed to the six, who all could read it.
    assert!(
        before >= 6 * u64::from(WIDE_MESSAGES) * WIDTH as u64,
        "{before}"
    );
    assert!(after * 10 < before, "{after} of {before}");
}

#[tokio::test]
async fn rust_talks_through_a_network_that_breaks() {
    let cluster = cluster().await;
    for (scheme, gate) in [("tcp", cluster.tcp("gate@0")), ("ws", websocket(&cluster))] {
        let address = format!("{scheme}://{}", network(gate, LEAST).await);
        let losses = timeout(PATIENCE, talk(&address, scheme)).await.unwrap();
        println!("{scheme}: {losses} losses");
        assert!(losses > 3, "{scheme}: {losses}");
    }
}

async fn talk(address: &str, key: &str) -> u32 {
    talk_by(async || Session::login(address, key).await, MESSAGES, 0).await
}

/// As the programs do: numbers of so many bytes, to a session that begins so.
async fn talk_by(
    begin: impl AsyncFn() -> Result<Session, ClientError>,
    messages: u32,
    width: usize,
) -> u32 {
    let body = |number: u32| format!("{number:<width$}");
    let mut session = loop {
        match begin().await {
            Ok(session) => break session,
            Err(ClientError::Refused { reason }) => panic!("{reason}"),
            // It was cut before it was answered.
            Err(_) => {}
        }
    };
    let (mut sent, mut heard, mut losses) = (0, 0, 0);
    while heard < messages {
        // Some are under way at any time.
        while sent < messages && sent < heard + 100 {
            sent += 1;
            session.send(1, body(sent).as_bytes()).await.unwrap();
        }
        match session.recv().await.unwrap() {
            Event::Message(frame) => {
                heard += 1;
                assert_eq!(frame.body, body(heard));
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
    talks(typescript).await;
}

#[tokio::test]
async fn python_talks_through_a_network_that_breaks() {
    talks(python).await;
}

/// A program that talks to a gate.
fn typescript() -> Command {
    let mut node = Command::new("node");
    node.arg(sdk("typescript/test/talk.mjs"));
    node
}

fn python() -> Command {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let mut python = Command::new(python);
    python.arg("-B").arg(sdk("python/tests/talk.py"));
    python
}

/// Runs such a program to its end; says how often it has lost the connection.
async fn losses_of(mut program: Command) -> u64 {
    program.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, program.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{said}");
    said["losses"].as_u64().unwrap()
}
