//! The plan of bridges: which groups they join, where, and within which limits.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use vocabulary::{GroupName, NodeName};

use crate::{
    loader::Sources, log::Log, mistake::TopologyError, plan::is_on, security::Security,
    values::Values,
};

/// What a bridge's file says, validated. Several bridges may read the same one:
/// they share the calls.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgePlan {
    /// The bridges by name; at least one.
    pub bridges: BTreeMap<NodeName, Bridge>,
    /// The groups that each of them joins; at least two, at addresses of their own.
    pub groups: BTreeMap<GroupName, JoinedGroup>,
    /// What they keep to.
    pub limits: BridgeLimits,
    /// What is logged, and how.
    pub log: Log,
    /// The same by key.
    pub(crate) values: Values,
}

/// A bridge.
#[derive(Clone, Debug, PartialEq)]
pub struct Bridge {
    /// The machine that runs it, `localhost` for every machine.
    pub machine: String,
    /// Where it serves metrics and health, if anywhere.
    pub http: Option<SocketAddr>,
    /// Threads that carry its calls, at least 1.
    pub workers: usize,
}

/// A group that bridges join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinedGroup {
    /// Where its master is reached.
    pub master: SocketAddr,
    /// What a bridge shows there: as in the group's own file, and
    /// [`Security::tls_files`] are those of a bridge in that group.
    pub security: Security,
}

/// Bounds of a bridge, the same in every group. What each means, and its default,
/// is said in [`keys`](crate::keys).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the reference of keys says it once for all")]
pub struct BridgeLimits {
    pub link_outbox_bytes: usize,
    pub pair_bytes: usize,
    pub drain_grace: Duration,
}

impl BridgePlan {
    /// Loads `path`, the environment and the `--set` arguments, as
    /// [`Topology::load`](crate::Topology::load) does a group's file. A group is
    /// found by its name there: `groups.GroupB.master`, `REDRABBIT__GROUPS__GROUPB__MASTER`.
    ///
    /// # Errors
    /// All mistakes at once: the file is refused whole.
    pub fn load(path: &Path, set: &[String]) -> Result<BridgePlan, TopologyError> {
        Sources::of_process(set).load_bridges(path)
    }

    /// The bridges of a machine. Those of `localhost` are on every machine.
    pub fn bridges_on(&self, machine: &str) -> Vec<NodeName> {
        let here = self
            .bridges
            .iter()
            .filter(|(_, bridge)| is_on(&bridge.machine, machine));
        here.map(|(name, _)| name.clone()).collect()
    }

    /// The machines that the file names, each once.
    pub fn machines(&self) -> Vec<&str> {
        let machines = self.bridges.values().map(|bridge| bridge.machine.as_str());
        let machines: BTreeSet<&str> = machines.collect();
        machines.into_iter().collect()
    }
}
