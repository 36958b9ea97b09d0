//! What can go wrong while a file comes into force.

use std::io;

use daemon::Exit;
use topology::TopologyError;

/// The file is not in force, or not everywhere. The text says what was done.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The edited file is wrong: nothing was changed.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The file in its place is wrong, so that it cannot be said what changes.
    #[error(
        "{source}\n\nthe file in force is wrong itself, so nothing was changed: move {place} \
         away, then what the other one says is new"
    )]
    Present {
        /// The file.
        place: String,
        /// Its mistakes.
        source: TopologyError,
    },
    /// One is of a group, the other of bridges.
    #[error("{place} is a file of the other sort: nothing was changed")]
    TwoSorts {
        /// The file in force.
        place: String,
    },
    /// Somebody would be restarted, and nobody can be asked.
    #[error("nodes would be restarted or stopped, and there is no terminal to ask: say --yes")]
    NobodyToAsk,
    /// The terminal does not answer.
    #[error("nobody answers: {0}; nothing was changed")]
    Asking(io::Error),
    /// The file could not be put in its place.
    #[error("cannot write {path}: {source}; nothing was changed")]
    Write {
        /// What could not be written.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The service manager refuses.
    #[error("the file is in its place, but {command} failed: {reason}")]
    Manager {
        /// What was asked of it.
        command: String,
        /// What it said.
        reason: String,
    },
    /// Nobody runs by the file.
    #[error(
        "the file is in its place, and nobody was told: no redrabbit up runs {place} on this \
         machine, or say which with --pid"
    )]
    NobodyRuns {
        /// The file.
        place: String,
    },
    /// The process does not take signals from us, or is not there.
    #[error("the file is in its place, but process {pid} cannot be told: {source}")]
    Tell {
        /// The process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

impl ApplyError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            ApplyError::Topology(_) | ApplyError::Present { .. } => Exit::Config,
            ApplyError::NobodyToAsk | ApplyError::TwoSorts { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}
