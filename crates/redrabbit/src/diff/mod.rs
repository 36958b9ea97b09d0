//! `redrabbit diff`: what a file changes against the one that is there, and what that
//! means for the nodes that run, before anything is touched.

mod view;

use std::path::{Path, PathBuf};

use daemon::Exit;
use topology::{Changes, Plan, TopologyError};

pub(crate) use view::{describe, json};

/// The arguments of `diff`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct DiffArgs {
    /// The file that was edited: of a group, or of bridges
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The file that the nodes run by; /etc/redrabbit/topology.toml unless given, or
    /// bridge.toml there for a file of bridges
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,

    /// Prints an array of objects, one a change
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit diff topology.toml
  redrabbit diff new.toml --against configs/local.toml
  redrabbit diff topology.toml --json

Paths in FILE that are relative are read as if it lay where the other one does. Touches
nothing; redrabbit apply makes it so. A change is live (nobody is restarted), or restarts
a node, or every node of the file. configs/REFERENCE.md says it for each key.

With --json each object has: kind (key, added, removed), key, old, new (null where there
is none; secrets are ***), node (null where it is of all), effect (live, node, group,
start, stop), restarts (the names of the nodes that are restarted for it; null for every
node).

Exit codes:
  0   nothing is different
  1   something is
  64  the command line is wrong
  78  one of the files is wrong";

/// Where the file of a group is.
pub(crate) const TOPOLOGY: &str = "/etc/redrabbit/topology.toml";
/// Where the file of bridges is.
pub(crate) const BRIDGE: &str = "/etc/redrabbit/bridge.toml";

/// Two files that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One of them is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// One is of a group, the other of bridges.
    #[error("{file} and {against} are of two sorts: one is of a group, the other of bridges")]
    TwoSorts {
        /// The file that was edited.
        file: String,
        /// The other one.
        against: String,
    },
}

impl DiffError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            DiffError::Topology(_) => Exit::Config,
            DiffError::TwoSorts { .. } => Exit::Usage,
        }
    }
}

/// What to print, and how to end.
///
/// # Errors
/// [`DiffError`]: nothing was compared.
pub fn run(args: &DiffArgs) -> Result<(String, Exit), DiffError> {
    let (against, changes) = compare(&args.file, args.against.as_deref())?;
    let text = match args.json {
        true => json(&changes),
        false => describe(&changes, &args.file, &against),
    };
    let exit = match changes.is_empty() {
        true => Exit::Ok,
        false => Exit::Failure,
    };
    Ok((text, exit))
}

fn compare(file: &Path, against: Option<&Path>) -> Result<(PathBuf, Changes), DiffError> {
    let (new, place) = load(file, against)?;
    let old = Plan::load(&place, &[])?;
    let changes = old.changes(&new).ok_or_else(|| DiffError::TwoSorts {
        file: file.display().to_string(),
        against: place.display().to_string(),
    })?;
    Ok((place, changes))
}

/// What `file` says where it belongs, which is `place` unless its sort says another.
///
/// # Errors
/// Its mistakes.
pub(crate) fn load(file: &Path, place: Option<&Path>) -> Result<(Plan, PathBuf), TopologyError> {
    if let Some(place) = place {
        return Ok((Plan::load_for(file, place, &[])?, place.to_owned()));
    }
    let plan = Plan::load_for(file, Path::new(TOPOLOGY), &[])?;
    // Both lie in one folder, so that nothing is meant otherwise there.
    let place = match plan {
        Plan::Group(_) => TOPOLOGY,
        Plan::Bridges(_) => BRIDGE,
    };
    Ok((plan, PathBuf::from(place)))
}
