//! Clients that do not read, or not fast enough.

use std::time::{Duration, Instant};

use protocol::client::encode_frame;
use serde_json::json;
use tests::{Player, within};
use tokio::io::AsyncWriteExt;

use crate::{stage::Stage, wire::Raw};

/// Reads what is left once the gate has given the client up.
async fn told(mut client: Raw) -> String {
    client.end().await
}

#[tokio::test]
async fn who_sends_and_never_reads_is_a_slow_consumer() {
    let stage = Stage::with("").await;
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(stage.tcp_client(&format!("mole-{n}")).await);
        clients.push(stage.websocket_client(&format!("rat-{n}")).await);
    }
    let sending = clients.into_iter().enumerate().map(|(n, mut client)| {
        let frame = encode_frame(9, 0, &vec![7; 60_000]);
        let bytes = match n % 2 {
            0 => frame.to_vec(),
            _ => crate::wire::message(crate::wire::BINARY, &frame),
        };
        tokio::spawn(async move { while client.socket.write_all(&bytes).await.is_ok() {} })
    });
    for sending in sending.collect::<Vec<_>>() {
        within("the gate closes who does not read", sending)
            .await
            .unwrap();
    }
    stage.has_closed("slow_consumer", 20).await;
    // 20 queues of 256 KiB, and what is on its way to and from the scene.
    stage.has_grown_at_most(48);
    stage.still_serves().await;
}

#[tokio::test]
async fn who_reads_again_in_time_is_told_that_it_was_too_slow() {
    let stage = Stage::with("").await;
    let mut slow = stage.tcp_client("mole").await;
    let mut loud = stage.group.player("alice").await;
    // As large as a frame may be, so that systems with large buffers are
    // filled too.
    let text = "x".repeat(60_000);
    let mut said = 0;
    while stage.closed("slow_consumer").await == 0 {
        for _ in 0..20 {
            loud.send(2, json!([text])).await;
            loud.hears(2).await;
        }
        said += 20;
        assert!(said < 2000, "nothing is too slow for it");
    }
    assert_eq!(slow.end().await, "slow_consumer");
}

#[tokio::test]
async fn slow_readers_of_a_broadcast_cost_the_others_nothing() {
    const SLOW: usize = 40;
    let stage = Stage::with("").await;
    let mut slow = Vec::new();
    for n in 0..SLOW {
        slow.push(stage.tcp_client(&format!("mole-{n}")).await);
    }
    let mut loud = stage.group.player("alice").await;
    let mut reader: Player = stage.group.websocket_player("bob").await;
    let text = "x".repeat(60_000);
    let mut longest = Duration::ZERO;
    for round in 0.. {
        let begun = Instant::now();
        loud.send(2, json!([text, round])).await;
        for player in [&mut loud, &mut reader] {
            assert_eq!(player.hears(2).await[2], round);
        }
        longest = longest.max(begun.elapsed());
        if stage.closed("slow_consumer").await == SLOW as u64 {
            println!("{round} broadcasts, the longest took {longest:?}");
            break;
        }
        assert!(round < 2000, "nobody is too slow for it");
    }
    println!("{} MiB for {SLOW} slow readers", stage.grown());
    // What waits for them is shared by all of them.
    stage.has_grown_at_most(32);
    for client in slow {
        let reason = told(client).await;
        assert!(
            ["slow_consumer", "without a word"].contains(&&*reason),
            "{reason}"
        );
    }
    for player in [&mut loud, &mut reader] {
        assert!(player.try_echo().await);
    }
}
