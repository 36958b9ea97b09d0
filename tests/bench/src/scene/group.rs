//! A group of released processes whose script is put to work.

use std::time::{Duration, Instant};

use ::tests::Histogram;
use anyhow::{Context, Result, ensure};

use super::options::Plan;
use crate::{
    cpu,
    gate::{
        echo::Echoes,
        login::enter,
        server::{Kind, Layout, Server, Subject},
        stamp::Stamp,
        swarm::Swarm,
    },
    report::middle,
};

/// What the script does with a message before it sends it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Bytes, by a plain function.
    Raw,
    /// JSON, by a plain function.
    Json,
    /// Bytes, by an `async` function that does not wait.
    Async,
    /// JSON, by an `async` function that does not wait.
    AsyncJson,
    /// The function waits for the event loop's next turn.
    Waits,
    /// It awaits a call of a service in another scene.
    Service,
    /// A timer sends it back, among many that wait.
    Timers,
    /// It awaits a row of a file.
    Sqlite,
    /// It awaits a row of a server.
    Mariadb,
}

pub(super) const SCRIPT: &str = include_str!("script.py");

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
    /// CPU microseconds for each message, of the scene's process and of its thread
    /// that runs Python.
    scene: f64,
    python: f64,
}

impl Load {
    pub(crate) const ALL: [Load; 9] = [
        Load::Raw,
        Load::Json,
        Load::Async,
        Load::AsyncJson,
        Load::Waits,
        Load::Service,
        Load::Timers,
        Load::Sqlite,
        Load::Mariadb,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Load::Raw => "raw",
            Load::Json => "json",
            Load::Async => "async",
            Load::AsyncJson => "async-json",
            Load::Waits => "waits",
            Load::Service => "service",
            Load::Timers => "timers",
            Load::Sqlite => "sqlite",
            Load::Mariadb => "mariadb",
        }
    }

    /// As the script has it.
    pub(super) const fn cmd(self) -> u16 {
        match self {
            Load::Raw => 1,
            Load::Json => 2,
            Load::Async => 3,
            Load::AsyncJson => 4,
            Load::Waits => 5,
            Load::Service => 6,
            Load::Timers => 7,
            Load::Sqlite | Load::Mariadb => 8,
        }
    }

    pub(super) const fn is_json(self) -> bool {
        matches!(self, Load::Json | Load::AsyncJson)
    }
}

/// Each load in turn, round after round, and its row.
pub(super) fn run(plan: &Plan) -> Result<()> {
    if plan.loads.is_empty() {
        return Ok(());
    }
    println!(
        "| load | clients | messages/s | p50 µs | p99 µs | scene's CPU µs | its Python thread |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|");
    for load in &plan.loads {
        let rounds = (0..plan.rounds)
            .map(|_| measure(plan, *load).with_context(|| load.name()))
            .collect::<Result<Vec<_>>>()?;
        let of = |figure: fn(&Measured) -> f64| middle(&rounds, figure);
        println!(
            "| {} | {}x{} | {:.0} | {:.0} | {:.0} | {:.2} | **{:.2}** |",
            load.name(),
            plan.clients,
            plan.in_flight,
            of(|round| round.rate),
            of(|round| round.p50),
            of(|round| round.p99),
            of(|round| round.scene),
            of(|round| round.python),
        );
    }
    Ok(())
}

fn measure(plan: &Plan, load: Load) -> Result<Measured> {
    let database = match load {
        Load::Mariadb => plan.mariadb.clone().unwrap_or_default(),
        Load::Sqlite => "sqlite".to_owned(),
        _ => String::new(),
    };
    let timers = if load == Load::Timers { plan.many } else { 0 };
    let layout = Layout {
        script: Some(SCRIPT),
        environment: vec![
            ("BENCH_DATABASE", database),
            ("BENCH_TIMERS", timers.to_string()),
        ],
        ..Layout::default()
    };
    let subject = Subject {
        name: "ours".to_owned(),
        kind: Kind::Group(None),
    };
    let server = Server::start(&subject, &layout)?;
    let mut swarm = Swarm::new()?;
    enter(&mut swarm, &server, false, plan.clients)?;
    let stamp = if load.is_json() {
        Stamp::json(plan.body)
    } else {
        Stamp::new(plan.body)
    };
    let mut echoes = Echoes::of(load.cmd(), stamp, plan.clients);
    echoes.begin(&mut swarm, plan.in_flight)?;
    echoes.go_on(&mut swarm, plan.time.warm_up)?;

    echoes.latencies = Some(Histogram::default());
    let scene = server.scene().context("there is no scene")?;
    let before = used(scene)?;
    let begun = Instant::now();
    echoes.go_on(&mut swarm, plan.time.seconds)?;
    let seconds = begun.elapsed().as_secs_f64();
    let after = used(scene)?;
    let latencies = echoes.latencies.take().unwrap_or_default();
    echoes.end(&mut swarm)?;
    let messages = latencies.total();
    ensure!(messages > 0, "nothing came back");
    let each = |before: Duration, after: Duration| {
        after.saturating_sub(before).as_secs_f64() * 1e6 / messages as f64
    };
    Ok(Measured {
        rate: messages as f64 / seconds,
        p50: latencies.microseconds(0.5),
        p99: latencies.microseconds(0.99),
        scene: each(before.0, after.0),
        python: each(before.1, after.1),
    })
}

fn used(scene: u32) -> Result<(Duration, Duration)> {
    Ok((
        cpu::of_threads(scene)?,
        cpu::of_threads_named(scene, "python")?,
    ))
}
