//! `scene-host --topology FILE --name scene@0`

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use daemon::{Args, Daemon};
use ffrpc::{Credentials, Uplink};
use protocol::{NodeName, v1::Role};
use scene_host::{Scene, SceneConfig};
use tokio::signal::unix::{SignalKind, signal};
use topology::Topology;

/// Messages are made on one thread and freed on another, which costs the system's
/// allocator a fifth of this daemon's time with 800 frames in flight.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs a group's sessions in Python. SIGHUP has it read the topology and load the
/// script again.
#[derive(Debug, Parser)]
#[command(version, after_help = daemon::EXIT_CODES)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    match daemon::parse::<Command>() {
        Ok(command) => daemon::run(&command.args, Role::Scene, serve),
        Err(exit) => exit.into(),
    }
}

async fn serve(daemon: Daemon) -> anyhow::Result<()> {
    // Before Python starts, which takes the signals that nobody has.
    let mut reloads = signal(SignalKind::hangup())?;
    let topology = &daemon.boot.topology;
    let name = daemon.boot.name.clone();
    let config = configured(&name, topology).context("scene not in topology")?;
    let uplink = Uplink::Remote(topology.master.listen);
    let (secret, tls) = (topology.security.secret.clone(), daemon.boot.tls.clone());
    let credentials = Credentials::new(secret, tls, &topology.group);
    let scene = tokio::select! {
        scene = Scene::start(config, uplink, credentials) => scene?,
        // The script may take long to load, or never end to.
        () = daemon.shutdown.requested() => return Ok(()),
    };

    scene.set_vitals(daemon::vitals());

    tokio::select! {
        () = scene.node().ready() => daemon.ready(),
        () = daemon.shutdown.requested() => {}
    }
    let reload_on_signal = async {
        while reloads.recv().await.is_some() {
            // How it went is in the log.
            scene.script().reload(None).await;
        }
    };
    let follow = daemon.follow(|plan| {
        if let Some(config) = configured(&name, plan) {
            scene.reconfigure(&config);
        }
        scene.node().set_secret(plan.security.secret.clone());
    });
    tokio::select! {
        () = reload_on_signal => {}
        () = follow => {}
        // A signal that follows insists.
        () = scene.drain_requested() => daemon.shutdown.request(),
        () = daemon.shutdown.requested() => {}
    }
    daemon.drain(scene.stop(daemon.drain_grace())).await;
    Ok(())
}

/// What the topology says of this scene.
fn configured(name: &NodeName, topology: &Topology) -> Option<SceneConfig> {
    let place = topology.scenes.get(name)?;
    let gates = topology.gates.iter();
    let gates = gates.filter(|(_, gate)| gate.verify == *name);
    Some(SceneConfig {
        name: name.clone(),
        group: topology.group.clone(),
        script: place.script.clone(),
        python_path: place.python_path.clone(),
        venv: place.venv.clone(),
        watch: place.watch,
        state_dir: Some(place.state_dir.clone()),
        gates: gates.map(|(gate, _)| gate.clone()).collect(),
        limits: topology.limits.clone(),
    })
}
