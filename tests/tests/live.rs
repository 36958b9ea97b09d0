//! The topology is changed under a group that runs: what takes effect at once does so
//! for those who are there, and a wrong file changes nothing.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::{Secret, v1::NodeState};
use serde_json::json;
use tests::{ARCADE, Cluster, Group, Members, Player, Runs, Signal, TRAVELLER, eventually, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A group whose file can be edited.
struct Edited {
    group: Group,
    original: String,
}

impl Edited {
    async fn start(runs: Runs, more: &str) -> Edited {
        let group = Group::with(runs, ARCADE, more).await;
        let file = group.script().with_file_name("topology.toml");
        Edited {
            original: std::fs::read_to_string(file).unwrap(),
            group,
        }
    }

    /// Gives the file these lines at its end, and has it read again.
    async fn edit(&mut self, more: &str) {
        let file = self.group.script().with_file_name("topology.toml");
        std::fs::write(file, format!("{}\n{more}", self.original)).unwrap();
        self.group.process().signal(Signal::HUP);
    }

    /// Waits until the log has so many lines with `text`.
    async fn says(&self, text: &str, times: usize) {
        eventually(&format!("the log has {text:?}"), async || {
            let log = self.group.log();
            let lines = log.lines().filter(|line| line.contains(text)).count();
            (lines >= times).then_some(())
        })
        .await;
    }
}

/// The metrics that are served there.
async fn page(address: SocketAddr) -> String {
    let reading = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = "GET /metrics HTTP/1.0\r\nHost: slave\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        socket.read_to_string(&mut page).await.unwrap();
        page
    };
    within("the page is served", reading).await
}

async fn echoes(player: &mut Player, bytes: usize) {
    let text = "x".repeat(bytes);
    assert_eq!(player.asks(1, json!([text])).await, json!([text]));
}

#[tokio::test]
async fn a_frame_limit_that_is_lowered_ends_those_who_were_there_and_send_more() {
    for runs in [Runs::Up, Runs::Solo] {
        let mut edited = Edited::start(runs, "").await;
        let mut players = [
            edited.group.player("alice").await,
            edited.group.websocket_player("bob").await,
        ];
        for player in &mut players {
            echoes(player, 4000).await;
        }
        edited.edit("[limits]\nframe_bytes = \"1KiB\"").await;
        edited.says("topology read again", 1).await;
        // What is small is let through as ever, until the gate has read the file as well.
        let [alice, bob] = &mut players;
        echoes(alice, 100).await;
        if runs == Runs::Up {
            edited.says("key=\"limits.frame_bytes\"", 3).await;
        }
        for player in [alice, bob] {
            player.send(1, json!(["x".repeat(4000)])).await;
            assert_eq!(player.is_closed().await, "frame_too_large");
        }
        // Raised again, and for those who come from now on too.
        edited.edit("[limits]\nframe_bytes = \"8KiB\"").await;
        let mut carol = edited.group.player("carol").await;
        eventually("the limit is raised", async || {
            let mut dave = edited.group.player("dave").await;
            dave.send(1, json!(["x".repeat(4000)])).await;
            dave.try_echo().await.then_some(())
        })
        .await;
        echoes(&mut carol, 4000).await;
    }
}

#[tokio::test]
async fn a_rate_that_is_lowered_slows_who_is_there() {
    let mut edited = Edited::start(Runs::Up, "").await;
    let mut alice = edited.group.player("alice").await;
    for _ in 0..50 {
        echoes(&mut alice, 10).await;
    }
    edited
        .edit("[limits]\nframes_per_second = 10\nframe_burst = 1")
        .await;
    edited.says("key=\"limits.frame_burst\"", 3).await;
    echoes(&mut alice, 10).await;
    let begun = Instant::now();
    for _ in 0..10 {
        echoes(&mut alice, 10).await;
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(900), "{took:?}");
}

#[tokio::test]
async fn silence_is_measured_by_the_new_limit_for_who_says_nothing_meanwhile() {
    let mut edited = Edited::start(Runs::Up, "").await;
    let mut alice = edited.group.player("alice").await;
    edited.edit("[limits]\nidle_timeout = \"500ms\"").await;
    assert_eq!(alice.is_closed().await, "idle");
}

#[tokio::test]
async fn a_wrong_file_changes_nothing() {
    let mut edited = Edited::start(Runs::Up, "").await;
    let mut alice = edited.group.player("alice").await;
    edited
        .edit("[limits]\nframe_bytes = \"1KiB\"\nframe_burst = \"many\"\ncolour = 1\n")
        .await;
    edited
        .says("the topology is refused, everything stays", 1)
        .await;
    edited.says("limits.colour", 1).await;
    // To a daemon itself, too.
    edited.group.ask("gate", Signal::HUP).await;
    edited.says("the one before it stays", 1).await;
    echoes(&mut alice, 4000).await;
    edited.edit("").await;
    edited.says("the topology is read again", 1).await;
    echoes(&mut alice, 4000).await;
    assert!(
        !edited
            .group
            .log()
            .contains("key=\"limits.frame_bytes\" from")
    );
}

#[tokio::test]
async fn a_slave_that_is_added_to_the_file_is_started_and_carries_and_one_taken_out_stops() {
    let mut edited = Edited::start(Runs::Up, "").await;
    let mut alice = edited.group.player("alice").await;
    let address = edited.group.tcp().ip();
    edited
        .edit(&format!(
            "[slaves.\"slave@0\"]\nlisten = \"{address}:10251\"\nhttp = \"{address}:10252\""
        ))
        .await;
    let state = async |group: &Group| {
        let nodes = group.nodes().await?;
        let slave = nodes.into_iter().find(|node| node.name == "slave@0");
        Some(slave.map(|slave| slave.state()))
    };
    eventually("the slave is ready", async || {
        (state(&edited.group).await? == Some(NodeState::Ready)).then_some(())
    })
    .await;
    let carried = async || {
        let page = page((address, 10252).into()).await;
        let lines = page
            .lines()
            .filter(|line| line.starts_with("redrabbit_broker_envelopes_total"));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum::<f64>() as u64
    };
    eventually("the slave carries what players say", async || {
        echoes(&mut alice, 10).await;
        (carried().await > 0).then_some(())
    })
    .await;
    edited.edit("").await;
    edited.says("slave@0 stopped", 1).await;
    eventually("the slave is gone", async || {
        state(&edited.group).await?.is_none().then_some(())
    })
    .await;
    echoes(&mut alice, 10).await;
}

#[tokio::test]
async fn up_restarts_only_who_has_to_be_and_only_where_it_restarts_at_all() {
    let mut edited = Edited::start(Runs::UpRestarting, "").await;
    let (gate, master) = (
        edited.group.daemon("gate").await,
        edited.group.daemon("broker-master").await,
    );
    edited.original = edited
        .original
        .replace("[scenes.\"scene@0\"]", "[scenes.\"scene@0\"]\nworkers = 2");
    edited.edit("").await;
    edited.says("scene@0 stopped", 1).await;
    edited.says("scene@0 is ready", 2).await;
    edited.says("the topology is read again", 1).await;
    assert_eq!(edited.group.daemon("gate").await, gate);
    assert_eq!(edited.group.daemon("broker-master").await, master);
    assert!(edited.group.player("alice").await.try_echo().await);
}

#[tokio::test]
async fn nodes_join_by_the_old_and_the_new_secret_and_who_is_there_stays() {
    let secret = |secret: &str| format!("[security]\nsecret = \"{secret}\"\n");
    let mut cluster = Cluster::start(Members {
        gates: 1,
        scenes: 1,
        slaves: 1,
        script: TRAVELLER,
        more: "",
    })
    .await;
    let file = cluster.topology();
    let original = std::fs::read_to_string(&file).unwrap();
    let node = |name: &str, secret: &str| {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            uplink: Uplink::Remote(cluster.master()),
            secret: Secret::new(secret),
            ..NodeConfig::default()
        };
        let services = Services::new().serve("echo", async |request| Ok(request.body));
        Node::join(config, services)
    };
    let before = node("echo@0", "");
    within("it joins", before.ready()).await;
    let id = before.id();
    std::fs::write(&file, format!("{original}\n{}", secret("second"))).unwrap();
    for name in cluster.names() {
        cluster.signal(&name, Signal::HUP);
    }
    for name in cluster.names() {
        eventually(&format!("{name} has the secret"), async || {
            cluster.log(&name).contains("security.secret").then_some(())
        })
        .await;
    }
    let (old, new) = (node("echo@1", ""), node("echo@2", "second"));
    for joined in [&old, &new] {
        within("it joins by either", joined.ready()).await;
    }
    let stranger = node("echo@3", "third");
    assert_eq!((stranger.id(), before.id()), (None, id));
    // A slave that knows the new secret alone is linked to by everybody: their tokens
    // were renewed.
    cluster.end("slave@0", Signal::TERM).await;
    cluster.run("slave@0");
    cluster.has("slave@0").await;
    assert!(!cluster.log("slave@0").contains("without those"));
    for (from, to) in [(&new, "echo@0"), (&before, "echo@2")] {
        let to = to.parse().unwrap();
        let to = eventually("it is known", async || from.resolve(&to)).await;
        let answer = within("a call", from.call(to, "echo", "hello".into())).await;
        assert_eq!(answer.unwrap(), "hello");
    }
}
