//! What a group lets others call.

use std::{collections::BTreeMap, ops::RangeInclusive};

/// What a group lets others call: nothing that is not in one of the entries.
/// Bridges are given it by the group's master, and keep to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exports {
    /// The entries by the name that the topology gives each.
    pub entries: BTreeMap<String, Export>,
}

/// Some of what other groups may call, and which groups. What they may call is at
/// least one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The groups that may, by name; `*` is every group.
    pub groups: Vec<String>,
    /// The nodes that they may call: `scene@1`, `scene` for all scenes, `*` for
    /// every node.
    pub services: Vec<String>,
    /// The commands of services that they may call, in rising order; no two of the
    /// ranges touch.
    pub cmds: Vec<RangeInclusive<u16>>,
    /// The methods that they may call; what ends in `*` stands for all that begin
    /// with the rest. Those by which daemons speak to each other are never meant.
    pub methods: Vec<String>,
    /// Whether they may read the group's directory.
    pub directory: bool,
}

impl Exports {
    /// Whether nobody may call anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
