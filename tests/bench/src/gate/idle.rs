//! What a connection costs that does nothing: the memory of the gate's process
//! for many of them. What the kernel keeps for a socket is no process's memory
//! and is not in it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::{
    echo::Echoes,
    login::enter,
    server::Server,
    swarm::{Said, Swarm},
    usage::Part,
};
use crate::report::middle;

/// Bytes of the gate and of the scene for each session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idle {
    /// The gate's, of a session that has only been let in.
    pub(crate) fresh: f64,
    /// The gate's, of one that has sent a message and has had its answer.
    pub(crate) used: f64,
    /// The scene's, then.
    pub(crate) scene: f64,
}

/// Those who come and go before it is measured, so that what a gate needs once
/// is there.
const BEFORE: usize = 128;
/// How long memory is left to settle.
const SETTLE: Duration = Duration::from_secs(2);
const BODY: usize = 64;

/// Measures.
pub(crate) fn run(server: &Server, websocket: bool, clients: usize) -> Result<Idle> {
    let mut before = Swarm::new()?;
    enter(&mut before, server, websocket, BEFORE)?;
    settle(&mut before)?;
    drop(before);
    let mut swarm = Swarm::new()?;
    settle(&mut swarm)?;
    let resident = |part| server.processes.resident(part);
    let (gate, scene) = (resident(Part::Gate)?, resident(Part::Scene)?);
    let each = |now: u64, before: u64| (now as f64 - before as f64) / clients as f64;

    enter(&mut swarm, server, websocket, clients)?;
    settle(&mut swarm)?;
    let fresh = each(resident(Part::Gate)?, gate);
    let mut echoes = Echoes::new(clients, BODY);
    echoes.begin(&mut swarm, 1)?;
    echoes.end(&mut swarm)?;
    settle(&mut swarm)?;
    Ok(Idle {
        fresh,
        used: each(resident(Part::Gate)?, gate),
        scene: each(resident(Part::Scene)?, scene),
    })
}

/// Waits, and nobody has anything to say.
fn settle(swarm: &mut Swarm) -> Result<()> {
    let until = Instant::now() + SETTLE;
    while Instant::now() < until {
        swarm.turn(until - Instant::now(), |_, said, _| match said {
            Said::In => bail!("let in twice"),
            Said::Message(_) => bail!("a message for somebody who is idle"),
            Said::Closed(reason) => bail!("closed while idle: {reason}"),
        })?;
    }
    ensure!(until <= Instant::now(), "a clock that goes back");
    Ok(())
}

/// The table's head.
pub(crate) fn head() {
    println!("| idle sessions | over | subject | gate B each | after a message | scene B each |");
    println!("|--:|---|---|--:|--:|--:|");
}

/// A row of it: the median of the rounds.
pub(crate) fn row(clients: usize, over: &str, subject: &str, rounds: &[Idle]) {
    println!(
        "| {clients} | {over} | {subject} | {:.0} | **{:.0}** | {:.0} |",
        middle(rounds, |round| round.fresh),
        middle(rounds, |round| round.used),
        middle(rounds, |round| round.scene)
    );
}
