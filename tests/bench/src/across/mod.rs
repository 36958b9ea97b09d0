//! What a call between groups costs, beside the same call inside a group.
//!
//! A requester and a responder are processes of their own, each with one node. Inside
//! a group one broker is between them; across groups it is the broker of one, a bridge,
//! and the broker of the other. Both are measured in turn, round after round.

mod between;
mod table;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    cli::seconds,
    job::{Job, Measured, Side},
    peer::Peer,
    process::{Broker, SideProcess},
    report,
    shapes::Load,
};
use between::{Bridge, EXPORTS, OTHER, OWN};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Calls that the requester has in flight
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 1024],
        value_parser = in_flight)]
    in_flight: Vec<usize>,

    /// Bytes of each body
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [64])]
    body: Vec<usize>,

    /// How long each load is measured
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,

    /// How often each load runs; the table has the medians
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// One small load, to see that the tool works
    #[arg(long)]
    quick: bool,
}

/// Where the responder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Inside,
    Across,
}

/// A load, and for how long it is watched.
#[derive(Clone, Copy, Debug)]
struct Plan {
    in_flight: usize,
    body: usize,
    seconds: Duration,
    warm_up: Duration,
}

/// Measures, and prints as it goes.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (loads, bodies, rounds) = match options.quick {
        true => (&[16][..], &options.body[..1], 1),
        false => (&options.in_flight[..], &options.body[..], options.rounds),
    };
    let (seconds, warm_up) = match options.quick {
        true => (Duration::from_millis(100), Duration::from_millis(20)),
        false => (
            Duration::from_secs_f64(options.seconds),
            Duration::from_millis(500),
        ),
    };
    table::head();
    for in_flight in loads {
        for body in bodies {
            let plan = Plan {
                in_flight: *in_flight,
                body: *body,
                seconds,
                warm_up,
            };
            let places = [Where::Inside, Where::Across];
            let mut measured = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                for (place, measured) in places.into_iter().zip(&mut measured) {
                    let once = one(plan, place)
                        .with_context(|| format!("{in_flight} in flight, {body} B, {place:?}"))?;
                    measured.push(once);
                }
            }
            let [inside, across] = measured.map(|rounds| report::median(&rounds));
            table::rows(*in_flight, *body, &inside, &across);
        }
    }
    Ok(())
}

fn one(plan: Plan, place: Where) -> Result<Measured> {
    let own = Broker::of_group(OWN, "")?;
    let other = match place {
        Where::Inside => None,
        Where::Across => Some(Broker::of_group(OTHER, EXPORTS)?),
    };
    let bridge = match &other {
        None => None,
        Some(other) => Some(Bridge::start(own.address(), other.address())?),
    };
    let brokers = || std::iter::once(&own).chain(&other);
    let job = Job {
        side: Side::Responder,
        peer: Peer::Ours,
        broker: other.as_ref().unwrap_or(&own).address(),
        load: Load::Calls {
            requesters: 1,
            in_flight: plan.in_flight,
        },
        body: plan.body,
        warm_up: plan.warm_up,
        seconds: plan.seconds,
        broker_pids: brokers().map(Broker::pid).collect(),
        bridge_pid: bridge.as_ref().map(Bridge::pid),
        other_group: None,
        responder_pid: None,
    };
    let mut responder = SideProcess::start(&job)?;
    responder.wait_until_ready()?;
    let requester = SideProcess::start(&Job {
        side: Side::Requester,
        broker: own.address(),
        other_group: other.is_some().then(|| OTHER.to_owned()),
        responder_pid: Some(responder.pid()),
        ..job
    })?;
    let measured = requester.measured();
    match (&measured, &bridge) {
        (Err(_), Some(bridge)) => measured.with_context(|| bridge.log()),
        _ => measured,
    }
}

fn in_flight(text: &str) -> Result<usize> {
    let calls: usize = text.parse()?;
    ensure!(
        (1..=65_536).contains(&calls),
        "expected a number from 1 to 65536"
    );
    Ok(calls)
}
