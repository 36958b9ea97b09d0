//! `gate --topology FILE --name gate@0`

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use daemon::{Args, Daemon};
use ffrpc::{Credentials, Uplink};
use gate::{Gate, GateConfig, Listeners};
use protocol::{tls::PublicTls, v1::Role};

/// Messages are made on one thread and freed on another, which costs the system's
/// allocator a fifth of this daemon's time with 800 frames in flight.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Holds the clients of a group: their sockets, their sessions, their limits.
#[derive(Debug, Parser)]
#[command(version, after_help = daemon::EXIT_CODES)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    match daemon::parse::<Command>() {
        Ok(command) => daemon::run(&command.args, Role::Gate, serve),
        Err(exit) => exit.into(),
    }
}

async fn serve(daemon: Daemon) -> anyhow::Result<()> {
    let topology = &daemon.boot.topology;
    let name = daemon.boot.name.clone();
    let place = topology.gates.get(&name).context("not in the topology")?;
    let listen = |field, address: Option<_>| address.map(|at| daemon.bind(field, at)).transpose();
    let listeners = Listeners {
        tcp: listen("tcp", place.tcp)?,
        websocket: listen("websocket", place.websocket)?,
        tls: place
            .certificate
            .clone()
            .map(PublicTls::load)
            .transpose()
            .with_context(|| format!("certificate and key of {name}"))?,
    };
    let config = GateConfig::of(topology, &name).context("not in the topology")?;
    let uplink = Uplink::Remote(topology.master.listen);
    let (secret, tls) = (topology.security.secret.clone(), daemon.boot.tls.clone());
    let credentials = Credentials::new(secret, tls, &topology.group);
    let build = daemon::build_version().to_owned();
    let gate = Gate::start(config, listeners, uplink, credentials, build);
    gate.set_vitals(daemon::vitals());

    let life = async {
        gate.ready().await;
        daemon.ready();
        gate.report_readiness(daemon.readiness.clone());
        // An operator asks as a first signal does, so that the next one insists.
        gate.drain_requested().await;
        daemon.shutdown.request();
    };
    let follow = daemon.follow(|plan| {
        if let Some(config) = GateConfig::of(plan, &name) {
            gate.reconfigure(&config);
        }
        gate.set_secret(plan.security.secret.clone());
    });
    tokio::select! {
        () = daemon.shutdown.requested() => {}
        () = life => {}
        () = follow => {}
    }
    let grace = daemon.drain_grace();
    let forced = daemon.shutdown.forced();
    daemon
        .drain(async { _ = gate.drain(grace, forced).await })
        .await;
    Ok(())
}
