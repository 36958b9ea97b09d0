//! Why a directory cannot be had.

use std::{io, net::SocketAddr};

use daemon::Exit;
use protocol::{CallError, GroupName, NodeName, tls::TlsError};
use topology::TopologyError;

use crate::operator::OperatorError;

/// The directory could not be had. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    /// The topology file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The file with the secret cannot be read.
    #[error("cannot read the secret in {path}: {source}")]
    SecretFile {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers.
    #[error(
        "no master answers at {address}: {reason}; is it running? \
         start it with `redrabbit up FILE`, or ask systemctl"
    )]
    Unreachable {
        /// Where it should be.
        address: SocketAddr,
        /// What came instead of an answer.
        reason: String,
    },
    /// The master does not know the secret.
    #[error(
        "the master at {address} refuses the secret: give the group's own with --secret-file, \
         or in [security] of the topology"
    )]
    SecretRefused {
        /// Where it is.
        address: SocketAddr,
    },
    /// The master answers, and not with a directory.
    #[error("the master at {address} answers: {message}")]
    Refused {
        /// Where it is.
        address: SocketAddr,
        /// What it said.
        message: String,
    },
    /// The group speaks TLS, and this user has nothing to show.
    #[error(
        "the master wants to see the certificate of a node, and there is none to show: {source}; \
         ask on a machine that runs a node, as a user who may read its key"
    )]
    NoCertificate {
        /// What is wrong with the likeliest.
        source: Box<TlsError>,
    },
    /// The command is not let into the group, and so cannot ask a bridge.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// Nothing that is ready joins both groups.
    #[error(
        "no bridge of group {own} joins {group}: start one whose file has both under [[groups]]; \
         what bridges of {own} join: {}",
        listed(joined)
    )]
    NoBridge {
        /// The group that was asked.
        own: GroupName,
        /// The other group.
        group: GroupName,
        /// The groups that the bridges there join.
        joined: Vec<String>,
    },
    /// There are bridges, and none gets there, or each to another group of the name.
    #[error(
        "group {group} cannot be asked: {message}; `redrabbit nodes` shows what each bridge \
         reaches, and a bridge's log says what keeps it out"
    )]
    NoWay {
        /// The other group.
        group: GroupName,
        /// What is in the way.
        message: String,
    },
    /// The other group shows its directory to nobody here.
    #[error(
        "group {group} does not show its directory to {own}: write `directory = true` in its \
         topology, in an [exports.NAME] whose groups have \"{own}\", and start its master again; \
         or ask that master itself, with the topology of {group}"
    )]
    NotShown {
        /// The group that was asked.
        own: GroupName,
        /// The other group.
        group: GroupName,
    },
    /// A bridge was asked, and this came of it.
    #[error(
        "{bridge} has not given the directory of {group}: {source}; the log of {bridge} may say \
         more, and the master of {group} can be asked itself, with the topology of {group}"
    )]
    NotGiven {
        /// Who was asked.
        bridge: NodeName,
        /// The other group.
        group: GroupName,
        /// How the call ended.
        source: CallError,
    },
    /// Ctrl-C.
    #[error("no longer waiting")]
    Interrupted,
    /// The runtime does not start.
    #[error("cannot ask: {0}")]
    System(#[from] io::Error),
}

impl NodesError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            NodesError::Topology(_) => Exit::Config,
            NodesError::SecretFile { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

fn listed(groups: &[String]) -> String {
    if groups.is_empty() {
        return "nothing".to_owned();
    }
    groups.join(", ")
}
