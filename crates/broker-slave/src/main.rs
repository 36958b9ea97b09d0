//! `broker-slave --topology FILE --name slave@0`

use std::process::ExitCode;

use anyhow::Context;
use broker_slave::{Slave, SlaveConfig};
use clap::Parser;
use daemon::{Args, Daemon};
use ffrpc::{Encryption, Uplink};
use protocol::v1::Role;
use tracing::info;

/// Routes between the nodes of a group, in its master's place.
#[derive(Debug, Parser)]
#[command(version, after_help = daemon::EXIT_CODES)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    match daemon::parse::<Command>() {
        Ok(command) => daemon::run(&command.args, Role::Slave, serve),
        Err(exit) => exit.into(),
    }
}

async fn serve(daemon: Daemon) -> anyhow::Result<()> {
    let topology = &daemon.boot.topology;
    let name = daemon.boot.name.clone();
    let place = topology.slaves.get(&name).context("not in the topology")?;
    let listener = daemon.bind("listen", place.listen)?;
    let config = SlaveConfig {
        name,
        group: topology.group.clone(),
        secret: topology.security.secret.clone(),
        advertise: place.advertise.clone(),
        outbox_bytes: topology.limits.link_outbox_bytes,
        build: daemon::build_version().to_owned(),
        encryption: daemon.boot.tls.clone().map(|tls| Encryption {
            tls,
            group: topology.group.clone(),
        }),
    };
    let uplink = Uplink::Remote(topology.master.listen);
    let slave = Slave::start(config, listener, uplink)?;
    slave.set_vitals(daemon::vitals());
    info!(address = %slave.address(), "listening for nodes");

    let life = async {
        slave.ready().await;
        daemon.ready();
        std::future::pending::<()>().await;
    };
    let follow = daemon.follow(|plan| slave.set_secret(plan.security.secret.clone()));
    tokio::select! {
        () = daemon.shutdown.requested() => {}
        () = life => {}
        () = follow => {}
    }
    let grace = daemon.drain_grace();
    daemon.drain(slave.shutdown(grace)).await;
    Ok(())
}
