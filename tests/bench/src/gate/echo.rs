//! Messages that go through everything and come back: client, gate, broker,
//! script, and the same way again.

use std::time::{Duration, Instant};

use ::tests::Histogram;
use anyhow::{Result, bail, ensure};

use super::{
    login::{PATIENCE, TURN, enter},
    measured::Measured,
    server::Server,
    stamp::Stamp,
    swarm::{Pen, Said, Swarm},
};

/// Comes back as it is.
const ECHO: u16 = 1;

/// So many clients, each of which has so many messages under way all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) clients: usize,
    pub(crate) in_flight: usize,
}

/// How long it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) warm_up: Duration,
    pub(crate) seconds: Duration,
}

/// Those who send and hear themselves: of each, how many it has sent and heard.
pub(crate) struct Echoes {
    /// Which of the script's functions sends it back.
    cmd: u16,
    stamp: Stamp,
    lanes: Vec<(u64, u64)>,
    /// Whether an answer is followed by the next message.
    goes_on: bool,
    /// There while it is measured.
    pub(crate) latencies: Option<Histogram>,
}

/// Measures, and checks every answer.
pub(crate) fn run(
    server: &Server,
    websocket: bool,
    load: Echo,
    body: usize,
    time: Time,
) -> Result<Measured> {
    let mut swarm = Swarm::new()?;
    enter(&mut swarm, server, websocket, load.clients)?;
    let mut echoes = Echoes::new(load.clients, body);
    echoes.begin(&mut swarm, load.in_flight)?;
    echoes.go_on(&mut swarm, time.warm_up)?;

    echoes.latencies = Some(Histogram::default());
    let before = server.processes.usage()?;
    let begun = Instant::now();
    echoes.go_on(&mut swarm, time.seconds)?;
    let seconds = begun.elapsed().as_secs_f64();
    let used = server.processes.usage()?;
    let latencies = echoes.latencies.take().unwrap_or_default();

    echoes.end(&mut swarm)?;
    let messages = latencies.total();
    ensure!(messages > 0, "nothing came back");
    Ok(Measured::of(
        &latencies,
        messages,
        seconds,
        used.each(before, messages),
    ))
}

impl Echoes {
    /// Of the first `clients` of a swarm.
    pub(crate) fn new(clients: usize, body: usize) -> Self {
        Self::of(ECHO, Stamp::new(body), clients)
    }

    /// As [`new`](Self::new), with messages of another kind.
    pub(crate) fn of(cmd: u16, stamp: Stamp, clients: usize) -> Self {
        Echoes {
            cmd,
            stamp,
            lanes: vec![(0, 0); clients],
            goes_on: true,
            latencies: None,
        }
    }

    /// Everybody sends so many.
    pub(crate) fn begin(&mut self, swarm: &mut Swarm, in_flight: usize) -> Result<()> {
        for _ in 0..in_flight {
            for number in 0..self.lanes.len() {
                let lane = &mut self.lanes[number];
                lane.0 += 1;
                let body = self.stamp.write(0, lane.0, Instant::now());
                swarm.send(number, self.cmd, body)?;
            }
        }
        Ok(())
    }

    /// Goes on for so long.
    pub(crate) fn go_on(&mut self, swarm: &mut Swarm, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            swarm.turn(TURN, |number, said, pen| self.hear(number, said, pen))?;
        }
        Ok(())
    }

    /// Sends no more, and waits until everything has come back.
    pub(crate) fn end(&mut self, swarm: &mut Swarm) -> Result<()> {
        self.goes_on = false;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let missing: u64 = self.lanes.iter().map(|(sent, heard)| sent - heard).sum();
            if missing == 0 {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{missing} messages never came back"
            );
            swarm.turn(TURN, |number, said, pen| self.hear(number, said, pen))?;
        }
    }

    /// What one of them has to tell.
    pub(crate) fn hear(&mut self, number: usize, said: Said<'_>, pen: &mut Pen<'_>) -> Result<()> {
        let message = match said {
            Said::Message(message) => message,
            Said::In => bail!("let in twice"),
            Said::Closed(reason) => bail!("closed: {reason}"),
        };
        let lane = &mut self.lanes[number];
        let read = self.stamp.read(message.body, pen.now)?;
        lane.1 += 1;
        ensure!(
            read.number == lane.1,
            "answer {} came in the place of {}",
            read.number,
            lane.1
        );
        if let Some(latencies) = &mut self.latencies {
            latencies.record(read.age);
        }
        if self.goes_on {
            lane.0 += 1;
            pen.put(self.cmd, self.stamp.write(0, lane.0, pen.now));
        }
        Ok(())
    }
}
