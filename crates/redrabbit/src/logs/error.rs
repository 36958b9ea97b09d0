//! Why there are no lines.

use std::io;

use daemon::Exit;

/// The lines cannot be had. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// There is no systemd that runs nodes.
    #[error(
        "there is no journal on this machine: nodes that redrabbit up runs log to where it \
         prints, and it keeps nothing; write that to a file (redrabbit up FILE --json > up.log) \
         and give the file (redrabbit logs up.log)"
    )]
    NoJournal,
    /// Files are read to their end.
    #[error(
        "--follow is for the journal: give lines that are still to come on the standard input \
         (tail -F FILE | redrabbit logs -)"
    )]
    FollowsNoFile,
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program that reads the journal is not there.
    #[error("cannot run {program}, which reads the journal: {source}")]
    NoProgram {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is there, and refuses.
    #[error("the journal cannot be read: {said}; be root, or in the group systemd-journal or adm")]
    Journal {
        /// What it said.
        said: String,
    },
    /// What was to be printed cannot be.
    #[error("cannot print: {0}")]
    Write(io::Error),
}

impl LogsError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            LogsError::NoJournal | LogsError::FollowsNoFile => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}
