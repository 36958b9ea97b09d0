//! Where a request has come from that another group makes.

use protocol::{GroupName, NodeName, v1::Crossing};

/// Where a request has come from that a bridge has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The group.
    pub group: GroupName,
    /// The name of the node there, as its bridge knows it; empty if it does not.
    pub node: String,
    /// How many bridges the request has crossed, and those because of which it was
    /// made.
    pub hops: u32,
}

impl Origin {
    /// What a bridge says; `None` if that is no group, or no name of a node.
    pub(crate) fn of(crossing: Crossing) -> Option<Origin> {
        let is_name = |name: &str| name.parse::<NodeName>().is_ok();
        if !crossing.from_node.is_empty() && !is_name(&crossing.from_node) {
            return None;
        }
        Some(Origin {
            group: crossing.from_group.parse().ok()?,
            node: crossing.from_node,
            hops: crossing.hops,
        })
    }
}
