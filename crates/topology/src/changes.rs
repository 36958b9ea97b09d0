//! What a file that was edited changes in nodes that run.

use std::{collections::BTreeSet, fmt};

use vocabulary::NodeName;

use crate::{
    bridge_plan::BridgePlan,
    layer::KeyPath,
    plan::Topology,
    reference::{Effect, Key},
    section::Section,
    values::{Entry, Values},
};

/// What is different in a file from what it was, or would be from what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys whose value is another one, by path. Those of nodes that come or go are
    /// not among them.
    pub keys: Vec<Change>,
    /// Nodes that the file did not have.
    pub added: BTreeSet<NodeName>,
    /// Nodes that it has no more.
    pub removed: BTreeSet<NodeName>,
}

/// A key whose value is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it stands, such as `gates.gate@0.verify`.
    pub path: String,
    /// What it was, secrets as `***`; nothing where it was not there.
    pub old: Option<String>,
    /// What it is, likewise.
    pub new: Option<String>,
    /// The node that it is of, if it is of one.
    pub node: Option<NodeName>,
    /// How it takes effect.
    pub effect: Effect,
}

/// Who has to be restarted for changes to take effect, of those who run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// Only these, and often nobody.
    Nodes(BTreeSet<NodeName>),
    /// Everybody.
    All,
}

/// What differs between two plans of a group.
pub fn changes(old: &Topology, new: &Topology) -> Changes {
    compare(&old.values, &new.values, &names(old), &names(new))
}

/// What differs between two plans of bridges.
pub fn bridge_changes(old: &BridgePlan, new: &BridgePlan) -> Changes {
    let names = |plan: &BridgePlan| plan.bridges.keys().cloned().collect();
    compare(&old.values, &new.values, &names(old), &names(new))
}

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }

    /// Who has to be restarted, of those that are in both files.
    pub fn restarts(&self) -> Restarts {
        let mut nodes = BTreeSet::new();
        for change in &self.keys {
            match (change.effect, &change.node) {
                (Effect::Live, _) => {}
                (Effect::Node, Some(node)) => {
                    nodes.insert(node.clone());
                }
                (Effect::Node, None) | (Effect::Group, _) => return Restarts::All,
            }
        }
        Restarts::Nodes(nodes)
    }

    /// Whether `node` has to be restarted.
    pub fn restart(&self, node: &NodeName) -> bool {
        self.keys.iter().any(|change| change.needs_restart_of(node))
    }
}

impl Change {
    /// Whether `node` has to be restarted because of it.
    pub fn needs_restart_of(&self, node: &NodeName) -> bool {
        match self.effect {
            Effect::Live => false,
            Effect::Node => self.node.as_ref().is_none_or(|own| own == node),
            Effect::Group => true,
        }
    }

    /// Whether `node` has anything to do with it: it is of the node, or of all.
    pub fn concerns(&self, node: &NodeName) -> bool {
        self.node.as_ref().is_none_or(|own| own == node)
    }
}

/// `limits.frame_burst: 400 to 200`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{}: {} to {}",
            self.path,
            side(&self.old),
            side(&self.new)
        )
    }
}

impl Restarts {
    /// Whether `node` is among them.
    pub fn contains(&self, node: &NodeName) -> bool {
        match self {
            Restarts::Nodes(nodes) => nodes.contains(node),
            Restarts::All => true,
        }
    }

    /// Whether it is nobody.
    pub fn is_empty(&self) -> bool {
        matches!(self, Restarts::Nodes(nodes) if nodes.is_empty())
    }
}

fn names(plan: &Topology) -> BTreeSet<NodeName> {
    let nodes = plan.slaves.keys().chain(plan.gates.keys());
    let nodes = nodes.chain(plan.scenes.keys());
    nodes.chain([&plan.master.name]).cloned().collect()
}

fn compare(
    old: &Values,
    new: &Values,
    was: &BTreeSet<NodeName>,
    is: &BTreeSet<NodeName>,
) -> Changes {
    let added: BTreeSet<NodeName> = is.difference(was).cloned().collect();
    let removed: BTreeSet<NodeName> = was.difference(is).cloned().collect();
    let paths = old.iter().chain(new.iter()).map(|(path, _)| path);
    let paths: BTreeSet<&KeyPath> = paths.collect();
    let mut keys = Vec::new();
    for path in paths {
        let sides = (old.get(path), new.get(path));
        if let (Some(one), Some(other)) = sides
            && one == other
        {
            continue;
        }
        let Some(entry) = sides.0.or(sides.1) else {
            continue;
        };
        let node = subject(entry);
        if let Some(node) = &node
            && (added.contains(node) || removed.contains(node))
        {
            continue;
        }
        let show = |entry: &Entry| entry.value.show();
        keys.push(Change {
            path: path.to_string(),
            old: sides.0.map(show),
            new: sides.1.map(show),
            node,
            effect: effect(entry.key, sides),
        });
    }
    Changes {
        keys,
        added,
        removed,
    }
}

/// The node that a key is of. The lease is the master's to give.
fn subject(entry: &Entry) -> Option<NodeName> {
    let master = || "master@0".parse().ok();
    match entry.key.section {
        Section::Master => master(),
        Section::Limits if entry.key.effect == Effect::Node => master(),
        Section::Slave | Section::Gate | Section::Scene | Section::Bridge => {
            entry.owner.as_ref()?.parse().ok()
        }
        _ => None,
    }
}

/// The key's own, but for TLS that is turned on or off: who speaks it does not
/// understand who does not.
fn effect(key: &Key, sides: (Option<&Entry>, Option<&Entry>)) -> Effect {
    let of_tls = matches!(key.name, "authority" | "certificate" | "key");
    match sides {
        (Some(_), Some(_)) => key.effect,
        _ if of_tls && matches!(key.section, Section::Security | Section::Group) => Effect::Group,
        _ => key.effect,
    }
}
