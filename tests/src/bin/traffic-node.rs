//! A node with its traffic, in a process that can be frozen or cut off.
//!
//! It is told what to do as JSON, and in lines on its standard input: `over`
//! ends its traffic, `part` asks for its counts. It ends with its input.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::io::{Write, stdout};

use ffrpc::{NodeConfig, NodeEvent, Uplink};
use protocol::{Secret, v1::Role};
use tests::{Job, Member, Phase, Said};
use tokio::sync::{mpsc, watch};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let job: Job = serde_json::from_str(&std::env::args().nth(1).unwrap()).unwrap();
    let config = NodeConfig {
        name: job.name.parse().unwrap(),
        role: Role::Service,
        uplink: Uplink::Remote(job.master),
        secret: Secret::new(job.secret),
        ..NodeConfig::default()
    };
    let phase = watch::Sender::new(Phase::Running);
    let mut member = Member::join(config, phase.subscribe(), |event| match event {
        NodeEvent::Joined(id) => say(&Said::Joined(id.as_u64())),
        NodeEvent::Lost => say(&Said::Lost),
        // Who comes, goes, or cannot be reached is seen in the traffic.
        _ => {}
    });
    for peer in &job.peers {
        member.talk_to(peer.parse().unwrap(), job.load);
    }
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match order.as_str() {
            "over" => {
                phase.send_replace(Phase::Over);
                member.done().await;
                say(&Said::Done);
            }
            _ => say(&member.report()),
        }
    }
}

/// What is asked, line by line. A frozen reader of it is a frozen process.
fn orders() -> mpsc::Receiver<String> {
    let (orders_tx, orders_rx) = mpsc::channel(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if orders_tx.blocking_send(line).is_err() {
                return;
            }
        }
    });
    orders_rx
}

fn say(word: &Said) {
    let mut line = serde_json::to_string(word).unwrap();
    line.push('\n');
    stdout().write_all(line.as_bytes()).unwrap();
}
