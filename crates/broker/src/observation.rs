//! The group as an operator sees it: what the directory knows of everybody.

use std::{sync::Arc, time::Duration};

use protocol::{
    NodeId, NodeName,
    v1::{GroupLink, NodeState, Role, Script, Vitals},
};

/// The directory at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The run of the master.
    pub epoch: u32,
    /// The revision of the directory.
    pub revision: u64,
    /// Only nodes of an earlier run are taken in as yet.
    pub rebuilding: bool,
    /// Everybody, by id.
    pub nodes: Vec<Observed>,
    /// Who was lost within the last minute, the latest last; 64 at most.
    pub lost: Vec<Lost>,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Who it is.
    pub node: NodeId,
    /// What it is called.
    pub name: NodeName,
    /// What it is.
    pub role: Role,
    /// Where it stands.
    pub state: NodeState,
    /// Its stream has ended, and its lease runs.
    pub suspect: bool,
    /// The version of its program.
    pub build: String,
    /// Scenes only: which script runs. Its services are left out.
    pub script: Option<Script>,
    /// How much it carries, in its role's own unit.
    pub load: u64,
    /// Bridges only: the other groups that they join.
    pub groups: Vec<GroupLink>,
    /// How long it has said nothing.
    pub heard: Duration,
    /// How it does, as it said last.
    pub vitals: Option<Arc<Vitals>>,
    /// The same as it was half a second or more before.
    pub before: Option<Arc<Vitals>>,
}

/// A node that went without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What it was called.
    pub name: NodeName,
    /// What it was.
    pub role: Role,
    /// How long ago.
    pub ago: Duration,
}
