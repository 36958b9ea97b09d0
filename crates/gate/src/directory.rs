//! Which nodes may hold sessions, as far as this gate has heard.
//!
//! It is changed before the sessions are shown the change. So whoever looks a
//! scene up under a session's lock either sees the change, or is seen by it.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use protocol::{NodeId, NodeName};
use session::gate::Scenes;

/// The nodes that are neither gates nor brokers.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Read when a session goes from one scene to another, written when a node
    /// comes, goes or changes its state.
    nodes: RwLock<HashMap<NodeId, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: NodeName,
    ready: bool,
}

impl Directory {
    /// This is what is known of a node now. Says whether it takes sessions and
    /// did not before.
    pub(crate) fn upsert(&self, node: NodeId, name: &NodeName, ready: bool) -> bool {
        let entry = Entry {
            name: name.clone(),
            ready,
        };
        let before = self.write().insert(node, entry);
        ready && !before.is_some_and(|before| before.ready)
    }

    /// Whether the node has been heard of.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.contains_key(&node)
    }

    /// A node of that name.
    pub(crate) fn find_named(&self, name: &NodeName) -> Option<NodeId> {
        self.find(|id, entry| (entry.name == *name).then_some(id))
    }

    /// A node is gone. Says whether it was here.
    pub(crate) fn remove(&self, node: NodeId) -> bool {
        self.write().remove(&node).is_some()
    }

    /// Nobody is known any more.
    pub(crate) fn clear(&self) {
        self.write().clear();
    }

    fn find<T>(&self, look: impl Fn(NodeId, &Entry) -> Option<T>) -> Option<T> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.iter().find_map(|(id, entry)| look(*id, entry))
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<NodeId, Entry>> {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scenes for Directory {
    fn ready(&self, name: &NodeName) -> Option<NodeId> {
        self.find(|id, entry| (entry.ready && entry.name == *name).then_some(id))
    }

    fn knows(&self, name: &NodeName) -> bool {
        self.find(|_, entry| (entry.name == *name).then_some(()))
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scene_that_drains_is_known_and_takes_nobody() {
        let directory = Directory::default();
        let name: NodeName = "scene@0".parse().unwrap();
        let (old, new) = (NodeId::new(1, 1), NodeId::new(1, 2));
        assert!(directory.upsert(old, &name, true));
        assert!(!directory.upsert(old, &name, true), "nothing has changed");
        assert!(!directory.upsert(old, &name, false));
        assert!(directory.knows(&name));
        assert_eq!(directory.ready(&name), None);
        assert!(directory.upsert(new, &name, true), "its successor is there");
        assert!(directory.remove(old));
        assert_eq!(directory.ready(&name), Some(new));
        directory.clear();
        assert!(!directory.knows(&name) && !directory.remove(new));
    }
}
