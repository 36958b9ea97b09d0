//! Scenes that call each other, and what they know of each other when one dies.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{collections::BTreeSet, fs, time::Duration};

use ffrpc::{Node, Services};
use protocol::CallError;
use serde_json::{Value, json};
use tests::{Cluster, Members, Signal, eventually, within};

const NEIGHBOUR: &str = include_str!("../scripts/neighbour.py");

/// Two scenes, and a node that calls them.
async fn start() -> (Cluster, Node) {
    let cluster = Cluster::start(Members {
        gates: 0,
        scenes: 2,
        slaves: 1,
        script: NEIGHBOUR,
        more: "[limits]\nlease = \"1s\"\n",
    })
    .await;
    let node = cluster.node("caller@0", Services::new()).await;
    (cluster, node)
}

async fn ask(node: &Node, name: &str, cmd: u16, order: Value) -> Result<Value, CallError> {
    let scene = eventually(&format!("{name} is there"), async || {
        node.resolve(&name.parse().unwrap())
    })
    .await;
    let (method, body) = (format!("service.{cmd}"), order.to_string().into());
    let call = node.call_within(scene, method, body, Duration::from_secs(40));
    let answer = within(&format!("{name} answers"), call).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

#[tokio::test]
async fn each_call_of_a_scene_that_is_killed_ends_once_and_the_next_ones_reach_its_successor() {
    let (mut cluster, node) = start().await;
    const CALLS: u64 = 1_000;
    let storm = ask(&node, "scene@0", 4, json!(["scene@1", 2, CALLS]));
    let (ended, ()) = tokio::join!(storm, async {
        eventually("all calls are under way", async || {
            let waiting = ask(&node, "scene@1", 3, Value::Null).await.unwrap();
            (waiting == CALLS).then_some(())
        })
        .await;
        cluster.end("scene@1", Signal::KILL).await;
    });
    assert_eq!(ended.unwrap(), json!({ "unavailable": CALLS }));
    let gone = ask(&node, "scene@0", 5, json!(["scene@1", 1, "ann"])).await;
    assert_eq!(gone.unwrap()[0], "not_found");

    cluster.run("scene@1");
    eventually("the successor answers", async || {
        let order = json!(["scene@1", 1, "ann"]);
        let told = ask(&node, "scene@0", 5, order).await.unwrap();
        (told == json!(["", "hello ann"])).then_some(())
    })
    .await;
    // The directory says what scenes serve, and who carries least.
    let record = node.lookup(&"scene@1".parse().unwrap()).unwrap();
    let services = record.script.clone().unwrap().services;
    assert_eq!(services, (1..=7).collect::<Vec<u32>>());
    let found = ask(&node, "scene@0", 7, json!("scene")).await.unwrap();
    let of = |name: &str| {
        found
            .as_array()
            .unwrap()
            .iter()
            .filter(|n| **n == name)
            .count()
    };
    assert_eq!((of("scene@0"), of("scene@1")), (5, 5), "{found}");
}

#[tokio::test]
async fn ids_are_given_once_in_a_group_also_by_scenes_that_were_killed() {
    let (mut cluster, node) = start().await;
    let mut given = BTreeSet::new();
    let mut last = [0, 0];
    for round in 0..4 {
        for (index, name) in ["scene@0", "scene@1"].into_iter().enumerate() {
            // At first the directory may have the one that was killed.
            let ids = eventually("ids are given", async || {
                ask(&node, name, 6, json!(20_000)).await.ok()
            })
            .await;
            for id in ids.as_array().unwrap() {
                let id = id.as_u64().unwrap();
                assert!(given.insert(id), "{id} was given twice");
                assert!(id > last[index], "{name} gave {id} after {}", last[index]);
                last[index] = id;
            }
        }
        if round < 3 {
            cluster.end("scene@0", Signal::KILL).await;
            cluster.run("scene@0");
        }
    }
    // Its memory is damaged: it says so, and what to do.
    cluster.end("scene@0", Signal::TERM).await;
    let files = cluster.find("scene@0/ids");
    assert_eq!(files.len(), 1, "{files:?}");
    fs::write(&files[0], "\0\0\0").unwrap();
    cluster.run("scene@0");
    eventually("it says what to do", async || {
        let error = ask(&node, "scene@0", 6, json!(1)).await.unwrap_err();
        error
            .message
            .contains("Restore it from a backup")
            .then_some(())
    })
    .await;
}
