//! `demo cross-group`: two groups and a bridge between them as real processes, and
//! the page that shows both.
//!
//! Each of the three is a `redrabbit up FILE` that we start; none of them outlives
//! us. The page can have the bridge taken down and put back, so that one sees what
//! becomes of the groups then.

mod files;
mod process;
mod routes;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::Context;
use daemon::{ListenSite, Shutdown, bind};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{process::Up, routes::Order};
use crate::page::GamePage;

/// The groups: name, topology file, and the port of the gate's WebSocket there.
const GROUPS: [(&str, &str, u16); 2] = [
    ("North", "north.toml", 10243),
    ("South", "south.toml", 10253),
];
/// The bridge's file.
const BRIDGE: &str = "bridge.toml";
/// How long the bridge may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Runs the demo until a signal ends it, or until a group ends by itself.
///
/// To be run on a thread that lives as long as the program, such as the main one: the
/// system kills the processes when it ends.
pub(crate) async fn run(port: u16) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    let listener = bind(
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        &ListenSite::new("the page", "--port", Path::new("the command line")),
    )?;
    let address = if port == 0 {
        files::own_address()
    } else {
        Ipv4Addr::LOCALHOST
    };
    let folder = tempfile::Builder::new()
        .prefix("redrabbit-demo-")
        .tempdir()?;
    files::write(folder.path(), address)?;
    let stage = Stage::new(folder.path())?;

    let mut worlds = Vec::new();
    for (name, file, _) in GROUPS {
        worlds.push(stage.start(name, file)?);
    }
    let mut bridge = Some(stage.start("bridge", BRIDGE)?);
    let started = async {
        for up in worlds.iter_mut().chain(&mut bridge) {
            up.is_up().await?;
        }
        anyhow::Ok(())
    };
    let outcome = tokio::select! {
        started = started => started,
        () = shutdown.requested() => Ok(()),
    };
    let outcome = match outcome {
        Ok(()) if !shutdown.is_requested() => {
            let (orders, orders_rx) = mpsc::channel(1);
            let page = GamePage::build(listener, &folder.path().join("page"), config(address))?
                .with(routes::bridge(orders));
            // On standard output, apart from the log: it is what the person waits for.
            println!("page: {}", page.address());
            println!("      the scripts are in {}", folder.path().display());
            println!("      change them there and save; they go when the demo ends");
            let stop = CancellationToken::new();
            let serving = tokio::spawn(page.serve(stop.clone()));
            daemon::ready();
            let ended = watch(&stage, &mut worlds, &mut bridge, orders_rx, &shutdown).await;
            stop.cancel();
            serving.await??;
            ended
        }
        other => other,
    };
    daemon::stopping();
    info!("demo ends");
    let stopping = async {
        let all = bridge.into_iter().chain(worlds);
        futures_util::future::join_all(all.map(|up| up.stop(STOP_WITHIN))).await;
    };
    tokio::select! {
        () = stopping => {}
        // Whoever is dropped is killed.
        () = shutdown.forced() => {}
    }
    outcome
}

/// Does what the page asks for until the demo is to end.
async fn watch(
    stage: &Stage,
    worlds: &mut [Up],
    bridge: &mut Option<Up>,
    mut orders: mpsc::Receiver<Order>,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let [north, south] = worlds else {
        anyhow::bail!("there are two groups");
    };
    loop {
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            status = north.ended() => return Err(gone(GROUPS[0].0, status)),
            status = south.ended() => return Err(gone(GROUPS[1].0, status)),
            status = ended(bridge) => {
                warn!(%status, "the bridge has ended; the page can put it back");
                *bridge = None;
            }
            Some(order) = orders.recv() => {
                if !order.up && let Some(up) = bridge.take() {
                    up.stop(STOP_WITHIN).await;
                } else if order.up && bridge.is_none() {
                    *bridge = Some(stage.start("bridge", BRIDGE)?);
                }
                order.done();
            }
        }
    }
}

/// Waits until the bridge has ended; where there is none, for ever.
async fn ended(bridge: &mut Option<Up>) -> ExitStatus {
    match bridge {
        Some(up) => up.ended().await,
        None => std::future::pending().await,
    }
}

fn gone(name: &str, status: ExitStatus) -> anyhow::Error {
    anyhow::anyhow!("group {name} has ended by itself ({status}): the log above says why")
}

/// What the page has to know: where the gates are, and that it can ask for the bridge.
fn config(address: Ipv4Addr) -> serde_json::Value {
    let world =
        |(name, _, port)| json!({ "name": name, "websocket": format!("ws://{address}:{port}/") });
    json!({ "worlds": GROUPS.map(world), "bridge": true })
}

/// What processes are started with.
struct Stage {
    program: PathBuf,
    folder: PathBuf,
}

impl Stage {
    fn new(folder: &Path) -> anyhow::Result<Stage> {
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let program = own.with_file_name("redrabbit");
        anyhow::ensure!(
            program.is_file(),
            "{} is not there: build it with `cargo build --release`",
            program.display()
        );
        let folder = folder.to_owned();
        Ok(Stage { program, folder })
    }

    /// Starts `redrabbit up` with a file of the demo.
    fn start(&self, name: &'static str, file: &str) -> anyhow::Result<Up> {
        let state = self.folder.join("state");
        Up::start(name, &self.program, &self.folder.join(file), &state)
            .with_context(|| format!("{} does not start", self.program.display()))
    }
}
