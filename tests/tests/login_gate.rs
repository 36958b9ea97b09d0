//! Login gates, over real processes: clients are spread over the gates, wherever they are
//! sent they are who they were, and nobody waits for a gate that is not there.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use client::{Client, ClientError, Redirect, Session};
use tests::{
    Certificate, Cluster, ECHO, Members, Place, Player, Signal, eventually, own_address, within,
};
use tokio::task::JoinSet;

/// The gate that clients log in at.
const LOGIN: &str = "gate@9";

/// Clients that log in, and how many do so at the same time.
const CLIENTS: usize = 10_000;
const AT_ONCE: usize = 64;

/// How much the fullest gate may have above the emptiest, of all.
const SPREAD: f64 = 0.05;

/// A script that sends a client to the gate that it asks for: `ann>gate@1`.
const NAMES: &str = r#"
import ffext

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    name, _, gate = session_key.partition(">")
    return [name, {"by": gate_name}, gate or None]

@ffext.session_enter_callback
def enter(session_id, from_scene, extra_data):
    ffext.send_msg_session(session_id, 1, b"entered")

@ffext.session_offline_callback
def offline(session_id, online_time):
    print("offline", session_id)
"#;

/// Game gates and a login gate.
async fn cluster(gates: u16, script: &str, more: &str) -> Cluster {
    let (address, port) = (own_address(), 10_400 + 9);
    let more = format!(
        "[gates.\"{LOGIN}\"]\nmode = \"login\"\ntcp = \"{address}:{port}\"\n\
         http = \"{address}:{}\"\n{more}",
        port + 1000
    );
    let members = Members {
        gates,
        scenes: 1,
        slaves: 1,
        script,
        more: &more,
    };
    let mut cluster = Cluster::launch(Place::default(), members);
    cluster.run(LOGIN);
    cluster.is_ready().await;
    if gates > 0 {
        is_ready(&cluster, LOGIN).await;
    }
    cluster
}

/// Waits until a gate says that clients can be let in there.
async fn is_ready(cluster: &Cluster, gate: &str) {
    eventually(&format!("{gate} takes clients"), async || {
        (cluster.readiness(gate).await == "ready").then_some(())
    })
    .await;
}

/// Logs in, and goes where it is sent.
async fn come(cluster: &Cluster, key: &str) -> (Client, Redirect) {
    let redirect = sent(cluster, key).await;
    let mut client = Client::connect(&redirect.address.parse().unwrap())
        .await
        .unwrap();
    client.redeem(&redirect.ticket).await.unwrap();
    (client, redirect)
}

async fn sent(cluster: &Cluster, key: &str) -> Redirect {
    let mut client = Client::connect_tcp(cluster.tcp(LOGIN)).await.unwrap();
    match client.login(key).await {
        Err(ClientError::Redirected(redirect)) => *redirect,
        other => panic!("{key}: {other:?}"),
    }
}

async fn refusal(cluster: &Cluster, key: &str) -> String {
    let mut client = Client::connect_tcp(cluster.tcp(LOGIN)).await.unwrap();
    match within("an answer", client.login(key)).await {
        Err(ClientError::Refused { reason }) => reason,
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_logins_are_spread_evenly_over_three_gates() {
    let cluster = std::sync::Arc::new(cluster(3, ECHO, "").await);
    let begun = Instant::now();
    let mut logins = JoinSet::new();
    let mut gates = BTreeMap::<String, usize>::new();
    let mut clients = Vec::with_capacity(CLIENTS);
    for number in 0..CLIENTS {
        if logins.len() == AT_ONCE {
            clients.push(logins.join_next().await.unwrap().unwrap());
        }
        let cluster = cluster.clone();
        logins.spawn(async move { come(&cluster, &format!("player-{number}")).await });
    }
    clients.extend(logins.join_all().await);
    for (_, redirect) in &clients {
        *gates.entry(redirect.address.clone()).or_default() += 1;
    }
    println!("{gates:?} in {:?}", begun.elapsed());
    assert_eq!(gates.len(), 3, "{gates:?}");
    let (most, least) = (gates.values().max().unwrap(), gates.values().min().unwrap());
    let spread = (most - least) as f64 / (CLIENTS as f64 / 3.0);
    assert!(spread < SPREAD, "{spread:.3}: {gates:?}");
    // And they are there, not only sent.
    let mut held = 0;
    for index in 0..3 {
        let gate = format!("gate@{index}");
        held += cluster.metric(&gate, "redrabbit_gate_sessions").await;
    }
    assert_eq!(held, CLIENTS as u64);
}

#[tokio::test]
async fn bots_come_by_the_login_gate_through_tls() {
    let address = own_address();
    let certificate = Certificate::of(&[address.into()]);
    let lines = certificate.lines();
    let more = format!(
        "{lines}[gates.\"gate@1\"]\ntcp = \"{address}:10401\"\nhttp = \"{address}:11401\"\n{lines}"
    );
    let mut cluster = cluster(0, ECHO, &more).await;
    cluster.run("gate@1");
    is_ready(&cluster, LOGIN).await;
    let authority = certificate.authority();
    let mut arguments = ["bots", "--count", "50", "--cmd", "1", "--duration", "1s"].to_vec();
    arguments.extend(["--json", "--ca", authority.to_str().unwrap()]);
    let output = cluster.redrabbit(&arguments).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["logins"], 50, "{said}");
    assert_eq!(report["gates"][0], format!("tls://{}", cluster.tcp(LOGIN)));
    // Who believes other authorities does not get in.
    let output = cluster.redrabbit(&arguments[..7]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("certificate"), "{output:?}");
}

#[tokio::test]
async fn script_names_the_gate_and_one_that_is_not_there_is_told() {
    let cluster = cluster(2, NAMES, "").await;
    for gate in ["gate@1", "gate@0", "gate@1"] {
        let (client, redirect) = come(&cluster, &format!("ann>{gate}")).await;
        assert_eq!(redirect.address, format!("tcp://{}", cluster.tcp(gate)));
        assert_eq!(redirect.reply, "{\"by\":\"gate@9\"}");
        // The one before is replaced, wherever it was.
        let mut ann = Player::of(client, "ann");
        assert_eq!(ann.frame().await.unwrap().body, "entered");
    }
    assert_eq!(refusal(&cluster, "ann>gate@7").await, "no_gate");
    assert_eq!(refusal(&cluster, "ann>gate@9").await, "no_gate");
    // A gate that holds sessions sends on as well.
    let direct = cluster.tcp("gate@0");
    let address = format!("tcp://{direct}");
    let session = within("ann is in", Session::login(&address, "ann>gate@1")).await;
    let session = session.unwrap();
    assert_eq!(
        session.gate().url(),
        format!("tcp://{}", cluster.tcp("gate@1"))
    );
    session.close().await.unwrap();
}

#[tokio::test]
async fn gate_that_is_killed_is_not_sent_to_and_its_players_come_back_elsewhere() {
    let mut cluster = cluster(2, NAMES, "").await;
    let (mut ann, _) = come(&cluster, "ann>gate@0").await;
    assert_eq!(
        within("ann enters", ann.recv()).await.unwrap().body,
        "entered"
    );
    cluster.end("gate@0", Signal::KILL).await;
    assert!(within("ann is cut off", ann.recv()).await.is_err());
    // She is let in again as soon as the group knows that the gate is gone.
    let deadline = Instant::now() + tests::DEADLINE;
    let redirect = loop {
        let mut client = Client::connect_tcp(cluster.tcp(LOGIN)).await.unwrap();
        match client.login("ann").await {
            Err(ClientError::Redirected(redirect)) => break redirect,
            Err(ClientError::Refused { reason }) if Instant::now() < deadline => {
                println!("not yet: {reason}");
            }
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(redirect.address, format!("tcp://{}", cluster.tcp("gate@1")));
    let mut ann = Client::connect_tcp(cluster.tcp("gate@1")).await.unwrap();
    ann.redeem(&redirect.ticket).await.unwrap();
    assert_eq!(
        within("ann enters", ann.recv()).await.unwrap().body,
        "entered"
    );
}

#[tokio::test]
async fn gates_say_truthfully_whether_clients_can_be_let_in() {
    let mut cluster = cluster(1, ECHO, "[limits]\nsessions_per_gate = 2\n").await;
    is_ready(&cluster, "gate@0").await;
    let first = come(&cluster, "ann").await;
    let _second = come(&cluster, "bob").await;
    let says = async |cluster: &Cluster, gate: &str, why: &str| {
        eventually(&format!("{gate} says: {why}"), async || {
            (cluster.readiness(gate).await == why).then_some(())
        })
        .await;
    };
    says(&cluster, "gate@0", "full").await;
    says(&cluster, LOGIN, "there is no gate to send clients to").await;
    assert_eq!(refusal(&cluster, "carol").await, "no_gate");
    drop(first);
    is_ready(&cluster, "gate@0").await;
    is_ready(&cluster, LOGIN).await;
    cluster.end("scene@0", Signal::KILL).await;
    let nobody = "the scene that verifies clients is not in the group";
    says(&cluster, "gate@0", nobody).await;
    says(&cluster, LOGIN, nobody).await;
    cluster.run("scene@0");
    is_ready(&cluster, LOGIN).await;
    cluster.end("gate@0", Signal::KILL).await;
    says(&cluster, LOGIN, "there is no gate to send clients to").await;
}
