//! What of it is asked for.

use std::time::Duration;

use clap::Args;

use super::group::Load;
use crate::{cli::seconds, gate::echo::Time};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Which loads: crossing (a host without sockets), and of a whole group
    /// nothing, raw, json, async, async-json, waits, service, timers, sqlite,
    /// mariadb (with --mariadb). All unless given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    load: Vec<String>,

    /// How many clients, each with how many messages in flight
    #[arg(long, value_name = "NxN", default_value = "1000x1", value_parser = clients)]
    clients: (usize, usize),

    /// A database to ask, such as mysql://user:password@127.0.0.1:3306/test; the
    /// scenes make tables of their own in it
    #[arg(long, value_name = "URL")]
    mariadb: Option<String>,

    /// Bytes of each body
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(44..=16384))]
    body: u32,

    /// How long each load is measured
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,

    /// How often each load runs; the table has the medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// A little of each kind, to see that the tool works
    #[arg(long)]
    quick: bool,
}

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) crossing: bool,
    pub(crate) loads: Vec<Load>,
    pub(crate) clients: usize,
    pub(crate) in_flight: usize,
    pub(crate) mariadb: Option<String>,
    pub(crate) body: usize,
    pub(crate) time: Time,
    pub(crate) rounds: u32,
    /// How many objects a script holds, and how many timers wait.
    pub(crate) many: u32,
}

const CROSSING: &str = "crossing";

impl Options {
    pub(crate) fn plan(self) -> Plan {
        let wants = |name: &str| self.load.is_empty() || self.load.iter().any(|own| own == name);
        let loads = Load::ALL
            .into_iter()
            .filter(|load| wants(load.name()))
            .filter(|load| *load != Load::Mariadb || self.mariadb.is_some());
        let crossing = wants(CROSSING);
        let loads = loads.collect();
        let (clients, in_flight) = self.clients;
        let plan = Plan {
            crossing,
            loads,
            clients,
            in_flight,
            mariadb: self.mariadb,
            body: self.body as usize,
            time: Time {
                warm_up: Duration::from_millis(500),
                seconds: Duration::from_secs_f64(self.seconds),
            },
            rounds: self.rounds,
            many: 100_000,
        };
        if !self.quick {
            return plan;
        }
        Plan {
            clients: 5,
            in_flight: 4,
            time: Time {
                warm_up: Duration::from_millis(50),
                seconds: Duration::from_millis(200),
            },
            rounds: 1,
            many: 1_000,
            ..plan
        }
    }
}

fn clients(text: &str) -> Result<(usize, usize), String> {
    let read = || {
        let (clients, in_flight) = text.split_once('x')?;
        Some((clients.parse().ok()?, in_flight.parse().ok()?))
    };
    match read() {
        Some((clients @ 1..=50_000, in_flight @ 1..=64)) => Ok((clients, in_flight)),
        _ => Err("expected clients by messages in flight, such as 1000x1".into()),
    }
}
