//! The demo: a group with the chat script, and the playground's page; or another of
//! the demos.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use daemon::{ListenSite, Shutdown, bind};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use topology::Topology;
use tracing::info;

use crate::{
    Solo,
    cli::{forced, script_override},
    cross_group,
    demo_backend::DemoBackend,
    playground::Playground,
};

/// What the demo can be told.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Which demo to run; the playground unless given.
    #[arg(value_enum)]
    demo: Option<Demo>,
    /// Run this script, and change this very file from the page, instead of a
    /// copy of the chat that comes with the program.
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    script: Option<PathBuf>,
    /// Where the page is served on loopback; with 0 any port that is free, and
    /// likewise for the group.
    #[arg(long, default_value_t = 10240)]
    port: u16,
}

/// The demos beside the playground.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Demo {
    /// Two groups and a bridge between them as real processes, and a page where players
    /// talk and travel from one to the other.
    CrossGroup,
}

/// The script that the demo runs a copy of.
const CHAT: &str = include_str!("../../scene-host/examples/chat/main.py");
/// The topology of the demo.
const LOCAL: &str = include_str!("../../../configs/local.toml");

/// Runs the demo until a signal ends it.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    if let Some(Demo::CrossGroup) = args.demo {
        return cross_group::run(args.port).await;
    }
    let folder = tempfile::Builder::new()
        .prefix("redrabbit-demo-")
        .tempdir()?;
    let script = match &args.script {
        Some(script) => std::path::absolute(script)?,
        None => copy_of_the_chat(&folder)?,
    };
    anyhow::ensure!(
        script.is_file(),
        "{} is not a file: give --script a Python file",
        script.display()
    );
    let file = folder.path().join("local.toml");
    std::fs::write(&file, LOCAL)?;
    let topology = Topology::load(&file, &overrides(&script, args.port)?)?;

    let shutdown = Shutdown::on_signals()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let page = bind(
        address,
        &ListenSite::new("the playground", "--port", Path::new("the command line")),
    )?;
    let solo = tokio::select! {
        started = Solo::start(&topology, &file) => started?,
        () = shutdown.requested() => return Ok(()),
    };
    let backend = DemoBackend::new(&solo, script.clone())
        .context("the demo's topology has no scene and gate")?;
    let page = Playground::build(page, Arc::new(backend))?;

    // On standard output, apart from the log: it is what the person waits for.
    println!("playground: {}", page.address());
    println!("script:     {}", script.display());
    if args.script.is_none() {
        println!("            (a copy of the chat; it goes when the demo ends)");
    }
    println!("master:     {}", solo.master_address());
    println!("\nopen the address in two tabs and chat; Ctrl-C ends the demo");

    let stop = CancellationToken::new();
    let serving = tokio::spawn(page.serve(stop.clone()));
    shutdown.requested().await;
    info!("demo ends");
    stop.cancel();
    serving.await??;
    solo.shutdown(forced(&shutdown)).await;
    Ok(())
}

fn copy_of_the_chat(folder: &TempDir) -> anyhow::Result<PathBuf> {
    let script = folder.path().join("main.py");
    std::fs::write(&script, CHAT)?;
    Ok(script)
}

fn overrides(script: &Path, port: u16) -> anyhow::Result<Vec<String>> {
    // Nobody waits for the players of a demo to leave.
    let mut set = vec![
        script_override(script)?,
        "limits.drain_grace=100ms".to_owned(),
    ];
    if port == 0 {
        for key in [
            "master.listen",
            "gates.gate@0.tcp",
            "gates.gate@0.websocket",
        ] {
            set.push(format!("{key}=127.0.0.1:0"));
        }
    }
    Ok(set)
}
