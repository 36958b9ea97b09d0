//! `broker-master --topology FILE --name master@0`

use std::process::ExitCode;

use broker_master::{Master, MasterConfig};
use clap::Parser;
use daemon::{Args, Daemon};
use protocol::{NodeName, v1::Role};
use topology::Topology;
use tracing::{info, warn};

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
    master.set_vitals(daemon::vitals());
    master.expect(nodes(topology));
    info!(address = %master.address(), "listening for nodes");
    if let Some(pages) = &daemon.pages {
        let token_file = &topology.master.console_token_file;
        match master.console(token_file) {
            Ok(console) => {
                pages.mount(console);
                info!("`redrabbit console` on this machine says where the console is");
            }
            // The group needs no console.
            Err(error) => warn!(
                token_file = %token_file.display(),
                %error,
                "no console: what opens it cannot be read or written"
            ),
        }
    }
    daemon.ready();

    let follow = daemon.follow(|plan| {
        master.set_exports((&plan.exports).into());
        master.set_secret(plan.security.secret.clone());
        master.expect(nodes(plan));
    });
    tokio::select! {
        () = daemon.shutdown.requested() => {}
        () = follow => {}
    }
    daemon.drain(master.shutdown()).await;
    Ok(())
}

/// Everybody in the file who joins the master.
fn nodes(topology: &Topology) -> impl Iterator<Item = NodeName> {
    let (slaves, gates) = (topology.slaves.keys(), topology.gates.keys());
    slaves.chain(gates).chain(topology.scenes.keys()).cloned()
}
