//! A gate is told to end.

use std::time::{Duration, Instant};

use client::Client;
use tests::{Signal, eventually};

use crate::{stage, traveller::STEADY};

#[tokio::test]
async fn a_draining_gate_says_so_takes_nobody_and_ends_when_all_have_gone() {
    for by_command in [false, true] {
        let mut cluster = stage::with("drain_grace = \"50s\"").await;
        let crowd = stage::crowd(&cluster, "gate@0", 20, STEADY).await;
        let begun = Instant::now();
        if by_command {
            let output = cluster.redrabbit(&["drain", "gate@0", "--no-wait"]).await;
            let said =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{said}");
        } else {
            cluster.signal("gate@0", Signal::TERM);
        }
        // Some may be, before it has heard of it.
        let mut late = 0;
        eventually("nobody is taken", async || {
            let Ok(mut client) = Client::connect_tcp(cluster.tcp("gate@0")).await else {
                return Some(());
            };
            let is_taken = client.login("late").await.is_ok();
            late += usize::from(is_taken);
            (!is_taken).then_some(())
        })
        .await;
        // Who is in plays on, and has been told.
        for traveller in crowd {
            let tally = traveller.stop().await;
            assert_eq!((tally.closed, tally.missing), (None, 0));
            assert!(tally.warned, "it was not told");
        }
        cluster.has_ended("gate@0").await;
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?}",
            begun.elapsed()
        );
        let scene = cluster.process("scene@0").id();
        assert_eq!(stage::journals(&cluster).count(scene, "offline"), 20 + late);
    }
}

#[tokio::test]
async fn a_gate_closes_who_is_left_at_its_deadline_or_at_a_second_signal() {
    for (grace, second) in [("1s", false), ("50s", true)] {
        let mut cluster = stage::with(&format!("drain_grace = \"{grace}\"")).await;
        let crowd = stage::crowd(&cluster, "gate@0", 20, STEADY).await;
        let begun = Instant::now();
        cluster.signal("gate@0", Signal::TERM);
        if second {
            eventually("it drains", async || {
                let nodes = cluster.nodes().await?;
                let mut nodes = nodes.iter();
                let gate = nodes.find(|node| node.name == "gate@0")?;
                (gate.state() == protocol::v1::NodeState::Draining).then_some(())
            })
            .await;
            cluster.signal("gate@0", Signal::TERM);
        }
        for traveller in crowd {
            let tally = traveller.closed().await;
            let reason = tally.closed.unwrap();
            // At a second signal nobody waits for a last word to be read.
            assert!(reason == "draining" || second, "{reason}");
        }
        cluster.has_ended("gate@0").await;
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            begun.elapsed()
        );
        let scene = cluster.process("scene@0").id();
        eventually("all are offline, each once", async || {
            (stage::journals(&cluster).count(scene, "offline") == 20).then_some(())
        })
        .await;
        stage::journals(&cluster).are_sound();
    }
}
