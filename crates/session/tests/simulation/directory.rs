//! The master's directory: a list of changes, which each node hears at its own
//! time.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{NodeId, NodeName};
use session::gate::Scenes;

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Upserted {
        node: NodeId,
        name: NodeName,
        ready: bool,
    },
    Removed(NodeId),
}

/// What a node knows of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// So many changes.
    pub(crate) revision: usize,
    pub(crate) nodes: BTreeMap<NodeId, (NodeName, bool)>,
    gone: BTreeSet<NodeId>,
}

impl View {
    /// Hears the next change.
    pub(crate) fn hear(&mut self, changes: &[Change]) -> Option<Change> {
        let change = changes.get(self.revision)?;
        self.revision += 1;
        match change {
            Change::Upserted { node, name, ready } => {
                self.nodes.insert(*node, (name.clone(), *ready));
            }
            Change::Removed(node) => {
                self.nodes.remove(node);
                self.gone.insert(*node);
            }
        }
        Some(change.clone())
    }

    /// All that there is, as a node gets it that joins.
    pub(crate) fn snapshot(changes: &[Change]) -> Self {
        let mut view = View::default();
        while view.hear(changes).is_some() {}
        view
    }

    pub(crate) fn is_gone(&self, node: NodeId) -> bool {
        self.gone.contains(&node)
    }

    pub(crate) fn name_of(&self, node: NodeId) -> Option<&NodeName> {
        self.nodes.get(&node).map(|(name, _)| name)
    }

    pub(crate) fn of_role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = NodeId> + 'a {
        let nodes = self.nodes.iter();
        nodes
            .filter(move |(_, (name, _))| name.role() == role)
            .map(|(node, _)| *node)
    }
}

impl Scenes for View {
    fn ready(&self, wanted: &NodeName) -> Option<NodeId> {
        let mut nodes = self.nodes.iter();
        let found = nodes.find(|(_, (name, ready))| name == wanted && *ready);
        found.map(|(node, _)| *node)
    }

    fn knows(&self, wanted: &NodeName) -> bool {
        self.nodes.values().any(|(name, _)| name == wanted)
    }
}
