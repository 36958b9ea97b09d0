//! One message for everybody: the script sends it, and a round is over when all
//! clients have it.

use std::time::Instant;

use ::tests::Histogram;
use anyhow::{Result, bail, ensure};

use super::{
    echo::Time,
    login::{PATIENCE, TURN, enter},
    measured::Measured,
    server::Server,
    stamp::Stamp,
    swarm::{Said, Swarm},
};

/// A number, and what everybody is sent so often.
pub(crate) const BROADCAST: u16 = 2;

/// So many clients, and so many messages that the script sends each time, the
/// later of which find the earlier ones waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broadcast {
    pub(crate) clients: usize,
    pub(crate) together: u32,
}

/// Measures rounds, one after the other, and checks every delivery.
pub(crate) fn run(
    server: &Server,
    websocket: bool,
    load: Broadcast,
    body: usize,
    time: Time,
) -> Result<Measured> {
    let mut swarm = Swarm::new()?;
    enter(&mut swarm, server, websocket, load.clients)?;
    let mut rounds = Rounds {
        load,
        stamp: Stamp::new(body),
        heard: vec![0; load.clients],
        round: 0,
        latencies: None,
    };
    let warm = Instant::now() + time.warm_up;
    while Instant::now() < warm {
        rounds.one(&mut swarm)?;
    }
    rounds.latencies = Some(Histogram::default());
    let before = server.processes.usage()?;
    let begun = Instant::now();
    while begun.elapsed() < time.seconds {
        rounds.one(&mut swarm)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = server.processes.usage()?;
    let latencies = rounds.latencies.unwrap_or_default();
    let deliveries = latencies.total();
    Ok(Measured::of(
        &latencies,
        deliveries,
        seconds,
        used.each(before, deliveries),
    ))
}

struct Rounds {
    load: Broadcast,
    stamp: Stamp,
    /// How many messages each client has.
    heard: Vec<u64>,
    round: u64,
    latencies: Option<Histogram>,
}

impl Rounds {
    /// The first client asks for it, and everybody has to get all of it.
    fn one(&mut self, swarm: &mut Swarm) -> Result<()> {
        let Broadcast { clients, together } = self.load;
        let body = self.stamp.write(together, self.round, Instant::now());
        swarm.send(0, BROADCAST, body)?;
        let mut missing = clients * together as usize;
        let deadline = Instant::now() + PATIENCE;
        while missing > 0 {
            ensure!(Instant::now() < deadline, "{missing} were never delivered");
            swarm.turn(TURN, |number, said, pen| {
                let message = match said {
                    Said::Message(message) => message,
                    Said::In => bail!("let in twice"),
                    Said::Closed(reason) => bail!("closed: {reason}"),
                };
                let read = self.stamp.read(message.body, pen.now)?;
                let place = read.number * u64::from(together) + u64::from(read.part);
                let heard = &mut self.heard[number];
                ensure!(place == *heard, "message {place} in the place of {heard}");
                *heard += 1;
                missing -= 1;
                if let Some(latencies) = &mut self.latencies {
                    latencies.record(read.age);
                }
                Ok(())
            })?;
        }
        self.round += 1;
        Ok(())
    }
}
