//! A whole daemon that has no work: it shows what a daemon's `main.rs` looks
//! like, and stands in for the real ones in tests: as a gate, or as a bridge, whose
//! topology is a file of its own.
//!
//! ```sh
//! cargo run -p daemon --example idle -- --topology configs/local.toml --name gate@0
//! ```

use std::{process::ExitCode, sync::Arc};

use clap::Parser;
use daemon::{Booted, BridgeBoot, Daemon};
use protocol::v1::Role;
use tokio::{net::TcpListener, sync::watch};
use topology::Topology;
use tracing::{debug, info};

/// Takes a gate's name and its address, and does nothing with them.
#[derive(Parser)]
#[command(version = daemon::build_version(), after_help = daemon::EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    args: daemon::Args,

    /// Is a bridge
    #[arg(long)]
    bridge: bool,

    /// Never finishes draining
    #[arg(long)]
    stubborn: bool,

    /// Never gets ready, nor listens to who wants it to stop
    #[arg(long)]
    deaf: bool,
}

fn main() -> ExitCode {
    match daemon::parse::<Cli>() {
        Ok(cli) if cli.bridge => daemon::run_bridge(&cli.args, async |daemon| {
            bridge(&daemon);
            work(daemon, &cli).await
        }),
        Ok(cli) => daemon::run(&cli.args, Role::Gate, async |daemon| {
            let _listener = gate(&daemon)?;
            let plan = daemon.plan.clone();
            tokio::select! {
                ended = work(daemon, &cli) => ended,
                () = follow(plan) => Ok(()),
            }
        }),
        Err(exit) => exit.into(),
    }
}

fn gate(daemon: &Daemon) -> anyhow::Result<Option<TcpListener>> {
    let plan = &daemon.boot.topology.gates[&daemon.boot.name];
    let listener = plan
        .tcp
        .map(|address| daemon.bind("tcp", address))
        .transpose()?;
    if let Some(listener) = &listener {
        info!(tcp = %listener.local_addr()?, "listening");
    }
    Ok(listener)
}

/// Says what the topology says, whenever it has been read again.
async fn follow(mut plan: watch::Receiver<Arc<Topology>>) {
    while plan.changed().await.is_ok() {
        let limits = plan.borrow_and_update().limits.clone();
        info!(frame_burst = limits.frame_burst, "plan changed");
        debug!(?limits, "in detail");
    }
    std::future::pending::<()>().await;
}

fn bridge(daemon: &Daemon<BridgeBoot>) {
    for (group, joined) in &daemon.boot.plan.groups {
        let encrypted = daemon.boot.tls.contains_key(group);
        info!(%group, master = %joined.master, encrypted, "would join");
    }
}

async fn work<B: Booted>(daemon: Daemon<B>, cli: &Cli) -> anyhow::Result<()> {
    if cli.deaf {
        std::future::pending::<()>().await;
    }
    daemon.ready();
    daemon.shutdown.requested().await;
    daemon
        .drain(async {
            if cli.stubborn {
                std::future::pending::<()>().await;
            }
        })
        .await;
    Ok(())
}
