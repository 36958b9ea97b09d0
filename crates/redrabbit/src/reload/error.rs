//! Why no scene is asked.

use daemon::Exit;
use protocol::NodeName;

use crate::{nodes::NodesError, operator::OperatorError};

/// No scene was asked, or nobody waits for its answer. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The directory could not be had.
    #[error(transparent)]
    Directory(#[from] NodesError),
    /// The command is not let into the group.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The group has no such scene.
    #[error("there is no {name} in group {group}; its scenes: {}", listed(there))]
    Unknown {
        /// The name asked for.
        name: NodeName,
        /// The group.
        group: String,
        /// Its scenes.
        there: Vec<String>,
    },
    /// It is something else.
    #[error(
        "{name} is a {role}: scenes have scripts to load; those of group {group}: {}",
        listed(there)
    )]
    NoScene {
        /// The node.
        name: NodeName,
        /// What it is.
        role: &'static str,
        /// The group.
        group: String,
        /// Its scenes.
        there: Vec<String>,
    },
    /// There is none at all.
    #[error("there is no scene in group {group}: `redrabbit nodes` prints who is there")]
    NoScenes {
        /// The group.
        group: String,
    },
    /// Ctrl-C.
    #[error("no longer waiting; scenes that were asked load their scripts all the same")]
    Interrupted,
}

impl ReloadError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            ReloadError::Directory(error) => error.exit(),
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
