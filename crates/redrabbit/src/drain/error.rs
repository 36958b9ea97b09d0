//! Why a node does not drain.

use daemon::Exit;
use protocol::{CallError, NodeName};

use crate::{nodes::NodesError, operator::OperatorError};

/// A node does not drain, or was not seen to end. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The directory could not be had.
    #[error(transparent)]
    Directory(#[from] NodesError),
    /// The group has no such node.
    #[error(
        "there is no {name} in group {group}; what can drain there: {}",
        listed(there)
    )]
    Unknown {
        /// The name asked for.
        name: NodeName,
        /// The group.
        group: String,
        /// Its gates and scenes.
        there: Vec<String>,
    },
    /// The group has no such scene to take sessions.
    #[error(
        "there is no {name} in group {group} that takes sessions; its scenes: {}",
        listed(there)
    )]
    UnknownScene {
        /// The name asked for.
        name: NodeName,
        /// The group.
        group: String,
        /// Its scenes that are ready, but the one that drains.
        there: Vec<String>,
    },
    /// It is a broker.
    #[error(
        "{name} is a broker, and drains when it is told to stop: send its process a SIGTERM, \
         or ask systemctl"
    )]
    Broker {
        /// The broker.
        name: NodeName,
    },
    /// It is neither gate nor scene.
    #[error("{name} is a {role}: gates and scenes can be drained")]
    NoSessions {
        /// The node.
        name: NodeName,
        /// What it is.
        role: &'static str,
    },
    /// A gate's sessions are its connections.
    #[error("{name} is a gate: --to is for the sessions of a scene")]
    GateTo {
        /// The gate.
        name: NodeName,
    },
    /// It cannot take its own sessions.
    #[error("{name} cannot take its own sessions; without --to they are held for its return")]
    ToItself {
        /// The scene.
        name: NodeName,
    },
    /// The command is not let into the group.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// It says no.
    #[error("{name} does not drain: {message}")]
    Refused {
        /// The node.
        name: NodeName,
        /// What it said.
        message: String,
    },
    /// It does not answer.
    #[error("{name} could not be asked: {source}")]
    Unanswered {
        /// The node.
        name: NodeName,
        /// Why not.
        source: CallError,
    },
    /// It has not ended.
    #[error(
        "{name} is still in the group after {seconds} s; its log says what it waits for, and \
         SIGTERM ends it at once"
    )]
    Stuck {
        /// The node.
        name: NodeName,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Ctrl-C.
    #[error("no longer waiting; what drains goes on draining")]
    Interrupted,
}

impl DrainError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            DrainError::Directory(error) => error.exit(),
            DrainError::GateTo { .. } | DrainError::ToItself { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
