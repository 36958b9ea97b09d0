//! What links within a process save: the same calls, with all nodes and their
//! master in one process, over memory and over loopback sockets in turn.

use std::{fmt, net::Ipv4Addr, process, time::Duration};

use anyhow::{Result, ensure};
use broker_master::{Master, MasterConfig};
use clap::Args;
use ffrpc::{Node, Services, Uplink};
use protocol::Secret;
use tokio::{net::TcpListener, runtime, task::JoinSet};

use crate::{
    cli::seconds,
    cpu,
    load::{Meter, slot_body},
    peer::ours,
    report::middle,
};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How long each load is measured
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,

    /// How often each load runs; the table has the medians
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// One small load, to see that the tool works
    #[arg(long)]
    quick: bool,
}

/// How nodes and their master are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Memory,
    Sockets,
}

/// Requesters, and calls that each has in flight.
type Load = (usize, usize);

const LOADS: [Load; 3] = [(1, 1), (1, 64), (32, 32)];
const BODIES: [usize; 2] = [64, 1024];

#[derive(Clone, Copy, Debug)]
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
    /// CPU microseconds of the process for each call.
    cpu: f64,
    failures: u64,
}

/// Measures, and prints as it goes.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (loads, bodies, rounds, time) = match options.quick {
        true => (&[(2, 8)][..], &BODIES[..1], 1, Duration::from_millis(100)),
        false => (
            &LOADS[..],
            &BODIES[..],
            options.rounds,
            Duration::from_secs_f64(options.seconds),
        ),
    };
    println!("| load | body | links | calls/s | p50 µs | p99 µs | CPU µs per call |");
    println!("|---|--:|---|--:|--:|--:|--:|");
    for load in loads {
        for body in bodies {
            let ways = [Way::Memory, Way::Sockets];
            let mut measured = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                for (way, measured) in ways.iter().zip(&mut measured) {
                    // One thread, so that the rate is bounded by the CPU alone.
                    let runtime = runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    measured.push(runtime.block_on(one(*way, *load, *body, time))?);
                }
            }
            let [memory, sockets] = measured.map(|rounds| Measured {
                rate: middle(&rounds, |round| round.rate),
                p50: middle(&rounds, |round| round.p50),
                p99: middle(&rounds, |round| round.p99),
                cpu: middle(&rounds, |round| round.cpu),
                failures: rounds.iter().map(|round| round.failures).sum(),
            });
            let load = format!("{}x{}", load.0, load.1);
            for (way, row) in ways.iter().zip([memory, sockets]) {
                println!(
                    "| {load} | {body} | {way} | {:.0} | {:.0} | {:.0} | {:.2} |",
                    row.rate, row.p50, row.p99, row.cpu
                );
                if row.failures > 0 {
                    eprintln!("{load}, {body} B, {way}: {} failed", row.failures);
                }
            }
            println!(
                "| {load} | {body} | **memory / sockets** | **{:.2}** | {:.2} | {:.2} | **{:.2}** |",
                memory.rate / sockets.rate,
                memory.p50 / sockets.p50,
                memory.p99 / sockets.p99,
                memory.cpu / sockets.cpu,
            );
        }
    }
    Ok(())
}

async fn one(
    way: Way,
    (requesters, in_flight): Load,
    body: usize,
    time: Duration,
) -> Result<Measured> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let master = Master::start(config()?, listener)?;
    let uplink = || match way {
        Way::Memory => Uplink::Local(master.local()),
        Way::Sockets => Uplink::Remote(master.address()),
    };
    let mut nodes = vec![ours::join(uplink(), "responder", 0, ours::echo())?];
    for index in 0..requesters {
        nodes.push(ours::join(uplink(), "requester", index, Services::new())?);
    }
    ours::ready(&nodes).await?;
    ours::settled(&nodes, requesters + 1).await?;

    // Calls that are under way when it ends still point to it.
    let meter: &'static Meter = Box::leak(Box::default());
    let mut calls = JoinSet::new();
    for node in &nodes[1..] {
        let responder = ours::find(node, "responder", 0).await?;
        for _ in 0..in_flight {
            calls.spawn(ours::call(
                node.clone(),
                responder,
                slot_body(0, body),
                meter,
            ));
        }
    }
    tokio::time::sleep(time.mul_f64(0.3)).await;
    let before = cpu::of_process(process::id())?;
    let (latencies, seconds) = meter.watch(time).await;
    let used = cpu::of_process(process::id())? - before;
    calls.shutdown().await;
    let failures = meter.failures();
    leave(&nodes).await;
    master.shutdown().await;

    ensure!(latencies.total() > 0, "nothing came back");
    let count = latencies.total() as f64;
    Ok(Measured {
        rate: count / seconds,
        p50: latencies.microseconds(0.5),
        p99: latencies.microseconds(0.99),
        cpu: used.as_secs_f64() * 1e6 / count,
        failures,
    })
}

async fn leave(nodes: &[Node]) {
    for node in nodes {
        node.leave().await;
    }
}

fn config() -> Result<MasterConfig> {
    Ok(MasterConfig {
        name: "master@0".parse()?,
        group: "bench".parse()?,
        secret: Secret::default(),
        lease: Duration::from_secs(3),
        outbox_bytes: 64 << 20,
        build: String::new(),
        epoch_file: None,
        tls: None,
        exports: Default::default(),
    })
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Memory => "memory",
            Way::Sockets => "sockets",
        })
    }
}
