//! Players play: the same claims for a group in one process and for a group of
//! processes.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use client::{Client, ClientError};
use serde_json::{Value, json};
use tests::{ARCADE, Group, Player, Runs};

/// Runs a claim against both ways to run a group.
macro_rules! claims {
    ($($claim:ident)*) => {
        mod solo {
            $(#[tokio::test] async fn $claim() { super::$claim(super::Runs::Solo).await; })*
        }
        mod processes {
            $(#[tokio::test] async fn $claim() { super::$claim(super::Runs::Up).await; })*
        }
    };
}

claims! {
    players_are_let_in_and_hear_each_other
    who_is_turned_away_is_told_why
    messages_reach_one_some_and_all
    a_closed_session_is_told_and_the_others_see_it_go
    a_newer_login_replaces_the_older_one
    ten_thousand_frames_are_answered_in_order_and_once
    handlers_may_be_async_and_frames_stay_in_order
    timers_and_raw_bodies_work
}

async fn players_are_let_in_and_hear_each_other(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    let mut alice = group.player("alice").await;
    assert_eq!(alice.hears(100).await, json!(["alice"]));
    let mut bob = group.websocket_player("bob").await;
    assert_eq!(alice.hears(100).await, json!(["alice", "bob"]));
    alice.send(2, json!(["hello"])).await;
    assert_eq!(bob.hears(2).await, json!(["alice", "hello"]));
    assert_eq!(alice.hears(2).await, json!(["alice", "hello"]));
    bob.send(2, json!(["你好"])).await;
    assert_eq!(alice.hears(2).await, json!(["bob", "你好"]));
}

async fn who_is_turned_away_is_told_why(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    for name in ["mallory", "nonsense", "boom"] {
        let mut client = Client::connect_tcp(group.tcp()).await.unwrap();
        match client.login(name).await {
            Err(ClientError::Refused { reason }) => assert!(!reason.is_empty(), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut client = Client::connect_tcp(group.tcp()).await.unwrap();
    let welcome = client.login("alice").await.unwrap();
    assert_eq!(&welcome.reply[..], b"welcome alice");
    group.says("verification fails on purpose").await;
}

async fn messages_reach_one_some_and_all(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    let mut players = Vec::new();
    for name in ["ann", "ben", "cid"] {
        players.push(group.player(name).await);
    }
    let [ann, ben, cid] = &mut players[..] else {
        unreachable!()
    };
    // Names that nobody has are passed over.
    ann.send(3, json!([["ben", "nobody", "cid"], "psst"])).await;
    for player in [&mut *ben, &mut *cid] {
        assert_eq!(player.hears(3).await, json!(["ann", "psst"]));
    }
    ann.send(2, json!(["all of you"])).await;
    for player in [ann, ben, cid] {
        assert_eq!(player.hears(2).await, json!(["ann", "all of you"]));
    }
    // Whoever was not meant has heard nothing before what was for all.
    let mut dan = group.player("dan").await;
    players[0].send(3, json!([["ben"], "again"])).await;
    players[0].send(2, json!(["end"])).await;
    loop {
        match dan.next().await {
            (2, words) => break assert_eq!(words, json!(["ann", "end"])),
            (cmd, words) => assert_ne!(cmd, 3, "{words}"),
        }
    }
}

async fn a_closed_session_is_told_and_the_others_see_it_go(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    let mut alice = group.player("alice").await;
    let mut bob = group.websocket_player("bob").await;
    alice.send(4, json!(["bob"])).await;
    assert_eq!(bob.is_closed().await, "closed_by_scene");
    assert_eq!(alice.hears(101).await[0], "bob");
    let carol = group.player("carol").await;
    drop(carol);
    let gone = alice.hears(101).await;
    assert_eq!(gone[0], "carol");
    assert!(
        gone[1].as_u64().unwrap() > 1_700_000_000,
        "the time of the login"
    );
    assert_eq!(alice.asks(8, Value::Null).await, json!(["alice"]));
}

async fn a_newer_login_replaces_the_older_one(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    let mut older = group.player("alice").await;
    let mut newer = group.websocket_player("alice").await;
    assert_eq!(older.is_closed().await, "replaced");
    // The script saw the older one go before the newer one came.
    assert_eq!(newer.asks(8, Value::Null).await, json!(["alice"]));
    assert_eq!(newer.asks(1, json!([1])).await, json!([1]));
}

async fn ten_thousand_frames_are_answered_in_order_and_once(runs: Runs) {
    const CLIENTS: usize = 100;
    const FRAMES: u64 = 100;
    let group = Group::with(runs, ARCADE, "[limits]\nframes_per_second = 100000\n").await;
    let mut players = Vec::new();
    for n in 0..CLIENTS {
        let client = if n % 2 == 0 {
            Client::connect_tcp(group.tcp()).await.unwrap()
        } else {
            Client::connect_websocket(&group.websocket()).await.unwrap()
        };
        players.push(Player::login(client, &format!("player-{n}")).await.unwrap());
    }
    let tasks = players.into_iter().map(|mut player| {
        tokio::spawn(async move {
            // All of them are on their way before the first answer is read.
            for frame in 0..FRAMES {
                player.send(1, json!([frame])).await;
            }
            for frame in 0..FRAMES {
                assert_eq!(player.hears(1).await, json!([frame]));
            }
            // Nothing is left over that was answered twice.
            player.send(9, json!("end")).await;
            loop {
                match player.next_raw().await {
                    (9, _) => break,
                    (cmd, _) => assert_ne!(cmd, 1, "an answer too many"),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

async fn handlers_may_be_async_and_frames_stay_in_order(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    let mut alice = group.player("alice").await;
    for wait in [60, 5, 30, 1] {
        alice.send(11, json!([wait])).await;
    }
    alice.send(1, json!(["last"])).await;
    for wait in [60, 5, 30, 1] {
        assert_eq!(alice.hears(11).await, json!([wait]));
    }
    assert_eq!(alice.hears(1).await, json!(["last"]));
}

async fn timers_and_raw_bodies_work(runs: Runs) {
    let group = Group::start(runs, ARCADE).await;
    let mut alice = group.player("alice").await;
    assert_eq!(alice.asks(10, json!([20])).await, json!("ding"));
    let mut client = alice.into_client();
    client.send(9, b"\x00\xffabc").await.unwrap();
    assert_eq!(&client.recv().await.unwrap().body[..], b"cba\xff\x00");
}
