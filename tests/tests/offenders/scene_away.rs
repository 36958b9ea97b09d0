//! The scene that verifies is not there, or does not answer.

use protocol::client::encode_frame;
use tests::{Signal, eventually};

use crate::{stage::Stage, wire::Raw};

const QUICK: &str = "call_timeout = \"1s\"\nlease = \"1s\"";

/// A client that has said who it is.
async fn asks(stage: &Stage, name: &str) -> Raw {
    let mut client = Raw::connect(stage.tcp()).await;
    let frame = encode_frame(0, 0, name.as_bytes());
    client.send(&frame).await.unwrap();
    client
}

#[tokio::test]
async fn who_asks_while_no_scene_is_there_is_told_so() {
    let mut stage = Stage::with(QUICK).await;
    stage.group.roles().end("scene-host", Signal::KILL).await;
    eventually("the scene is gone", async || {
        let nodes = stage.group.nodes().await?;
        let mut nodes = nodes.iter();
        nodes.all(|node| node.name != "scene@0").then_some(())
    })
    .await;
    let mut clients = Vec::new();
    for n in 0..20 {
        clients.push(("nobody is there", asks(&stage, &format!("early-{n}")).await));
    }
    stage.ends("verify_unavailable", clients).await;
    stage.group.roles().run("scene-host");
    stage.group.is_ready().await;
    eventually("the gate has seen it", async || {
        let mut client = Raw::connect(stage.tcp()).await;
        client.login("alice").await.ok()
    })
    .await;
    stage.is_deserted().await;
}

#[tokio::test]
async fn who_asks_a_scene_that_does_not_answer_is_told_so_in_time() {
    let mut stage = Stage::with("call_timeout = \"1s\"\nlease = \"60s\"").await;
    let scene = |stage: &mut Stage, signal| {
        stage.group.roles().process("scene-host").signal(signal);
    };
    scene(&mut stage, Signal::STOP);
    let begun = std::time::Instant::now();
    let mut clients = Vec::new();
    for n in 0..200 {
        clients.push(("nobody answers", asks(&stage, &format!("early-{n}")).await));
    }
    stage.ends("verify_unavailable", clients).await;
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    stage.has_grown_at_most(16);
    scene(&mut stage, Signal::CONT);
    // What was asked before means nothing any more: nobody is in.
    stage.still_serves().await;
    let mut player = stage.group.player("alice").await;
    eventually("only alice plays", async || {
        let names = player.asks(8, serde_json::Value::Null).await;
        (names == serde_json::json!(["alice"])).then_some(())
    })
    .await;
}
