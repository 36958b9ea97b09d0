//! `redrabbit apply`: an edited file comes into force on this machine.
//!
//! What it changes is shown first (`redrabbit diff`), and asked about where somebody
//! would be restarted or stopped. Then the file is put in its place (`place`), and
//! whoever runs by it is told: the service manager (`systemd`), or a `redrabbit up`
//! (`up`). What is told to whom, in which order, is decided in `steps`.

mod error;
mod place;
mod steps;
mod systemd;
mod up;
mod voice;

use std::{
    io::{IsTerminal, Write, stderr, stdin},
    path::{Path, PathBuf},
};

use daemon::Exit;
use topology::{Changes, Plan, Restarts};

pub use error::ApplyError;
pub(crate) use systemd::BOOTED;

use crate::diff;
use voice::Voice;

/// The arguments of `apply`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct ApplyArgs {
    /// The file that was edited: of a group, or of bridges
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Where it comes into force; /etc/redrabbit/topology.toml unless given, or
    /// bridge.toml there for a file of bridges
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,

    /// Does not ask
    #[arg(long)]
    pub yes: bool,

    /// The redrabbit up to tell, where no service manager runs the nodes; found by itself
    /// if it was started with that file
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// Prints an object a line as things happen, and errors as one on stderr; does not
    /// ask, so that --yes has to be said where it would
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit apply topology.toml
  redrabbit apply topology.toml --yes
  redrabbit apply edited.toml --to configs/local.toml

Shows what changes, and asks where somebody is restarted or stopped for it. The file
that was there is kept beside it as FILE.bak. Then, under systemd: units of this machine
that were taken out are stopped, those that stay read the file again, those that have to
are restarted one after the other, and those that were added are started. Without it
the redrabbit up that runs the file is told to read it again.

It speaks of this machine alone: apply the same file on each, that of the master first.
A wrong file changes nothing.

With --json each line is an object with event: compared (file, against, changes:
null where there was no file, else as redrabbit diff --json has them), written
(file, backup: null where there was none), step (verb: stop, reload, restart or
start, unit), skipped (verb, unit, why), failed (verb, unit, error), told (pid of
a redrabbit up).

Exit codes:
  0   the file is in force
  1   the system refused something, or a node does not come up; it says what was done
  64  the command line is wrong, or nobody was there to ask
  78  the file is wrong";

/// Puts the file in force. What happens is told on stdout as it does.
///
/// # Errors
/// [`ApplyError`]; whether the file is in its place is said with it.
pub fn run(args: &ApplyArgs) -> Result<Exit, ApplyError> {
    let (new, place) = diff::load(&args.file, args.to.as_deref())?;
    let old = present(&place)?;
    let changes = match &old {
        Some(old) => Some(old.changes(&new).ok_or_else(|| ApplyError::TwoSorts {
            place: place.display().to_string(),
        })?),
        None => None,
    };
    let say = Voice::new(args.json);
    say.compared(changes.as_ref(), &args.file, &place);
    if changes.as_ref().is_some_and(disturbs) && !args.yes && !confirmed(args.json)? {
        println!("nothing was changed");
        return Ok(Exit::Ok);
    }
    let manager = systemd::Manager::of(&place, args.pid.is_some());
    let before = manager.as_ref().map(systemd::Manager::units);
    let backup = place::put(&args.file, &place)?;
    say.written(&place, backup.as_deref());
    let restarts = changes.map_or(Restarts::Nodes([].into()), |changes| changes.restarts());
    match (manager, before) {
        (Some(manager), Some(before)) => {
            manager.reload()?;
            let steps = steps::steps(&before, &manager.units(), &restarts);
            manager.carry_out(&steps, say)?;
        }
        _ => up::tell(args.pid, &place, say)?,
    }
    Ok(Exit::Ok)
}

/// What is in force now, if anything is.
fn present(place: &Path) -> Result<Option<Plan>, ApplyError> {
    if !place.exists() {
        return Ok(None);
    }
    Plan::load(place, &[])
        .map(Some)
        .map_err(|source| ApplyError::Present {
            place: place.display().to_string(),
            source,
        })
}

/// Whether somebody ends for it.
fn disturbs(changes: &Changes) -> bool {
    !changes.restarts().is_empty() || !changes.removed.is_empty()
}

fn confirmed(json: bool) -> Result<bool, ApplyError> {
    if json || !stdin().is_terminal() {
        return Err(ApplyError::NobodyToAsk);
    }
    let mut out = stderr().lock();
    // A terminal that is gone answers nothing.
    let _ = write!(out, "Go on? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(ApplyError::Asking)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
