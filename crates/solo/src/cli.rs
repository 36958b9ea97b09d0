//! The command line of `redrabbit-solo`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use daemon::{
    Exit, Hangup, Hangups, ListenSite, Shutdown, bind, init_tracing, raise_file_limit, set_levels,
};
use futures_util::FutureExt;
use gate::Gate;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use topology::{LogFormat, Topology, TopologyError};
use tracing::{error, info, warn};

use crate::{Solo, demo, page::GamePage};

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
    /// Run the playground: chat on one side, the running script on the other. Or another
    /// demo.
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
    /// Serve the files of this folder too: the page of the game. It finds the port
    /// of its gate's WebSocket at /api/config.
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,
    /// Where the page is served; with port 0 at any port that is free. Beyond
    /// loopback everybody who reaches it can open it, and needs a gate beyond
    /// loopback to play.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10240")]
    page_at: SocketAddr,
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> ExitCode {
        // A file that is read later says its own.
        init_tracing(LogFormat::Text, "info", None);
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
    set_levels(&topology.log.level);
    let shutdown = Shutdown::on_signals()?;
    let mut hangups = Hangups::listen()?;
    let page = match args.page {
        Some(folder) => {
            anyhow::ensure!(
                topology.gates.values().any(|gate| gate.websocket.is_some()),
                "no gate of {} has a websocket address, which a page needs",
                args.file.display()
            );
            Some((open_page(args.page_at, &folder)?, folder))
        }
        None => None,
    };
    // A script may take long to load, or for ever.
    let solo = tokio::select! {
        started = Solo::start(&topology, &args.file) => started?,
        () = shutdown.requested() => return Ok(()),
    };
    let stop = CancellationToken::new();
    let serving = match page {
        Some((listener, folder)) => {
            let page = game_page(&solo, listener, &folder)?;
            // On standard output, apart from the log: it is what the person waits for.
            println!("page: {}", page.address());
            Some(tokio::spawn(page.serve(stop.clone())))
        }
        None => None,
    };
    daemon::ready();
    info!(group = %topology.group, "group is up");
    let read_again = async {
        while let Some(Hangup::Reload) = hangups.next().await {
            again(&solo, &args.file, &set).await;
        }
        warn!("the terminal is gone: told to stop");
    };
    tokio::select! {
        () = shutdown.requested() => {}
        () = read_again => {}
    }
    daemon::stopping();
    stop.cancel();
    if let Some(serving) = serving {
        serving.await??;
    }
    solo.shutdown(forced(&shutdown)).await;
    info!("group is down");
    Ok(())
}

/// Goes by what the file says now, as far as that takes effect in a group that runs; the
/// rest takes effect when it is started again. Then loads the script again.
async fn again(solo: &Solo, file: &Path, set: &[String]) {
    match Topology::load(file, set) {
        Ok(topology) => {
            set_levels(&topology.log.level);
            solo.reconfigure(&topology);
            info!("topology read again");
        }
        Err(error) => error!(
            mistakes = error.mistakes().len(),
            "topology refused, the one before it stays: see redrabbit check"
        ),
    }
    if let Some(scene) = solo.scene() {
        // How it went is in the log.
        scene.script().reload(None).await;
    }
}

/// Opens what a page needs before anything starts, so that a mistake is told early.
fn open_page(address: SocketAddr, folder: &Path) -> anyhow::Result<TcpListener> {
    anyhow::ensure!(
        folder.join("index.html").is_file(),
        "{} has no index.html: give --page the folder of a page",
        folder.display()
    );
    let site = ListenSite::new("the page", "--page-at", Path::new("the command line"));
    Ok(bind(address, &site)?)
}

fn game_page(solo: &Solo, listener: TcpListener, folder: &Path) -> anyhow::Result<GamePage> {
    let websocket = solo.gates().iter().find_map(Gate::websocket_address);
    let websocket = websocket.context("no gate listens for a page")?;
    let config = json!({ "websocket_port": websocket.port() });
    Ok(GamePage::build(listener, folder, config)?)
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
