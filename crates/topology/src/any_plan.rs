//! A file of either sort.

use std::path::Path;

use crate::{
    bridge_plan::BridgePlan,
    changes::{Changes, bridge_changes, changes},
    loader::Sources,
    mistake::TopologyError,
    plan::Topology,
};

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

    /// Loads `path` as if it lay at `place`, where it is about to be put: what it
    /// names relative to its folder is looked for beside that.
    ///
    /// # Errors
    /// All mistakes at once, by their lines in `path`.
    pub fn load_for(path: &Path, place: &Path, set: &[String]) -> Result<Plan, TopologyError> {
        Sources::of_process(set).placed(place).load_any(path)
    }

    /// What differs in `new`; nothing where the one is of a group and the other of
    /// bridges.
    pub fn changes(&self, new: &Plan) -> Option<Changes> {
        match (self, new) {
            (Plan::Group(old), Plan::Group(new)) => Some(changes(old, new)),
            (Plan::Bridges(old), Plan::Bridges(new)) => Some(bridge_changes(old, new)),
            _ => None,
        }
    }
}
