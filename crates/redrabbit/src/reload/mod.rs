//! `redrabbit reload`: scenes load their scripts again under their sessions.
//!
//! The directory is read first, as `redrabbit nodes` does, since it says who
//! there is to ask (`target`). Then the command joins the group for as long as it
//! takes, and asks all of them at the same time; what they answer is a table
//! (`view`).

mod error;
mod target;
mod view;

use std::{path::PathBuf, time::Duration};

use daemon::Exit;
use futures_util::future::join_all;
use protocol::{
    CallError, ErrorKind, NodeName,
    method::NODE_RELOAD,
    v1::{ReloadRequest, ReloadResponse},
};
use tokio::runtime;
use topology::Topology;

pub use error::ReloadError;
use target::Target;
use view::Row;

use crate::{
    group,
    nodes::{self, Master, NodesError},
    operator::Operator,
    units,
};

/// The arguments of `reload`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP, override_usage = USAGE)]
pub struct ReloadArgs {
    /// The scenes, such as scene@0
    #[arg(
        value_name = "SCENE",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub scenes: Vec<NodeName>,

    /// Every scene of the group
    #[arg(long)]
    pub all: bool,

    /// One module by its name in Python, such as rules or shop.prices; without it
    /// the script, and all modules of its own that have changed
    #[arg(long, value_name = "NAME")]
    pub module: Option<String>,

    /// How long a scene may take to answer, in s or m
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "15s")]
    pub patience: Duration,

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

    /// Prints JSON instead of a table, and errors as an object on stderr
    #[arg(long)]
    pub json: bool,
}

const USAGE: &str =
    "redrabbit reload [OPTIONS] <SCENE>...\n       redrabbit reload [OPTIONS] --all";

const HELP: &str = "\
Examples:
  redrabbit reload scene@0                what has changed of its script
  redrabbit reload scene@0 scene@1
  redrabbit reload --all                  every scene of the group
  redrabbit reload scene@0 --module rules

Nobody is disconnected, and no message is lost: objects, timers and handlers that
are there run the new code. Each scene loads all of it or nothing; one that fails
goes on with what it had. What is said to be kept runs on as old code until the
scene is restarted.

In a group that speaks TLS it joins as operator@0, and needs a certificate of that
name where the topology says that certificates are. Otherwise its name is
operator@ and a number.

With --json it prints an array of objects, one a scene: scene, result (loaded, failed,
no answer, left out), version and hash (of what it runs now; null where it has not said),
note (what was loaded with it, what was kept, or what is wrong; null where there is
nothing to say).

Exit codes:
  0   the new code is in force in all of them
  1   a scene has not loaded it, or has not answered; the table says which
  64  the command line is wrong
  78  the topology file is wrong";

/// Asks the scenes, and gives what to print and how the program ends.
///
/// # Errors
/// [`ReloadError`]: no scene was asked.
pub fn run(args: &ReloadArgs) -> Result<(String, Exit), ReloadError> {
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
        let targets = target::find(&directory, &args.scenes)?;
        let operator = Operator::join(&topology, secret, args.patience).await?;
        let module = args.module.clone().unwrap_or_default();
        let asking = targets
            .iter()
            .map(|target| ask(&operator, target, &module, args.patience));
        let rows = tokio::select! {
            rows = join_all(asking) => Ok(rows),
            _ = tokio::signal::ctrl_c() => Err(ReloadError::Interrupted),
        };
        operator.leave().await;
        let rows = rows?;
        let exit = match rows.iter().all(Row::is_good) {
            true => Exit::Ok,
            false => Exit::Failure,
        };
        let text = match args.json {
            true => view::to_json(&rows),
            false => view::to_table(rows),
        };
        Ok((text, exit))
    })
}

async fn ask(operator: &Operator, target: &Target, module: &str, patience: Duration) -> Row {
    if target.drains {
        return Row::left_out(&target.name);
    }
    let request = ReloadRequest {
        module: module.to_owned(),
    };
    let asked: Result<ReloadResponse, CallError> = operator
        .node()
        .call_message(target.id, NODE_RELOAD, &request)
        .await;
    match asked {
        Ok(response) => Row::answered(&target.name, &response),
        Err(error) => Row::unanswered(&target.name, &why(&error, patience)),
    }
}

/// Why a scene has not answered, for a person.
fn why(error: &CallError, patience: Duration) -> String {
    match error.kind {
        ErrorKind::Unimplemented => {
            "its program does not know how; send it a SIGHUP, or restart it".to_owned()
        }
        ErrorKind::DeadlineExceeded => format!(
            "nothing came within {:?}; if it is busy, it loads the script when it is done",
            patience
        ),
        ErrorKind::Unavailable => "it is not reached".to_owned(),
        _ => error.to_string(),
    }
}
