//! Runs what is asked for: each load for each peer in turn, round after round,
//! so that whatever else the machine does strikes all of them alike.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    job::{Job, Measured, Side},
    peer::Peer,
    process::{Broker, SideProcess},
    report,
    shapes::{Load, Shape},
};

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) bodies: Vec<usize>,
    pub(crate) seconds: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) rounds: u32,
    /// Ours first.
    pub(crate) peers: Vec<Peer>,
    pub(crate) workers: Option<usize>,
}

/// Measures, and prints as it goes.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    report::head();
    for shape in &plan.shapes {
        for body in &plan.bodies {
            // A fan-out is measured with the first body only: it is about the
            // number of receivers.
            let is_fan_out = matches!(shape.load, Load::FanOut { .. });
            if is_fan_out && Some(body) != plan.bodies.first() {
                continue;
            }
            let mut measured = vec![Vec::new(); plan.peers.len()];
            for _ in 0..plan.rounds {
                for (peer, measured) in plan.peers.iter().zip(&mut measured) {
                    let once = one(plan, *shape, *body, *peer)
                        .with_context(|| format!("{shape}, {body} B, {}", peer.name()))?;
                    measured.push(once);
                }
            }
            let measured: Vec<(Peer, Measured)> = plan
                .peers
                .iter()
                .copied()
                .zip(measured.iter().map(|rounds| report::median(rounds)))
                .collect();
            report::rows(*shape, *body, &measured);
        }
    }
    Ok(())
}

fn one(plan: &Plan, shape: Shape, body: usize, peer: Peer) -> Result<Measured> {
    let broker = Broker::start(peer, plan.workers)?;
    let job = Job {
        side: Side::Responder,
        peer,
        broker: broker.address(),
        load: shape.load,
        body,
        warm_up: plan.warm_up,
        seconds: plan.seconds,
        broker_pids: vec![broker.pid()],
        bridge_pid: None,
        other_group: None,
        responder_pid: None,
    };
    let mut responder = SideProcess::start(&job)?;
    responder.wait_until_ready()?;
    let requester = SideProcess::start(&Job {
        side: Side::Requester,
        responder_pid: Some(responder.pid()),
        ..job
    })?;
    requester.measured()
}
