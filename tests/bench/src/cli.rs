//! The command line.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    across, faults, front, gate, memory,
    peer::Peer,
    rounds::Plan,
    scene,
    shapes::{QUICK, Shape},
};

/// Measures what a broker carries.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Puts load on a broker, and on what it is compared with
    Broker(Options),
    /// Lets brokers die, freeze, drain and come under load, and measures how
    /// long calls take meanwhile
    Faults(faults::Options),
    /// Compares links within a process with sockets
    Memory(memory::Options),
    /// Compares calls between groups, over a bridge, with the same inside a group
    Across(across::Options),
    /// Puts load on a whole group, from clients to a script and back
    Gate(gate::Options),
    /// Measures what stands between clients and a group: TLS, login gates, coming back,
    /// compression
    Front(front::Options),
    /// Measures what scripts do within a scene: what a message costs there,
    /// service calls, timers, databases
    Scene(scene::Options),
    /// A bare socket server, for comparison; the tool starts itself so
    #[command(hide = true)]
    Echo {
        /// Where it listens
        address: SocketAddr,
    },
    /// One side of a load; the tool starts itself so
    #[command(hide = true)]
    Side {
        /// What to do, as JSON
        job: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Which loads, of 1, 64, 1024, 32x32, 256x1, 1000x1, fan-out-1,
    /// fan-out-8, fan-out-64; all but 1000x1 unless given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    shape: Vec<Shape>,

    /// Bytes of each body
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [64, 1024])]
    body: Vec<usize>,

    /// How long each load is measured
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,

    /// How often each load runs; the table has the medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// What else to measure, in alternation: nats (NATS core), link (our
    /// broker, without the node runtime on either side)
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    peer: Vec<Peer>,

    /// Threads of our broker that route
    #[arg(long, value_name = "N")]
    workers: Option<usize>,

    /// Two small loads in about a second, to see that the tool works
    #[arg(long)]
    quick: bool,
}

impl Options {
    pub(crate) fn plan(self) -> Plan {
        let mut peers = vec![Peer::Ours];
        for peer in self.peer {
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        if self.quick {
            return Plan {
                shapes: QUICK.to_vec(),
                bodies: vec![64],
                seconds: Duration::from_millis(100),
                warm_up: Duration::from_millis(20),
                rounds: 1,
                peers,
                workers: self.workers,
            };
        }
        Plan {
            shapes: match self.shape.is_empty() {
                true => Shape::usual().collect(),
                false => self.shape,
            },
            bodies: self.body,
            seconds: Duration::from_secs_f64(self.seconds),
            warm_up: Duration::from_millis(300),
            rounds: self.rounds,
            peers,
            workers: self.workers,
        }
    }
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds from 0.05 to 60".into()),
    }
}
