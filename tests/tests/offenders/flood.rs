//! Very many connections.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use tests::eventually;

use crate::{stage::Stage, wire::Raw};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_connects_and_resets_a_second_harm_nobody() {
    const FOR: Duration = Duration::from_secs(3);
    let stage = Stage::with("").await;
    let mut player = stage.group.player("alice").await;
    let files = stage.open_files();
    let (tcp, websocket) = (stage.tcp(), stage.websocket());
    let begun = Instant::now();
    let floods = (1..=8u8).map(|n| {
        tokio::spawn(async move {
            let source = Ipv4Addr::new(127, 1, 1, n);
            let mut count = 0u64;
            while begun.elapsed() < FOR {
                let gate = if count.is_multiple_of(2) {
                    tcp
                } else {
                    websocket
                };
                // Some say a little first.
                if let Ok(mut client) = Raw::from(source, gate).await {
                    if count.is_multiple_of(3) {
                        let _ = client.send(&[8, 0, 0]).await;
                    }
                    client.reset();
                    count += 1;
                }
            }
            count
        })
    });
    let floods: Vec<_> = floods.collect();
    let mut echoes = 0;
    let mut longest = Duration::ZERO;
    while begun.elapsed() < FOR {
        let asked = Instant::now();
        assert!(player.try_echo().await);
        longest = longest.max(asked.elapsed());
        echoes += 1;
    }
    let mut count = 0;
    for flood in floods {
        count += flood.await.unwrap();
    }
    let rate = count / FOR.as_secs();
    println!("{rate} connects and resets a second; {echoes} echoes beside, at most {longest:?}");
    assert!(rate >= 1000, "only {rate} a second");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    // Every one that was accepted has ended for a reason of the client's, and
    // nothing is left of it.
    eventually("only alice is there", async || {
        let open = stage.group.gate_metric("redrabbit_gate_connections").await;
        (open == 1.0 && stage.open_files() <= files + 1).then_some(())
    })
    .await;
    let accepted = stage
        .group
        .gate_metric("redrabbit_gate_accepted_total")
        .await as u64;
    assert_eq!(stage.ended().await + 1, accepted);
    let [closed, failed, broken] = [
        stage.closed("client_closed").await,
        stage.closed("socket_error").await,
        stage.closed("protocol_error").await,
    ];
    println!("{closed} client_closed, {failed} socket_error, {broken} protocol_error");
    assert_eq!(closed + failed + broken, stage.ended().await);
    stage.has_grown_at_most(96);
}

#[tokio::test]
async fn who_says_nothing_cannot_take_the_place_of_who_is_in() {
    const CROWD: usize = 1000;
    let stage = Stage::with("unverified_per_gate = 100\nsessions_per_gate = 300").await;
    let mut players = Vec::new();
    for n in 0..50 {
        players.push(stage.group.player(&format!("player-{n}")).await);
    }
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(Raw::connect(stage.tcp()).await);
    }
    stage.has_closed("crowded_out", (CROWD - 100) as u64).await;
    // The oldest have gone, and were told.
    for client in crowd.iter_mut().take(10) {
        assert_eq!(client.end().await, "crowded_out");
    }
    for player in &mut players {
        assert!(player.try_echo().await);
    }
    // And whoever says who it is gets in.
    stage.still_serves().await;
    stage.has_grown_at_most(16);
}
