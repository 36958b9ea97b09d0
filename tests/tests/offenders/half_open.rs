//! Clients that vanish: no packet of theirs comes any more, not even the last
//! one.

use serde_json::json;
use tests::{in_own_network, vanish};

use crate::{stage::Stage, wire::Raw};

/// Nothing of this client reaches the gate any more, and nothing reaches it.
fn vanishes(client: &Raw) {
    vanish(client.socket.local_addr().unwrap().port());
}

#[tokio::test]
async fn who_vanishes_ends_when_it_has_been_silent_for_too_long() {
    let name = "half_open::who_vanishes_ends_when_it_has_been_silent_for_too_long";
    if !in_own_network(name) {
        return;
    }
    let stage = Stage::with("idle_timeout = \"1s\"\nverify_timeout = \"1s\"").await;
    let mut gone = Vec::new();
    for n in 0..20 {
        gone.push(stage.tcp_client(&format!("mole-{n}")).await);
        gone.push(stage.websocket_client(&format!("rat-{n}")).await);
        gone.push(Raw::connect(stage.tcp()).await);
    }
    gone.iter().for_each(vanishes);
    drop(gone);
    stage.has_closed("idle", 40).await;
    stage.has_closed("verify_timeout", 20).await;
    stage.is_deserted().await;
    stage.has_grown_at_most(16);
    // The script has seen all of them go.
    let mut player = stage.group.player("alice").await;
    tests::eventually("only alice plays", async || {
        let names = player.asks(8, serde_json::Value::Null).await;
        (names == json!(["alice"])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_vanishes_while_it_is_sent_to_is_a_slow_consumer() {
    let name = "half_open::who_vanishes_while_it_is_sent_to_is_a_slow_consumer";
    if !in_own_network(name) {
        return;
    }
    let stage = Stage::with("").await;
    let mut gone = Vec::new();
    for n in 0..20 {
        gone.push(stage.tcp_client(&format!("mole-{n}")).await);
    }
    let mut loud = stage.group.player("alice").await;
    gone.iter().for_each(vanishes);
    drop(gone);
    let text = "x".repeat(60_000);
    let mut rounds = 0;
    while stage.closed("slow_consumer").await < 20 {
        loud.send(2, json!([text])).await;
        loud.hears(2).await;
        rounds += 1;
        assert!(rounds < 1000, "nobody is too slow");
    }
    println!("{rounds} broadcasts");
    stage.has_closed("slow_consumer", 20).await;
    stage.has_grown_at_most(32);
    assert!(loud.try_echo().await);
}
