//! The command `up`: from its arguments to its exit code.

use std::{
    io::{self, IsTerminal, stdout},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use daemon::{Exit, Hangup, Hangups, Shutdown};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;
use topology::{TopologyError, this_machine};

use super::{
    output::{Form, Output},
    plan::{PlanError, script_override},
    source::{Reading, Source},
    supervisor::Supervisor,
};
use crate::binaries::{BinaryError, own_folder};

/// The arguments of `up`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct UpArgs {
    /// The file that describes a group, or bridges between groups
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Runs this script at scene@0 instead of the file's
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,

    /// Overrides a key of the file, such as gates.gate@0.tcp=127.0.0.1:7000;
    /// may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Which of the file's machines this is; its host name unless given
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,

    /// Starts a role again when it dies or has been drained, and says so
    #[arg(long)]
    pub restart: bool,

    /// Prints each line of the logs as a JSON object; redrabbit logs reads them
    #[arg(long)]
    pub json: bool,

    /// Where the daemons' programs are, if not beside this one
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub bin_dir: Option<PathBuf>,

    /// How often to say that a role is not ready yet, in milliseconds
    #[arg(
        long,
        value_name = "MILLISECONDS",
        default_value_t = 10_000,
        hide = true
    )]
    pub patience: u64,
}

/// Nothing was started, and why.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// There is nothing to start, or no program to start it with.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It is not known where the programs are.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// There is no such script.
    #[error("cannot read the script {path}: {source}")]
    Script {
        /// As it was given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses something that we cannot do without.
    #[error("cannot watch over processes: {0}")]
    System(#[from] io::Error),
}

const HELP: &str = "\
Examples:
  redrabbit up configs/local.toml
  redrabbit up configs/local.toml --script my_game.py --restart
  RUST_LOG=debug redrabbit up configs/local.toml
  redrabbit up /etc/redrabbit/bridge.toml
  redrabbit up configs/local.toml --json > up.log     redrabbit logs up.log reads it

SIGHUP has the file read again, by it and by the daemons: roles that were added to it
are started, those that were taken out are stopped, and the others go by what it says
now. Those that have to be started again for it are, with --restart; without, they are
named in the log.

Ctrl-C takes the group down in order: gates, scenes, slaves, master. A second
one ends everything at once. Colours are off where NO_COLOR is set.

The logs are printed and not kept. With --json the daemons log as JSON, and each line is
an object with node (up for what it says itself), timestamp, level, message and
whatever else is in the line; what a script prints has node, timestamp and message alone.

Exit codes:
  0   taken down on request
  1   a role failed to start, nothing was left, or a second signal ended it
  64  the command line is wrong, or places nothing on this machine
  78  the topology file is wrong";

/// Starts the roles of this machine and keeps them until told otherwise.
///
/// The children are started on this very thread and die with it: call it on
/// the main one.
///
/// # Errors
/// [`UpError`]; nothing has been started.
pub fn run(args: &UpArgs) -> Result<Exit, UpError> {
    let set = overrides(args)?;
    let bin_dir = match &args.bin_dir {
        Some(folder) => folder.clone(),
        None => own_folder()?,
    };
    let machine = args.machine.clone().unwrap_or_else(this_machine);
    let no_color = std::env::var("NO_COLOR").ok();
    let own = std::env::var(daemon::COLOR_VARIABLE).ok();
    let terminal = stdout().is_terminal();
    let colour = daemon::wants_colour(own.as_deref(), no_color.as_deref(), terminal);
    let source = Source {
        file: args.file.clone(),
        set,
        bin_dir,
        machine,
        form: match (args.json, colour) {
            (true, _) => Form::Json,
            (false, true) => Form::Colour,
            (false, false) => Form::Plain,
        },
        // Bridges run no script: a file of theirs is the mistake then, not the script.
        of_group: args.script.is_some(),
    };
    let reading = source.read()?;
    // One thread: see `Child::spawn`.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let exit = runtime.block_on(supervise(source, reading, args))?;
    runtime.shutdown_background();
    Ok(exit)
}

impl UpError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            UpError::Topology(_) => Exit::Config,
            UpError::Plan(PlanError::NothingHere { .. }) | UpError::Script { .. } => Exit::Usage,
            UpError::Plan(PlanError::Binary(_)) | UpError::Binary(_) | UpError::System(_) => {
                Exit::Failure
            }
        }
    }
}

async fn supervise(source: Source, reading: Reading, args: &UpArgs) -> io::Result<Exit> {
    let width = reading.plan.name_width();
    let (output, writer) = Output::spawn(stdout(), source.form, width)?;
    let reload = Arc::new(Notify::new());
    let shutdown = listen(writer.gone.clone(), Arc::clone(&reload))?;
    let supervisor = Supervisor {
        source,
        reading,
        reload,
        restart: args.restart,
        patience: Duration::from_millis(args.patience.max(1)),
        shutdown,
        output,
    };
    let exit = supervisor.run().await;
    writer.finish().await;
    Ok(exit)
}

/// Ctrl-C and SIGTERM ask, and insist the second time. A terminal that goes
/// away asks too, but however often: it is told twice to shells and their jobs.
/// So does a log that nobody reads any more. SIGHUP otherwise has the topology read
/// again.
fn listen(nobody_reads: CancellationToken, reload: Arc<Notify>) -> io::Result<Shutdown> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangups = Hangups::listen()?;
    let (trigger, shutdown) = Shutdown::manual();
    tokio::spawn(async move {
        while !trigger.is_forced() {
            tokio::select! {
                Some(()) = interrupt.recv() => trigger.advance(),
                Some(()) = terminate.recv() => trigger.advance(),
                Some(hangup) = hangups.next() => match hangup {
                    Hangup::TerminalGone => trigger.request(),
                    Hangup::Reload => reload.notify_one(),
                },
                () = nobody_reads.cancelled(), if !trigger.is_requested() => trigger.request(),
                else => return,
            }
        }
    });
    Ok(shutdown)
}

fn overrides(args: &UpArgs) -> Result<Vec<String>, UpError> {
    let mut set = args.set.clone();
    if let Some(script) = &args.script {
        let script = script_override(script).map_err(|source| UpError::Script {
            path: script.display().to_string(),
            source,
        })?;
        set.push(script);
    }
    Ok(set)
}
