//! The arena as its README starts it: its page is served, its world goes on 20 times
//! a second, and what is saved is live.

use std::time::{Duration, Instant};

use client::Client;
use serde_json::{Value, json};
use tests::{Player, Process, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::stage::Stage;

const STEER: u16 = 1;
const STATE: u16 = 2;
const RULES: u16 = 4;
const SCRIPT: &str = "crates/scene-host/examples/arena/main.py";

/// Starts it, with its page at the test's own address; waits until it says where.
async fn start(stage: &Stage) -> Process {
    let mut words = stage.readme("arena").command("solo").unwrap();
    words.extend(["--page-at".to_owned(), "127.0.0.1:10240".to_owned()]);
    let group = stage.redrabbit("solo", &words);
    let address = format!("page: http://{}:10240/\n", stage.address());
    eventually("the page's address", async || {
        group.log().contains(&address).then_some(())
    })
    .await;
    group
}

async fn player(stage: &Stage, name: &str) -> Player {
    let gate = format!("ws://{}:10243/", stage.address());
    eventually("the player is let in", async || {
        let client = Client::connect_websocket(&gate).await.ok()?;
        Player::login(client, name).await.ok()
    })
    .await
}

async fn get(stage: &Stage, path: &str) -> String {
    let address = (stage.address(), 10240);
    let mut socket = TcpStream::connect(address).await.unwrap();
    let host = format!("{}:10240", stage.address());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Where a rabbit is, in a picture of the world.
fn place(picture: &Value, name: &str) -> Option<(f64, f64)> {
    let rabbits = picture["rabbits"].as_array().unwrap();
    let rabbit = rabbits.iter().find(|rabbit| rabbit[0] == name)?;
    Some((rabbit[2].as_f64().unwrap(), rabbit[3].as_f64().unwrap()))
}

#[tokio::test]
async fn the_page_is_served_with_all_that_it_asks_for() {
    let stage = Stage::new();
    let _group = start(&stage).await;
    let index = get(&stage, "/").await;
    assert!(index.starts_with("HTTP/1.1 200"), "{index}");
    let mut wanted: Vec<String> = ["href=\"arena.css\"", "src=\"arena.js\""]
        .map(|link| {
            assert!(index.contains(link), "{index}");
            format!("/{}", link.split('"').nth(1).unwrap())
        })
        .into();
    // What a module imports is served, too.
    let mut next = 0;
    while next < wanted.len() {
        let file = get(&stage, &wanted[next]).await;
        assert!(file.starts_with("HTTP/1.1 200"), "{}: {file}", wanted[next]);
        for import in file.split("from \"./").skip(1) {
            let import = format!("/{}", import.split('"').next().unwrap());
            if !wanted.contains(&import) {
                wanted.push(import);
            }
        }
        next += 1;
    }
    assert!(wanted.len() > 5, "{wanted:?}");
    let config = get(&stage, "/api/config").await;
    assert!(config.ends_with(r#"{"websocket_port":10243}"#), "{config}");
}

#[tokio::test]
async fn the_world_goes_on_twenty_times_a_second_and_a_rabbit_flies() {
    let stage = Stage::new();
    stage.put("BOTS = 6", "BOTS = 0", SCRIPT);
    let _group = start(&stage).await;
    let mut ada = player(&stage, "ada").await;
    let first = ada.hears(STATE).await;
    let begun = Instant::now();
    let from = place(&first, "ada").unwrap();
    let side = if from.0 < 1200. { 1 } else { -1 };
    ada.send(STEER, json!([side, 0, false])).await;
    let mut latest = first.clone();
    while begun.elapsed() < Duration::from_secs(2) {
        latest = ada.hears(STATE).await;
    }
    // However slow the machine is, it does not go on faster than it should; and it
    // does not drift: it makes up for a tick that was late.
    let ticks = latest["tick"].as_u64().unwrap() - first["tick"].as_u64().unwrap();
    assert!(
        (30..=44).contains(&ticks),
        "{ticks} ticks in {:?}",
        begun.elapsed()
    );
    let to = place(&latest, "ada").unwrap();
    assert!(
        (to.0 - from.0) * f64::from(side) > 150.,
        "{from:?} to {to:?}"
    );
}

#[tokio::test]
async fn what_is_saved_is_live_and_nobody_is_disconnected() {
    let stage = Stage::new();
    let _group = start(&stage).await;
    let (mut ada, mut bob) = (player(&stage, "ada").await, player(&stage, "bob").await);
    stage.put("SIZE = 20", "SIZE = 55", SCRIPT);
    for player in [&mut ada, &mut bob] {
        assert_eq!(player.hears(RULES).await["size"], 55);
    }
    let picture = ada.hears(STATE).await;
    assert!(place(&picture, "ada").is_some() && place(&picture, "bob").is_some());
}
