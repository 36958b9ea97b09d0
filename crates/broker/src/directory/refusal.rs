//! Why a node may not join.

use protocol::{NameError, NodeId, NodeName, envelope::MAX_METHOD_BYTES};

/// Why a node may not join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// It has no proper name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It does not say what it is.
    #[error("{0} says no role that this master knows")]
    Role(NodeName),
    /// Its name is of another role.
    #[error(
        "{0} does not have its role's name: a slave, a gate, a scene and a bridge are called \
         `slave@0`, `gate@0`, `scene@0` and `bridge@0`, and nobody else is called as a slave \
         or a bridge"
    )]
    Called(NodeName),
    /// It routes, and nobody could reach it.
    #[error("{0} is a broker and has to say where nodes reach it, as `host:port`")]
    Address(NodeName),
    /// It tells more of itself than every other node should have to keep.
    #[error(
        "{0} tells too much: a method's name has at most {MAX_METHOD_BYTES} bytes, \
         there are at most {MAX_METHODS} of them with {MAX_METHODS_BYTES} bytes together, \
         and a build has at most {MAX_BUILD_BYTES} bytes"
    )]
    Size(NodeName),
    /// Another node lives under its name.
    #[error(
        "the name {name} is held by node {holder}, which is alive: stop that node first, \
         or give this one a name of its own"
    )]
    NameTaken {
        /// The name in question.
        name: NodeName,
        /// Who has it.
        holder: NodeId,
    },
    /// Of two nodes that hold one name it is the one that was there first.
    #[error("the name {name} has gone to node {holder}, whose membership is newer")]
    Superseded {
        /// The name in question.
        name: NodeName,
        /// Who has it.
        holder: NodeId,
    },
    /// It holds what a later run of the master gave.
    #[error(
        "{name} comes from epoch {claimed} and this master is at {epoch}: \
         another master serves the group, or this one lost its epoch file"
    )]
    FutureEpoch {
        /// Who says so.
        name: NodeName,
        /// The epoch that it claims.
        claimed: u32,
        /// The epoch of this master.
        epoch: u32,
    },
    /// It has seen a directory that this master has not made yet.
    #[error("{name} has seen revision {claimed} of a directory that is at {revision}")]
    FutureRevision {
        /// Who says so.
        name: NodeName,
        /// The revision that it claims.
        claimed: u64,
        /// The revision of the directory.
        revision: u64,
    },
    /// Nodes that hold no membership have to wait until those that do are back.
    #[error("the master is taking back the nodes of its earlier run, newcomers come after")]
    Rebuilding,
}

/// The most methods that a node may offer.
pub(super) const MAX_METHODS: usize = 1024;

/// The most bytes of their names together: each node keeps them of each other.
pub(super) const MAX_METHODS_BYTES: usize = 16 << 10;

/// The most bytes of a node's build.
pub(super) const MAX_BUILD_BYTES: usize = 256;

impl JoinRefusal {
    /// The label of `redrabbit_registry_refused_total`.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            JoinRefusal::Name(_) => "name",
            JoinRefusal::Role(_) => "role",
            JoinRefusal::Called(_) => "called",
            JoinRefusal::Address(_) => "address",
            JoinRefusal::Size(_) => "size",
            JoinRefusal::NameTaken { .. } => "name_taken",
            JoinRefusal::Superseded { .. } => "superseded",
            JoinRefusal::FutureEpoch { .. } => "future_epoch",
            JoinRefusal::FutureRevision { .. } => "future_revision",
            JoinRefusal::Rebuilding => "rebuilding",
        }
    }
}
