//! Every node says how it does, and whoever watches the group sees it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::collections::BTreeMap;

use client::Client;
use protocol::v1::{
    FaultLevel, Role, WatchRequest, WatchResponse, WatchedNode, registry_client::RegistryClient,
};
use serde_json::json;
use tests::{ARCADE, Cluster, Members, Player, eventually, within};
use tonic::Streaming;

const GROUP: Members<'static> = Members {
    gates: 1,
    scenes: 1,
    slaves: 1,
    script: ARCADE,
    more: "",
};

async fn watch(cluster: &Cluster) -> Streaming<WatchResponse> {
    let master = format!("http://{}", cluster.master());
    let mut registry = RegistryClient::connect(master).await.unwrap();
    let secret = String::new();
    let states = registry.watch(WatchRequest { secret }).await;
    states.unwrap().into_inner()
}

/// By name, once `wanted` is so.
async fn seen(
    what: &str,
    states: &mut Streaming<WatchResponse>,
    wanted: impl Fn(&BTreeMap<String, WatchedNode>) -> bool,
) -> (WatchResponse, BTreeMap<String, WatchedNode>) {
    eventually(what, async || {
        let state = within(what, states.message()).await.unwrap().unwrap();
        let nodes = state.nodes.iter().cloned();
        let nodes = nodes.map(|node| (node.name.clone(), node)).collect();
        wanted(&nodes).then_some((state, nodes))
    })
    .await
}

#[tokio::test]
async fn who_watches_sees_what_every_node_takes_carries_and_has_warned_of() {
    let cluster = Cluster::start(GROUP).await;
    let mut states = watch(&cluster).await;
    let client = Client::connect_tcp(cluster.tcp("gate@0")).await.unwrap();
    let mut alice = Player::login(client, "alice").await.unwrap();
    for number in 0..100 {
        alice.send(1, json!(number)).await;
        alice.until(|value| *value == json!(number)).await;
    }
    // The script fails at it, and says so.
    let mut boom = Client::connect_tcp(cluster.tcp("gate@0")).await.unwrap();
    assert!(boom.login("boom").await.is_err());

    let everything = |nodes: &BTreeMap<String, WatchedNode>| {
        nodes.len() == 4
            && nodes.values().all(|node| {
                let vitals = node.vitals.as_ref();
                vitals.is_some_and(|vitals| vitals.memory_bytes > Some(100_000))
                    && node.rates.as_ref().is_some_and(|rates| rates.cpu.is_some())
            })
            && nodes["scene@0"]
                .vitals
                .as_ref()
                .is_some_and(|vitals| vitals.messages_in > 100 && !vitals.faults.is_empty())
            && nodes["gate@0"]
                .vitals
                .as_ref()
                .is_some_and(|vitals| vitals.sessions == Some(1))
    };
    let (state, nodes) = seen("all say how they do", &mut states, everything).await;

    let vitals = |name: &str| nodes[name].vitals.clone().unwrap();
    let (gate, scene) = (vitals("gate@0"), vitals("scene@0"));
    assert!(
        gate.messages_out > 100 && gate.bytes_out > 1_000,
        "{gate:?}"
    );
    assert!(
        scene.messages_out > 100 && scene.bytes_in > 1_000,
        "{scene:?}"
    );
    assert!(gate.up_ms > 0 && gate.started_ms > 1_700_000_000_000);
    assert_eq!(vitals("slave@0").sessions, None);
    let forwarded = vitals("master@0").messages_in + vitals("slave@0").messages_in;
    assert!(forwarded > 200, "{forwarded} forwarded");

    let fault = scene.faults.last().unwrap();
    assert_eq!(fault.level(), FaultLevel::Error, "{fault:?}");
    assert!(
        fault.text.contains("verification fails on purpose"),
        "{fault:?}"
    );
    assert!(fault.at_ms >= scene.started_ms);

    let slave = nodes.values().find(|node| node.role() == Role::Slave);
    let slave = slave.unwrap().node_id;
    let mut linked: Vec<u64> = state.links.iter().map(|link| link.node_id).collect();
    linked.sort_unstable();
    linked.dedup();
    assert!(state.links.iter().any(|link| link.broker_id == slave));
    assert_eq!(linked.len(), 2, "{:?}", state.links);
}

#[tokio::test]
async fn who_restarts_a_node_sees_it_begin_anew() {
    let mut cluster = Cluster::start(GROUP).await;
    let mut states = watch(&cluster).await;
    let has_vitals = |nodes: &BTreeMap<String, WatchedNode>| {
        nodes
            .get("gate@0")
            .is_some_and(|node| node.vitals.is_some())
    };
    let (_, nodes) = seen("the gate says how it does", &mut states, has_vitals).await;
    let before = nodes["gate@0"].vitals.clone().unwrap();
    cluster.end("gate@0", tests::Signal::KILL).await;
    cluster.run("gate@0");
    let (_, nodes) = seen("the new gate says how it does", &mut states, |nodes| {
        let gate = nodes.get("gate@0").and_then(|gate| gate.vitals.as_ref());
        gate.is_some_and(|gate| gate.started_ms > before.started_ms)
    })
    .await;
    let after = nodes["gate@0"].vitals.clone().unwrap();
    assert!(after.up_ms < before.up_ms + 60_000, "{after:?}");
}
