//! What stands between clients and a group: TLS, login gates, coming back, compression.
//! Each is measured beside the same without it, round after round, with the Rust SDK.

mod clients;
mod loads;

use std::net::Ipv4Addr;

use ::tests::{Certificate, Histogram};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use crate::gate::{
    measured::{self, Measured},
    server::{Kind, Layout, Server, Subject},
};
use clients::Way;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Which loads; all of them unless given
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    load: Vec<Load>,

    /// How often each load runs; the table has the medians
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Small loads, to see that the tool works
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Load {
    /// Clients that come, 64 at a time: directly, through TLS, through a login gate
    Login,
    /// Messages that come back, with TLS and without
    Echo,
    /// Sessions that all lose their connection at once, and come back
    Resume,
    /// Large messages that come back, compressed and not
    Compression,
}

/// The bodies of messages, in bytes.
const SMALL: usize = 64;
const LARGE: usize = 4096;

/// What is compared, and how many of it.
#[derive(Clone, Copy, Debug)]
struct Plan {
    logins: usize,
    sessions: usize,
    /// Clients with messages under way, and how many of each.
    echo: (usize, usize),
    seconds: f64,
    rounds: u32,
}

/// Measures, and prints as it goes.
pub(crate) fn run(options: &Options) -> Result<()> {
    daemon::raise_file_limit().context("cannot raise the limit of open files")?;
    let plan = match options.quick {
        true => Plan {
            logins: 50,
            sessions: 10,
            echo: (2, 4),
            seconds: 0.1,
            rounds: 1,
        },
        false => Plan {
            logins: 5_000,
            sessions: 1_000,
            echo: (50, 16),
            seconds: 2.0,
            rounds: options.rounds,
        },
    };
    let all = [Load::Login, Load::Echo, Load::Resume, Load::Compression];
    let loads = match &options.load[..] {
        [] => &all[..],
        some => some,
    };
    let certificate = Certificate::of(&[Ipv4Addr::LOCALHOST.into()]);
    measured::head();
    for load in loads {
        several(*load, plan, &certificate)?;
    }
    Ok(())
}

/// All rounds of one load, and its rows.
fn several(load: Load, plan: Plan, certificate: &Certificate) -> Result<()> {
    let cases: Vec<(String, Way)> = match load {
        Load::Login => [Way::Tcp, Way::Tls, Way::TlsAgain, Way::LoginGate]
            .map(|way| (format!("login-{}", plan.logins), way))
            .into(),
        Load::Echo => {
            let (clients, each) = plan.echo;
            let bodies = [SMALL, LARGE].into_iter();
            let cases = bodies.flat_map(|body| {
                [Way::Tcp, Way::Tls, Way::WebSocket, Way::Wss]
                    .map(|way| (format!("{clients}x{each}, {body} B"), way))
            });
            cases.collect()
        }
        Load::Resume => [Way::Tcp, Way::Tls]
            .map(|way| (format!("resume-{}", plan.sessions), way))
            .into(),
        Load::Compression => [Way::Tcp, Way::Compressed]
            .map(|way| (format!("{}x4, 4096 B", plan.echo.0), way))
            .into(),
    };
    let mut rounds = vec![Vec::new(); cases.len()];
    for _ in 0..plan.rounds {
        for ((name, way), rounds) in cases.iter().zip(&mut rounds) {
            let one = || -> Result<Measured> {
                let server = start(*way, certificate)?;
                let runtime = runtime()?;
                let body = if name.ends_with(" 64 B") {
                    SMALL
                } else {
                    LARGE
                };
                runtime.block_on(async {
                    let clients = clients::Clients::new(&server, *way, certificate)?;
                    match load {
                        Load::Login => loads::login(&server, &clients, plan.logins).await,
                        Load::Echo => {
                            loads::echo(&server, &clients, plan.echo, body, plan.seconds).await
                        }
                        Load::Resume => loads::resume(&server, &clients, plan.sessions).await,
                        Load::Compression => {
                            let echo = (plan.echo.0, 4);
                            loads::echo(&server, &clients, echo, body, plan.seconds).await
                        }
                    }
                })
            };
            rounds.push(one().with_context(|| format!("{name}, {way:?}"))?);
        }
    }
    for ((name, way), rounds) in cases.iter().zip(&rounds) {
        measured::row(name, way.as_str(), "ours", &Measured::median(rounds));
    }
    if load == Load::Compression {
        let (before, after) = loads::compressed(LARGE);
        println!("\nA body of {before} B is {after} B when it is compressed.");
    }
    Ok(())
}

fn start(way: Way, certificate: &Certificate) -> Result<Server> {
    let layout = Layout {
        login_gate: way == Way::LoginGate,
        certificate: way.is_encrypted().then(|| certificate.lines()),
        ..Layout::default()
    };
    let subject = Subject {
        name: "ours".to_owned(),
        kind: Kind::Group(None),
    };
    Server::start(&subject, &layout)
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}

/// What was measured, of so many.
fn measure(
    latencies: &Histogram,
    count: u64,
    seconds: f64,
    server: &Server,
    before: crate::gate::usage::Usage,
) -> Result<Measured> {
    let used = server.processes.usage()?;
    Ok(Measured::of(
        latencies,
        count,
        seconds,
        used.each(before, count),
    ))
}
