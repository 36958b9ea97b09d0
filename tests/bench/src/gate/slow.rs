//! A client that reads nothing while it is sent a lot: what its neighbours see
//! of it, and what the gate keeps for it. The same with one who reads is what
//! the sending alone costs.

use std::time::{Duration, Instant};

use ::tests::Histogram;
use anyhow::{Result, bail};

use super::{
    echo::{Echoes, Time},
    login::{TURN, enter},
    server::Server,
    swarm::{Said, Swarm},
    usage::Part,
};
use crate::report::middle;

/// What was seen beside the one who reads, or does not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slow {
    /// The neighbours' latencies in microseconds.
    p50: f64,
    p99: f64,
    max: f64,
    /// How far the gate's memory was above where it began, at most, in KiB.
    growth: f64,
    /// How often the reader was closed.
    closed: u64,
}

const NEIGHBOURS: usize = 50;
/// A number, and the session that is sent so many pages of 4 KiB.
const PUSH: u16 = 4;
const PAGES: u32 = 16;
/// Pages are asked for so often: 12 MiB a second, of one who reads only when it has
/// all that it was sent. Before a client is slow for the gate, the kernel takes as
/// many for it as its socket's buffers may have.
const PERIOD: Duration = Duration::from_millis(5);
/// What the reader's socket takes by itself is little.
const RECEIVE_BUFFER: usize = 4096;

/// Measures beside a client that reads, or one that does not.
pub(crate) fn run(
    server: &Server,
    websocket: bool,
    reads: bool,
    body: usize,
    time: Time,
) -> Result<Slow> {
    let mut swarm = Swarm::new()?;
    enter(&mut swarm, server, websocket, NEIGHBOURS)?;
    // And one who asks for the pages.
    enter(&mut swarm, server, websocket, 1)?;
    let mut beside = Beside {
        echoes: Echoes::new(NEIGHBOURS, body),
        readers: 0,
        missing: 0,
        reader: 0,
        is_in: false,
        closed: 0,
        reads: true,
    };
    beside.echoes.begin(&mut swarm, 1)?;
    beside.echoes.go_on(&mut swarm, time.warm_up)?;

    // First beside one who reads, so that what the sending needs is there.
    beside.open(&mut swarm, server, websocket)?;
    beside.push(&mut swarm, server, websocket, time.warm_up)?;
    let begin = server.processes.resident(Part::Gate)?;
    beside.echoes.latencies = Some(Histogram::default());
    if !reads {
        beside.reads = false;
        beside.readers += 1;
        beside.open(&mut swarm, server, websocket)?;
    }
    let most = beside.push(&mut swarm, server, websocket, time.seconds)?;
    let latencies = beside.echoes.latencies.take().unwrap_or_default();
    Ok(Slow {
        p50: latencies.microseconds(0.5),
        p99: latencies.microseconds(0.99),
        max: latencies.microseconds(1.0),
        growth: most.saturating_sub(begin) as f64 / 1024.0,
        closed: beside.closed,
    })
}

struct Beside {
    echoes: Echoes,
    /// How many readers there have been.
    readers: u64,
    /// How many pages the reader has yet to get, if it reads.
    missing: u32,
    /// The number of the client that is sent the pages.
    reader: usize,
    is_in: bool,
    closed: u64,
    reads: bool,
}

impl Beside {
    fn name(&self) -> String {
        format!("reader-{}", self.readers)
    }

    fn open(&mut self, swarm: &mut Swarm, server: &Server, websocket: bool) -> Result<()> {
        let (address, wire) = server.door(websocket, swarm.len())?;
        let buffer = (!self.reads).then_some(RECEIVE_BUFFER);
        self.is_in = false;
        self.reader = swarm.open(address, wire, &self.name(), buffer)?;
        Ok(())
    }

    /// Has the reader sent pages for so long, and says what the gate needed at
    /// most. Where it was closed there is another one.
    fn push(
        &mut self,
        swarm: &mut Swarm,
        server: &Server,
        websocket: bool,
        time: Duration,
    ) -> Result<u64> {
        let mut most = 0;
        let until = Instant::now() + time;
        let mut next = Instant::now();
        while Instant::now() < until {
            let has_all = !self.reads || self.missing == 0;
            if self.is_in && has_all && Instant::now() >= next {
                self.missing = PAGES;
                next = Instant::now() + PERIOD;
                let mut push = PAGES.to_le_bytes().to_vec();
                push.extend_from_slice(self.name().as_bytes());
                swarm.send(NEIGHBOURS, PUSH, &push)?;
                most = most.max(server.processes.resident(Part::Gate)?);
            }
            let closed = self.closed;
            self.turn(swarm)?;
            if self.closed > closed {
                self.readers += 1;
                self.open(swarm, server, websocket)?;
            }
        }
        Ok(most)
    }

    fn turn(&mut self, swarm: &mut Swarm) -> Result<()> {
        let was_in = self.is_in;
        let reader = self.reader;
        swarm.turn(TURN.min(PERIOD / 4), |number, said, pen| {
            if number < NEIGHBOURS {
                return self.echoes.hear(number, said, pen);
            }
            // Who does not read hears nothing of its end either: the scene tells.
            if let (NEIGHBOURS, Said::Message(message)) = (number, said) {
                let gone = message.body.first_chunk();
                self.closed = gone.map_or(0, |gone| u64::from_le_bytes(*gone));
            }
            if number != reader {
                return Ok(());
            }
            match said {
                Said::In => self.is_in = true,
                Said::Message(_) => self.missing = self.missing.saturating_sub(1),
                Said::Closed(reason) if self.reads => bail!("the reader was closed: {reason}"),
                Said::Closed(_) => {}
            }
            Ok(())
        })?;
        if self.is_in && !was_in && !self.reads {
            swarm.mute(self.reader)?;
        }
        Ok(())
    }
}

/// The table's head.
pub(crate) fn head() {
    println!(
        "| a client that | over | subject | neighbours' p50 µs | p99 µs | max µs | gate's memory, KiB more | closed |"
    );
    println!("|---|---|---|--:|--:|--:|--:|--:|");
}

/// A row of it: the median of the rounds.
pub(crate) fn row(reads: bool, over: &str, subject: &str, rounds: &[Slow]) {
    println!(
        "| {} | {over} | {subject} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
        if reads { "reads" } else { "never reads" },
        middle(rounds, |round| round.p50),
        middle(rounds, |round| round.p99),
        middle(rounds, |round| round.max),
        middle(rounds, |round| round.growth),
        middle(rounds, |round| round.closed as f64)
    );
}
