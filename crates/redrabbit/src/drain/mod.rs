//! `redrabbit drain`: a gate or a scene finishes what it has, and ends.
//!
//! The directory is read first, as `redrabbit nodes` does, since most of what can
//! be wrong is to be seen there (`target`). Then the command joins the group for
//! as long as it takes: only a node may ask another one to drain.

mod ask;
mod error;
mod target;
mod voice;

use std::{path::PathBuf, time::Duration};

use protocol::{NodeName, v1::DrainResponse};
use tokio::{
    runtime,
    time::{Instant, sleep},
};
use topology::Topology;

pub use error::DrainError;
use target::Target;
use voice::Voice;

use crate::{
    group,
    nodes::{self, Master, NodesError},
    operator::Operator,
    units,
};

/// The arguments of `drain`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct DrainArgs {
    /// The gate or the scene, such as gate@0
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// The scene that takes a scene's sessions; without it they are held for its
    /// return
    #[arg(long, value_name = "SCENE")]
    pub to: Option<NodeName>,

    /// Does not wait until the node has left the group
    #[arg(long)]
    pub no_wait: bool,

    /// How long it waits, in s, m or h; 10 s more than limits.drain_grace unless
    /// given
    #[arg(long, value_name = "TIME", value_parser = units::duration, conflicts_with = "no_wait")]
    pub patience: Option<Duration>,

    /// The file that describes the group; configs/local.toml if it is there,
    /// else /etc/redrabbit/topology.toml
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,

    /// Overrides a key of the file; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// A file that holds the group's secret and nothing else, if the topology
    /// does not have it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// Prints an object a line as things happen, and errors as one on stderr
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit drain gate@0                  no new clients; ends when all have gone
  redrabbit drain scene@0 --to scene@1    its sessions go on at scene@1
  redrabbit drain scene@0                 its sessions wait until it is back

A drain takes limits.drain_grace at most; it cannot be called back, only hurried:
SIGTERM ends it at once. Ctrl-C ends the waiting alone.

In a group that speaks TLS it joins as operator@0, and needs a certificate of that
name where the topology says that certificates are. Otherwise its name is
operator@ and a number.

With --json each line is an object with event: drains (node, sessions, to: the scene that
takes them, or null, closes_logins_at: gates where nobody can log in meanwhile), waits
(node, seconds, sessions: those that are left), left (node, seconds).

Exit codes:
  0   the node has left the group, or drains (--no-wait)
  1   it does not drain, or was still there well after the grace period
  64  the command line is wrong
  78  the topology file is wrong";

/// What a node may take beyond the grace period before it seems to be stuck.
const MARGIN: Duration = Duration::from_secs(10);

/// How often the directory is looked at, and how often something is said of it.
const LOOK: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_secs(1);

/// Asks the node to drain, and waits for its end.
///
/// # Errors
/// [`DrainError`].
pub fn run(args: &DrainArgs) -> Result<(), DrainError> {
    let topology = Topology::load(&group::file(args.topology.as_deref()), &args.set)
        .map_err(NodesError::from)?;
    let secret = match &args.secret_file {
        Some(path) => nodes::read_secret(path)?,
        None => topology.security.secret.clone(),
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NodesError::from)?;
    runtime.block_on(async {
        let directory = nodes::list(&Master::of(&topology, secret.clone())?).await?;
        let target = Target::find(&directory, &args.node, args.to.as_ref())?;
        let operator = Operator::join(&topology, secret, topology.limits.call_timeout).await?;
        let drained = tokio::select! {
            drained = drain(args, &topology, &target, &operator) => drained,
            _ = tokio::signal::ctrl_c() => Err(DrainError::Interrupted),
        };
        operator.leave().await;
        drained
    })
}

async fn drain(
    args: &DrainArgs,
    topology: &Topology,
    target: &Target,
    operator: &Operator,
) -> Result<(), DrainError> {
    let DrainResponse { sessions } = ask::ask(operator, target, args.to.as_ref()).await?;
    let say = Voice::new(args.json);
    let gates = target.verifies_for(topology).map(NodeName::as_str);
    say.drains(
        target,
        sessions,
        args.to.as_ref(),
        &gates.collect::<Vec<_>>(),
    );
    if args.no_wait {
        return Ok(());
    }
    let patience = args
        .patience
        .unwrap_or(topology.limits.drain_grace + MARGIN);
    wait(target, operator, patience, say).await
}

/// Waits until the directory does not have the node any more.
async fn wait(
    target: &Target,
    operator: &Operator,
    patience: Duration,
    say: Voice,
) -> Result<(), DrainError> {
    let begun = Instant::now();
    let mut said = begun;
    while let Some(load) = ask::load_of(operator, target) {
        if begun.elapsed() > patience {
            return Err(DrainError::Stuck {
                name: target.name.clone(),
                seconds: patience.as_secs(),
            });
        }
        if said.elapsed() >= TICK {
            said = Instant::now();
            say.waits(target, begun.elapsed(), load);
        }
        sleep(LOOK).await;
    }
    say.left(target, begun.elapsed());
    Ok(())
}
