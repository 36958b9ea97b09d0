//! Clients that come: so many at once, each let in by the script, none lost.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use ::tests::Histogram;
use anyhow::{Result, bail, ensure};

use super::{
    measured::Measured,
    server::Server,
    swarm::{Said, Swarm},
    wire::Wire,
};

/// So many wait for their answer at once.
const PARALLEL: usize = 64;
/// How long anything may take that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long one turn waits.
pub(crate) const TURN: Duration = Duration::from_millis(100);

/// Asks how many sessions have entered.
const COUNT: u16 = 3;

/// Measures how fast `clients` are let in, and counts them in the scene. They
/// all stay until the last one is in.
pub(crate) fn run(server: &Server, websocket: bool, clients: usize) -> Result<Measured> {
    let mut swarm = Swarm::new()?;
    // One who is there before, to ask how many there are.
    enter(&mut swarm, server, websocket, 1)?;
    let before_them = entered(&mut swarm)?;
    let before = server.processes.usage()?;
    let begun = Instant::now();
    let latencies = enter(&mut swarm, server, websocket, clients)?;
    let seconds = begun.elapsed().as_secs_f64();
    let used = server.processes.usage()?;
    let came = entered(&mut swarm)? - before_them;
    ensure!(
        came == clients as u64,
        "{clients} were let in, and {came} have entered the scene"
    );
    Ok(Measured::of(
        &latencies,
        clients as u64,
        seconds,
        used.each(before, clients as u64),
    ))
}

/// Lets in as many more clients, and says how long each waited. Nobody else has
/// anything to say meanwhile.
pub(crate) fn enter(
    swarm: &mut Swarm,
    server: &Server,
    websocket: bool,
    clients: usize,
) -> Result<Histogram> {
    let first = swarm.len();
    let (mut opened, mut let_in) = (0, 0);
    let mut begun = Vec::with_capacity(clients);
    let mut latencies = Histogram::default();
    let deadline = Instant::now() + PATIENCE;
    while let_in < clients {
        while opened < clients && opened - let_in < PARALLEL {
            let (address, wire) = server.door(websocket, first + opened)?;
            begun.push(Instant::now());
            open(swarm, address, wire, first + opened)?;
            opened += 1;
        }
        swarm.turn(TURN, |number, said, pen| match said {
            Said::In => {
                let_in += 1;
                latencies.record(pen.now.saturating_duration_since(begun[number - first]));
                Ok(())
            }
            Said::Message(_) => bail!("a message that nobody asked for"),
            Said::Closed(reason) => bail!("closed instead of let in: {reason}"),
        })?;
        ensure!(
            Instant::now() < deadline,
            "{let_in} of {clients} clients were let in within {PATIENCE:?}"
        );
    }
    Ok(latencies)
}

fn open(swarm: &mut Swarm, address: SocketAddr, wire: Wire, number: usize) -> Result<()> {
    swarm.open(address, wire, &name(number), None).map(drop)
}

/// What the client of this number is called.
pub(crate) fn name(number: usize) -> String {
    format!("c{number}")
}

/// How many have entered the scene, as it tells the first client.
fn entered(swarm: &mut Swarm) -> Result<u64> {
    swarm.send(0, COUNT, &[])?;
    let mut count = None;
    let deadline = Instant::now() + PATIENCE;
    while count.is_none() {
        ensure!(Instant::now() < deadline, "the scene does not answer");
        swarm.turn(TURN, |_, said, _| {
            if let Said::Message(message) = said {
                count = message
                    .body
                    .first_chunk()
                    .map(|count| u64::from_le_bytes(*count));
            }
            Ok(())
        })?;
    }
    Ok(count.unwrap_or_default())
}
