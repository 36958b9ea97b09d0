//! A scene is told to hand over its sessions.

use tests::{Signal, eventually};

use crate::{stage, traveller::STEADY};

#[tokio::test]
async fn a_draining_scene_hands_its_sessions_over_and_ends() {
    const CLIENTS: usize = 200;
    let mut cluster = stage::two_of_each().await;
    let [from, to] = ["scene@0", "scene@1"].map(|scene| cluster.process(scene).id());
    let crowd = stage::crowd(&cluster, "gate@0", CLIENTS, STEADY).await;
    let output = cluster
        .redrabbit(&["drain", "scene@0", "--to", "scene@1"])
        .await;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    cluster.has_ended("scene@0").await;
    let journals = stage::journals(&cluster);
    assert_eq!(journals.count(from, "leave"), CLIENTS, "{said}");
    assert_eq!(journals.count(from, "offline"), 0);
    eventually("all are there", async || {
        (stage::journals(&cluster).count(to, "enter") == CLIENTS).then_some(())
    })
    .await;
    stage::all_arrive(crowd).await;
    stage::journals(&cluster).are_sound();
    let lost = cluster
        .metric("gate@0", "redrabbit_gate_frames_lost_total")
        .await;
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn a_drain_to_a_scene_that_is_not_there_is_refused_and_moves_nobody() {
    let mut cluster = stage::two_of_each().await;
    cluster.end("scene@1", Signal::TERM).await;
    let scene = cluster.process("scene@0").id();
    let crowd = stage::crowd(&cluster, "gate@0", 10, STEADY).await;
    let output = cluster
        .redrabbit(&["drain", "scene@0", "--to", "scene@1"])
        .await;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("scene@1"), "{said}");
    stage::all_arrive(crowd).await;
    assert_eq!(stage::journals(&cluster).count(scene, "leave"), 0);
}
