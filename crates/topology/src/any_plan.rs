//! A file of either sort.

use std::path::Path;

use crate::{bridge_plan::BridgePlan, loader::Sources, mistake::TopologyError, plan::Topology};

/// What a file describes, for those who take either sort. It is a bridge's if it has
/// `[bridges]` or `[[groups]]`, and neither `group` nor `[master]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// A group.
    Group(Box<Topology>),
    /// Bridges between groups.
    Bridges(BridgePlan),
}

impl Plan {
    /// Loads `path` as [`Topology::load`] or [`BridgePlan::load`] does.
    ///
    /// # Errors
    /// All mistakes at once: the file is refused whole.
    pub fn load(path: &Path, set: &[String]) -> Result<Plan, TopologyError> {
        Sources::of_process(set).load_any(path)
    }
}
