//! A whole daemon that has no work: it shows what a daemon's `main.rs` looks
//! like, and stands in for the real ones in tests.
//!
//! ```sh
//! cargo run -p daemon --example idle -- --topology configs/local.toml --name gate@0
//! ```

use std::process::ExitCode;

use clap::Parser;
use daemon::Daemon;
use protocol::v1::Role;
use tracing::info;

/// Takes a gate's name and its address, and does nothing with them.
#[derive(Parser)]
#[command(version = daemon::build_version(), after_help = daemon::EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    args: daemon::Args,

    /// Never finishes draining
    #[arg(long)]
    stubborn: bool,

    /// Never gets ready, nor listens to who wants it to stop
    #[arg(long)]
    deaf: bool,
}

fn main() -> ExitCode {
    match daemon::parse::<Cli>() {
        Ok(cli) => daemon::run(&cli.args, Role::Gate, async |daemon| {
            work(daemon, &cli).await
        }),
        Err(exit) => exit.into(),
    }
}

async fn work(daemon: Daemon, cli: &Cli) -> anyhow::Result<()> {
    let plan = &daemon.boot.topology.gates[&daemon.boot.name];
    let listener = plan
        .tcp
        .map(|address| daemon.bind("tcp", address))
        .transpose()?;
    if let Some(listener) = &listener {
        info!(tcp = %listener.local_addr()?, "listening");
    }
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
