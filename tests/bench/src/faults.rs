//! What callers see when brokers come and go: nodes that call each other all
//! the time, brokers that are hurt in turn, and the longest call of each pair
//! that was hit.

use std::{collections::BTreeMap, fmt, time::Duration};

use ::tests::{Brokers, Load, MASTER, Report, Seed, Signal, Stalls, Traffic, eventually, slave};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use ffrpc::channel::{Broker, Routes};
use protocol::{NodeId, v1::Role};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Which of them; all unless given
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    fault: Vec<Fault>,

    /// How often each happens
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Nodes, each of which calls each other
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=64))]
    nodes: u32,

    /// Slaves
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=7))]
    slaves: u16,

    /// A round of two faults, to see that the tool works
    #[arg(long)]
    quick: bool,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// Nothing, for comparison
    None,
    /// A slave is killed
    Kill,
    /// A slave is stopped for two and a half seconds, and goes on
    Freeze,
    /// A slave is told to end
    Drain,
    /// A slave is started
    Add,
    /// The master is killed, and started again after two seconds
    MasterKill,
}

/// What it did to the calls.
#[derive(Debug, Default)]
struct Seen {
    /// The longest call of each pair that was hit, of all rounds, sorted.
    hit: Vec<Duration>,
    /// The longest call of all other pairs.
    others: Duration,
}

/// Measures, and prints as it goes.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut brokers = Brokers::start(options.slaves).await;
        let mut seed = Seed::new();
        println!(
            "| fault | rounds | pairs hit | p50 ms | p99 ms | longest ms | longest of others ms | calls | failed | lost, repeated, reordered | goal |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|");
        for fault in options.faults() {
            let (seen, report) = several(&mut brokers, fault, options, &mut seed).await?;
            row(fault, options.rounds(), &seen, &report);
            let damage = report.lost + report.repeated + report.reordered;
            ensure!(report.failed() == 0 && damage == 0, "{fault}: {report}");
        }
        Ok(())
    })
}

impl Options {
    fn faults(&self) -> Vec<Fault> {
        match (self.quick, self.fault.is_empty()) {
            (true, _) => vec![Fault::Kill, Fault::Drain],
            (false, true) => Fault::value_variants().to_vec(),
            (false, false) => self.fault.clone(),
        }
    }

    fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }
}

/// One fault, over and over.
async fn several(
    brokers: &mut Brokers,
    fault: Fault,
    options: &Options,
    seed: &mut Seed,
) -> Result<(Seen, Report)> {
    let load = Load {
        nodes: options.nodes,
        in_flight: 4,
        pause: Duration::from_millis(2),
        body: 64,
    };
    let traffic = Traffic::start(brokers, load).await;
    let mut seen = Seen::default();
    for round in 0..options.rounds() {
        let victim = match fault {
            Fault::Add => slave(options.slaves),
            Fault::MasterKill => MASTER.to_owned(),
            _ => slave((round % u32::from(options.slaves)) as u16),
        };
        pause(300).await;
        traffic.flows().await;
        let before = slaves(brokers).await?;
        traffic.take_stalls();
        seed.moment().await;
        strike(brokers, fault, &victim).await;
        traffic.flows().await;
        let stalls = traffic.take_stalls();
        // Of a slave that was added the directory tells only now.
        let slaves = match fault {
            Fault::Add => slaves(brokers).await?,
            _ => before,
        };
        seen.take(&stalls, &slaves, &victim);
        heal(brokers, fault, &victim, options.slaves).await;
    }
    seen.hit.sort();
    Ok((seen, traffic.stop().await))
}

/// Does it, and waits until whoever is hit has felt it.
async fn strike(brokers: &mut Brokers, fault: Fault, victim: &str) {
    match fault {
        Fault::None => pause(1000).await,
        Fault::Kill => {
            brokers.end(victim, Signal::KILL).await;
            pause(1000).await;
        }
        Fault::Freeze => {
            brokers.signal(victim, Signal::STOP);
            // Shorter than its lease: it stays the slave that it is.
            pause(2500).await;
            brokers.signal(victim, Signal::CONT);
            pause(1000).await;
        }
        Fault::Drain => {
            brokers.end(victim, Signal::TERM).await;
            pause(500).await;
        }
        Fault::Add => {
            let ready = brokers.names().filter(|name| *name != MASTER).count();
            brokers.run(victim);
            brokers.has_slaves(ready + 1).await;
            pause(500).await;
        }
        Fault::MasterKill => {
            let nodes = brokers.nodes().await.map_or(0, |nodes| nodes.len());
            brokers.end(MASTER, Signal::KILL).await;
            pause(2000).await;
            brokers.run(MASTER);
            eventually("the directory is whole", async || {
                (brokers.nodes().await?.len() == nodes).then_some(())
            })
            .await;
            // It takes nobody new for a lease.
            pause(3500).await;
        }
    }
}

/// All brokers are there again.
async fn heal(brokers: &mut Brokers, fault: Fault, victim: &str, slaves: u16) {
    match fault {
        Fault::None | Fault::MasterKill => {}
        // Pairs pass over for a while what has let them down.
        Fault::Freeze => pause(5500).await,
        Fault::Kill | Fault::Drain => brokers.run(victim),
        Fault::Add => brokers.end(victim, Signal::TERM).await,
    }
    brokers.has_slaves(slaves.into()).await;
}

impl Seen {
    /// Takes in a round. A pair is hit if the victim carries what one of the two
    /// says to the other.
    fn take(&mut self, stalls: &Stalls, slaves: &BTreeMap<String, NodeId>, victim: &str) {
        let routes = Routes {
            slaves: slaves.values().copied().collect(),
            master: true,
        };
        let victim = slaves.get(victim).map(|id| Broker::Slave(*id));
        for ((source, destination), stall) in stalls {
            let ends = [*source, *destination].map(NodeId::from_u64);
            let way = |from, to| routes.choose(from, to, |_| true);
            let ways = [way(ends[0], ends[1]), way(ends[1], ends[0])];
            // Nobody's way leads over the master: all are hit, or none.
            if victim.is_none() || ways.contains(&victim) {
                self.hit.push(*stall);
            } else {
                self.others = self.others.max(*stall);
            }
        }
    }

    /// The longest call of so large a share of the pairs.
    fn quantile(&self, quantile: f64) -> Duration {
        let rank = (self.hit.len() as f64 * quantile).ceil().max(1.0) as usize;
        self.hit.get(rank - 1).copied().unwrap_or_default()
    }
}

impl Fault {
    fn goal(self) -> &'static str {
        match self {
            Fault::Kill => "p99 < 100 ms, 0 failed",
            Fault::Freeze => "longest < 1500 ms, 0 failed",
            Fault::None | Fault::Drain | Fault::Add | Fault::MasterKill => "0 failed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

fn row(fault: Fault, rounds: u32, seen: &Seen, report: &Report) {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    println!(
        "| {fault} | {rounds} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} | {}, {}, {} | {} |",
        seen.hit.len(),
        milliseconds(seen.quantile(0.5)),
        milliseconds(seen.quantile(0.99)),
        milliseconds(seen.quantile(1.0)),
        milliseconds(seen.others),
        report.answered(),
        report.failed(),
        report.lost,
        report.repeated,
        report.reordered,
        fault.goal(),
    );
}

/// The slaves of the directory.
async fn slaves(brokers: &Brokers) -> Result<BTreeMap<String, NodeId>> {
    let nodes = brokers.nodes().await.context("the master is away")?;
    Ok(nodes
        .into_iter()
        .filter(|node| node.role() == Role::Slave)
        .map(|node| (node.name, NodeId::from_u64(node.node_id)))
        .collect())
}

async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_longest_call_of_a_share_of_the_pairs() {
        let hit = (1..=200).map(Duration::from_millis).collect();
        let seen = Seen {
            hit,
            ..Seen::default()
        };
        let read = [0.5, 0.99, 1.0].map(|quantile| seen.quantile(quantile).as_millis());
        assert_eq!(read, [100, 198, 200]);
        assert_eq!(Seen::default().quantile(0.99), Duration::ZERO);
    }
}
