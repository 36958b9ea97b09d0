//! What a bridge has to be told.

use ffrpc::{Credentials, Uplink};
use protocol::{GroupName, NodeName};

/// Who a bridge is, and between which groups.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// Its name, in all of its groups.
    pub name: NodeName,
    /// The groups that it joins, each once.
    pub groups: Vec<GroupConfig>,
    /// How many bytes may wait for a link before calls are refused with `Overloaded`.
    pub outbox_bytes: usize,
    /// How many bytes may be on their way to one node, sent and not acknowledged,
    /// before calls to it are refused with `Overloaded`.
    pub pair_bytes: usize,
    /// The version of the program, for operators.
    pub build: String,
}

/// A group that a bridge joins.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Its name. A group that calls itself otherwise is passed nothing on.
    pub name: GroupName,
    /// How its master is reached.
    pub uplink: Uplink,
    /// What its master is shown.
    pub credentials: Credentials,
}
