//! `broker-master --topology FILE --name master@0`

use std::process::ExitCode;

use broker_master::{Master, MasterConfig};
use clap::Parser;
use daemon::{Args, Daemon};
use protocol::v1::Role;
use tracing::info;

/// Keeps the directory of a group and routes between its nodes.
#[derive(Debug, Parser)]
#[command(version, after_help = daemon::EXIT_CODES)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    match daemon::parse::<Command>() {
        Ok(command) => daemon::run(&command.args, Role::Master, serve),
        Err(exit) => exit.into(),
    }
}

async fn serve(daemon: Daemon) -> anyhow::Result<()> {
    let topology = &daemon.boot.topology;
    let listener = daemon.bind("listen", topology.master.listen)?;
    let config = MasterConfig {
        name: daemon.boot.name.clone(),
        group: topology.group.clone(),
        secret: topology.security.secret.clone(),
        lease: topology.limits.lease,
        outbox_bytes: topology.limits.link_outbox_bytes,
        build: daemon::build_version().to_owned(),
        // Nobody comes back to a port that was chosen for this run alone.
        epoch_file: (topology.master.listen.port() != 0)
            .then(|| topology.master.epoch_file.clone()),
        tls: daemon.boot.tls.clone(),
        exports: (&topology.exports).into(),
    };
    let master = Master::start(config, listener)?;
    info!(address = %master.address(), "listening for nodes");
    daemon.ready();

    let follow = daemon.follow(|plan| {
        master.set_exports((&plan.exports).into());
        master.set_secret(plan.security.secret.clone());
    });
    tokio::select! {
        () = daemon.shutdown.requested() => {}
        () = follow => {}
    }
    daemon.drain(master.shutdown()).await;
    Ok(())
}
