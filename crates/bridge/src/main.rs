//! `bridge --topology FILE --name bridge@0`

use std::process::ExitCode;

use bridge::{Bridge, BridgeConfig, GroupConfig};
use clap::Parser;
use daemon::{Args, BridgeBoot, Daemon};
use ffrpc::{Credentials, Uplink};

/// Bodies are made on one thread and freed on another, which costs the system's
/// allocator much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Carries calls between groups.
#[derive(Debug, Parser)]
#[command(version, after_help = daemon::EXIT_CODES)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    match daemon::parse::<Command>() {
        Ok(command) => daemon::run_bridge(&command.args, serve),
        Err(exit) => exit.into(),
    }
}

async fn serve(daemon: Daemon<BridgeBoot>) -> anyhow::Result<()> {
    let plan = &daemon.boot.plan;
    let groups = plan.groups.iter().map(|(name, group)| GroupConfig {
        name: name.clone(),
        uplink: Uplink::Remote(group.master),
        credentials: Credentials::new(
            group.security.secret.clone(),
            daemon.boot.tls.get(name).cloned(),
            name,
        ),
    });
    let bridge = Bridge::start(&BridgeConfig {
        name: daemon.boot.name.clone(),
        groups: groups.collect(),
        outbox_bytes: plan.limits.link_outbox_bytes,
        pair_bytes: plan.limits.pair_bytes,
        build: daemon::build_version().to_owned(),
    });
    bridge.set_vitals(&daemon::vitals());

    let life = async {
        bridge.ready().await;
        daemon.ready();
        std::future::pending::<()>().await;
    };
    let follow = daemon.follow(|plan| {
        for (name, group) in &plan.groups {
            bridge.set_secret(name, &group.security.secret);
        }
    });
    tokio::select! {
        () = daemon.shutdown.requested() => {}
        () = life => {}
        () = follow => {}
    }
    let grace = daemon.drain_grace();
    daemon.drain(bridge.shutdown(grace)).await;
    Ok(())
}
