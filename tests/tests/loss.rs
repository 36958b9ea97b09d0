//! Processes are ended, softly and hard, and the group heals.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::time::Duration;

use protocol::v1::NodeRecord;
use serde_json::{Value, json};
use tests::{ARCADE, Group, Player, Runs, Signal, eventually, open_files, resident_bytes};
use tokio::time::timeout;

const QUICK: &str = "[limits]\nlease = \"1s\"\ndrain_grace = \"200ms\"\n";

/// Plays a little, as soon as somebody can log in.
async fn plays(group: &Group, name: &str) -> Player {
    eventually("somebody can play", async || {
        let client = client::Client::connect_tcp(group.tcp()).await.ok()?;
        let mut player = Player::login(client, name).await.ok()?;
        player.try_echo().await.then_some(player)
    })
    .await
}

/// Waits until the session is in a scene that answers. What was on its way to one
/// that was killed is lost, so it asks again now and then.
async fn plays_on(player: &mut Player) {
    eventually("the player plays on", async || {
        let asked = timeout(Duration::from_secs(1), player.try_echo()).await;
        asked.unwrap_or(false).then_some(())
    })
    .await;
}

/// Waits until the script has these players and no others.
async fn only_plays(player: &mut Player, names: Value) {
    eventually("the script has seen who comes and goes", async || {
        (player.asks(8, Value::Null).await == names).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_gate_may_end_and_players_can_play_again() {
    let mut group = Group::with(Runs::UpRestarting, ARCADE, QUICK).await;
    for (signal, expected) in [(Signal::TERM, "draining"), (Signal::KILL, "without a word")] {
        let mut player = plays(&group, "alice").await;
        group.hurt("gate", signal).await;
        let reason = player.is_closed().await;
        assert!(reason.starts_with(expected), "{signal:?}: {reason}");
        // Whoever comes next finds the session of the one before gone.
        let mut next = plays(&group, "bob").await;
        only_plays(&mut next, json!(["bob"])).await;
    }
    group.process().signal(Signal::TERM);
    let status = group.process().ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_scene_may_end_and_who_plays_goes_on_in_its_successor() {
    let mut group = Group::with(Runs::UpRestarting, ARCADE, QUICK).await;
    let mut alice = plays(&group, "alice").await;
    for signal in [Signal::TERM, Signal::KILL] {
        group.hurt("scene-host", signal).await;
        plays_on(&mut alice).await;
        let mut bob = plays(&group, "bob").await;
        only_plays(&mut bob, json!(["alice", "bob"])).await;
        drop(bob);
        only_plays(&mut alice, json!(["alice"])).await;
    }
    group.process().signal(Signal::TERM);
    let status = group.process().ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn the_master_may_end_and_whoever_plays_goes_on_when_it_is_back() {
    let mut group = Group::with(Runs::UpRestarting, ARCADE, QUICK).await;
    let mut alice = plays(&group, "alice").await;
    for signal in [Signal::TERM, Signal::KILL] {
        let before = group.nodes().await.unwrap();
        group.hurt("broker-master", signal).await;
        // Without a slave nothing moves until the master is back; it is the same
        // session then.
        assert_eq!(alice.asks(1, json!([7])).await, json!([7]), "{signal:?}");
        group.is_ready().await;
        let after = group.nodes().await.unwrap();
        for name in ["gate@0", "scene@0"] {
            let id = |nodes: &[NodeRecord]| {
                let mut nodes = nodes.iter();
                nodes.find(|node| node.name == name).unwrap().node_id
            };
            assert_eq!(id(&before), id(&after), "{name} after {signal:?}");
        }
        let mut bob = plays(&group, "bob").await;
        only_plays(&mut bob, json!(["alice", "bob"])).await;
        drop(bob);
        only_plays(&mut alice, json!(["alice"])).await;
    }
    group.process().signal(Signal::TERM);
    let status = group.process().ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn fifty_kills_of_the_scene_leave_nothing_behind_in_the_gate() {
    let mut group = Group::with(Runs::Apart, ARCADE, QUICK).await;
    let gate = group.roles().process("gate").id();
    let master = group.roles().process("broker-master").id();
    let mut baseline = None;
    for round in 0..50 {
        let mut players = Vec::new();
        for n in 0..4 {
            players.push(plays(&group, &format!("player-{n}")).await);
        }
        assert!(group.gate_metric("redrabbit_gate_sessions").await as usize >= players.len());
        group.roles().end("scene-host", Signal::KILL).await;
        // Two go while no scene holds them, two play on in the next one.
        players.truncate(2);
        group.roles().run("scene-host");
        for player in &mut players {
            plays_on(player).await;
        }
        drop(players);
        eventually("no session is left", async || {
            (group.gate_metric("redrabbit_gate_sessions").await == 0.0).then_some(())
        })
        .await;
        // The first rounds fill caches and pools.
        if round == 9 {
            baseline = Some([gate, master].map(|pid| (open_files(pid), resident_bytes(pid))));
        }
    }
    plays(&group, "last").await;
    for (pid, (files, bytes)) in [gate, master].into_iter().zip(baseline.unwrap()) {
        eventually("open files are back at their baseline", async || {
            (open_files(pid) <= files + 1).then_some(())
        })
        .await;
        let now = resident_bytes(pid);
        assert!(now < bytes + (4 << 20), "{bytes} bytes have become {now}");
    }
}

#[tokio::test]
async fn a_gate_that_is_killed_takes_its_sessions_out_of_the_scene() {
    let mut group = Group::with(Runs::Apart, ARCADE, QUICK).await;
    let _alice = plays(&group, "alice").await;
    group.roles().end("gate", Signal::KILL).await;
    group.roles().run("gate");
    let mut bob = plays(&group, "bob").await;
    eventually("alice is gone", async || {
        (bob.asks(8, Value::Null).await == json!(["bob"])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn up_says_who_has_died_and_starts_nobody_again_by_itself() {
    let mut group = Group::with(Runs::Up, ARCADE, QUICK).await;
    group.hurt("scene-host", Signal::KILL).await;
    eventually("the log says so", async || {
        let log = group.log();
        (log.contains("scene@0") && log.contains("SIGKILL")).then_some(())
    })
    .await;
    eventually("the directory has it no more", async || {
        let nodes = group.nodes().await?;
        nodes
            .iter()
            .all(|node| node.name != "scene@0")
            .then_some(())
    })
    .await;
    group.process().signal(Signal::INT);
    group.process().ended().await;
}
