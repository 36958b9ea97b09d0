//! The script is changed while players are online.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use serde_json::{Value, json};
use tests::{ARCADE, Group, Player, Runs, Signal, eventually};

#[tokio::test]
async fn new_code_is_live_and_nobody_is_disconnected() {
    let group = Group::start(Runs::Up, ARCADE).await;
    let mut alice = group.player("alice").await;
    let mut bob = group.websocket_player("bob").await;
    assert_eq!(alice.asks(7, Value::Null).await, json!(["one", 1]));

    let changed = ARCADE
        .replace(r#"VERSION = "one""#, r#"VERSION = "two""#)
        .replace("[session_id] + msg", r#"[session_id.upper()] + msg"#);
    std::fs::write(group.script(), changed).unwrap();
    let result = alice.asks(6, Value::Null).await;
    assert_eq!(result[0], true, "{result}");
    assert_eq!(alice.asks(7, Value::Null).await, json!(["two", 2]));
    bob.send(2, json!(["still here"])).await;
    for player in [&mut alice, &mut bob] {
        assert_eq!(player.hears(2).await, json!(["BOB", "still here"]));
    }
    // What the singleton holds is what it held.
    assert_eq!(bob.asks(8, Value::Null).await, json!(["alice", "bob"]));
    // The directory knows which script runs.
    eventually("the directory shows version 2", async || {
        let nodes = group.nodes().await?;
        let script = nodes
            .into_iter()
            .find(|node| node.name == "scene@0")?
            .script?;
        (script.version == 2 && script.hash.len() == 12).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_script_that_does_not_load_leaves_the_old_code_in_force() {
    let group = Group::start(Runs::Solo, ARCADE).await;
    let mut alice = group.player("alice").await;
    for (broken, word) in [
        ("def oops(:\n", "line"),
        ("import ffext\n\nraise ValueError('halfway')\n", "halfway"),
        ("import no_such_module\n", "no_such_module"),
        ("import sys\nsys.exit(3)\n", "exit"),
    ] {
        std::fs::write(group.script(), broken).unwrap();
        let result = alice.asks(6, Value::Null).await;
        assert_eq!(result[0], false, "{broken:?} was taken: {result}");
        let text = result[1].as_str().unwrap().to_lowercase();
        assert!(text.contains(word), "{broken:?}: {text}");
        assert_eq!(alice.asks(7, Value::Null).await, json!(["one", 1]));
        assert_eq!(alice.asks(1, json!(["x"])).await, json!(["x"]));
    }
}

#[tokio::test]
async fn a_script_that_does_not_load_at_the_start_is_said_and_a_later_one_taken() {
    let mut group = Group::launch(Runs::Up, "this is no python\n", "");
    eventually("the log says what is wrong", async || {
        group.log().contains("SyntaxError").then_some(())
    })
    .await;
    let refused = eventually("a login is refused in words", async || {
        let mut client = client::Client::connect_tcp(group.tcp()).await.ok()?;
        match client.login("alice").await {
            Err(client::ClientError::Refused { reason }) if reason.contains("script") => {
                Some(reason)
            }
            _ => None,
        }
    })
    .await;
    assert!(!refused.is_empty());

    std::fs::write(group.script(), ARCADE).unwrap();
    group.ask("scene-host", Signal::HUP).await;
    let mut alice = eventually("the script is loaded", async || {
        let client = client::Client::connect_tcp(group.tcp()).await.ok()?;
        Player::login(client, "alice").await.ok()
    })
    .await;
    assert_eq!(alice.asks(7, Value::Null).await, json!(["one", 1]));
}

#[tokio::test]
async fn frames_on_their_way_survive_many_reloads() {
    let group = Group::with(Runs::Up, ARCADE, "[limits]\nframes_per_second = 100000\n").await;
    let mut alice = group.player("alice").await;
    let mut bob = group.player("bob").await;
    const ROUNDS: u64 = 30;
    let playing = tokio::spawn(async move {
        for n in 0..ROUNDS * 100 {
            bob.send(1, json!([n])).await;
            if n % 10 == 9 {
                for answer in n - 9..=n {
                    assert_eq!(bob.hears(1).await, json!([answer]));
                }
            }
        }
    });
    for round in 0..ROUNDS {
        let changed = ARCADE.replace(r#""one""#, &format!("\"{round}\""));
        std::fs::write(group.script(), changed).unwrap();
        assert_eq!(alice.asks(6, Value::Null).await[0], true);
    }
    playing.await.unwrap();
    assert_eq!(
        alice.asks(7, Value::Null).await,
        json!([(ROUNDS - 1).to_string(), ROUNDS + 1])
    );
}
