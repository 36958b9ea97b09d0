//! The command line of `redrabbit-solo`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use daemon::{Exit, LogFormat, Shutdown, init_tracing, raise_file_limit};
use futures_util::FutureExt;
use topology::{Topology, TopologyError};
use tracing::{info, warn};

use crate::{Solo, demo};

/// A whole group in one process. It is what `redrabbit solo` and `redrabbit
/// demo` start.
#[derive(Debug, Parser)]
#[command(name = "redrabbit-solo", version, after_help = daemon::EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the group of a topology file in this process, over memory links.
    Solo(SoloArgs),
    /// Run the playground: chat on one side, the running script on the other.
    Demo(demo::DemoArgs),
}

#[derive(Debug, Args)]
struct SoloArgs {
    /// The topology file.
    file: PathBuf,
    /// Run this script at scene@0 instead of the one in the file.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Override a key of the file, such as gates.gate@0.tcp=127.0.0.1:9000.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> ExitCode {
        init_tracing(LogFormat::Text);
        if let Err(error) = raise_file_limit() {
            warn!(%error, "limit of open files left as it was");
        }
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("the runtime does not start: {error}");
                return Exit::Failure.into();
            }
        };
        let outcome = runtime.block_on(async {
            match self.command {
                Command::Solo(args) => solo(args).await,
                Command::Demo(args) => demo::run(args).await,
            }
        });
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        match outcome {
            Ok(()) => Exit::Ok.into(),
            Err(error) if error.is::<TopologyError>() => {
                eprintln!("{error}");
                Exit::Config.into()
            }
            Err(error) => {
                eprintln!("{error:#}");
                Exit::Failure.into()
            }
        }
    }
}

async fn solo(args: SoloArgs) -> anyhow::Result<()> {
    let mut set = args.set;
    if let Some(script) = args.script {
        set.push(script_override(&script)?);
    }
    let topology = Topology::load(&args.file, &set)?;
    let shutdown = Shutdown::on_signals()?;
    // A script may take long to load, or for ever.
    let solo = tokio::select! {
        started = Solo::start(&topology, &args.file) => started?,
        () = shutdown.requested() => return Ok(()),
    };
    daemon::ready();
    info!(group = %topology.group, "group is up");
    shutdown.requested().await;
    daemon::stopping();
    solo.shutdown(forced(&shutdown)).await;
    info!("group is down");
    Ok(())
}

/// The override that puts a script at scene@0.
pub(crate) fn script_override(script: &std::path::Path) -> anyhow::Result<String> {
    let script = std::path::absolute(script)?;
    Ok(format!("scenes.scene@0.script={}", script.display()))
}

/// The second signal, for everybody who waits for it.
pub(crate) fn forced(shutdown: &Shutdown) -> impl Future<Output = ()> + Clone + use<> {
    let shutdown = shutdown.clone();
    async move { shutdown.forced().await }.boxed().shared()
}
