//! Who is in the group, of those that a scene has to do with.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ffrpc::{NodeEvent, NodeRecord};
use protocol::{NodeId, NodeName, v1::Role};

/// The nodes that have been heard of and are not gone.
///
/// Also those of which the directory says that they are still joining: a gate
/// lets clients in as soon as its link is open, and that it is ready travels
/// another way than its clients' enters do. So an enter is a sign of its gate,
/// too: whoever has entered hears what is said to all from then on.
///
/// The lock is held for a look-up or an insertion.
#[derive(Debug, Default)]
pub struct Peers {
    nodes: Mutex<BTreeMap<NodeId, Peer>>,
    /// How often the group was lost.
    losses: AtomicU64,
}

#[derive(Debug)]
struct Peer {
    role: Role,
    /// None of a gate of which only its enters are known.
    record: Option<Arc<NodeRecord>>,
}

impl Peer {
    fn name(&self) -> Option<&NodeName> {
        self.record.as_ref().map(|record| &record.name)
    }
}

impl Peers {
    /// A session has entered through this gate.
    pub(crate) fn heard_of(&self, gate: NodeId) {
        self.lock().entry(gate).or_insert(Peer {
            role: Role::Gate,
            record: None,
        });
    }

    /// The directory has changed.
    pub fn follow(&self, event: &NodeEvent) {
        match event {
            NodeEvent::Upserted(node) => {
                let peer = Peer {
                    role: node.role,
                    record: Some(node.clone()),
                };
                self.lock().insert(node.id, peer);
            }
            NodeEvent::Removed(node) => {
                self.lock().remove(node);
            }
            NodeEvent::Lost => {
                self.losses.fetch_add(1, Ordering::AcqRel);
                self.lock().clear();
            }
            _ => {}
        }
    }

    /// Whether a node has this role, as far as one knows: what it says may come
    /// before the directory says what it is.
    pub(crate) fn may_be(&self, node: NodeId, role: Role) -> bool {
        let nodes = self.lock();
        let known = nodes.get(&node).filter(|peer| peer.record.is_some());
        known.is_none_or(|peer| peer.role == role)
    }

    /// What a node is called, if the directory has told that.
    pub(crate) fn name(&self, node: NodeId) -> Option<NodeName> {
        self.lock().get(&node)?.name().cloned()
    }

    /// What a node is called, in logs.
    pub(crate) fn describe(&self, node: NodeId) -> String {
        let nodes = self.lock();
        match nodes.get(&node).and_then(Peer::name) {
            Some(name) => format!("{name} ({node})"),
            None => node.to_string(),
        }
    }

    /// How often the group was lost: said before the scene can be in it again.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// The gates, in the order of their ids.
    pub(crate) fn gates(&self) -> Vec<NodeId> {
        self.with_role(Role::Gate)
    }

    /// The scenes, this one among them.
    pub(crate) fn scenes(&self) -> Vec<NodeId> {
        self.with_role(Role::Scene)
    }

    /// The gate of this name; the latest, where one has taken another's name.
    pub(crate) fn gate(&self, name: &NodeName) -> Option<NodeId> {
        self.named(Role::Gate, name)
    }

    /// The scene of this name.
    pub(crate) fn scene(&self, name: &NodeName) -> Option<NodeId> {
        self.named(Role::Scene, name)
    }

    /// What the directory says of the node of this name, in whichever state it is;
    /// of the latest, where one has taken another's name.
    pub(crate) fn record(&self, name: &NodeName) -> Option<Arc<NodeRecord>> {
        let nodes = self.lock();
        let mut newest_first = nodes.values().rev();
        let found = newest_first.find(|peer| peer.name() == Some(name))?;
        found.record.clone()
    }

    /// Of the ready nodes whose names begin with `role`, the one that carried least
    /// when the directory last told of it.
    pub(crate) fn least_loaded(&self, role: &str) -> Option<Arc<NodeRecord>> {
        let nodes = self.lock();
        let records = nodes.values().filter_map(|peer| peer.record.as_ref());
        let fitting = records.filter(|record| record.is_ready() && record.name.role() == role);
        fitting
            .min_by_key(|record| (record.load, record.id))
            .cloned()
    }

    /// Whether a node is there.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.lock().contains_key(&node)
    }

    fn with_role(&self, role: Role) -> Vec<NodeId> {
        let nodes = self.lock();
        let of_role = nodes.iter().filter(|(_, peer)| peer.role == role);
        of_role.map(|(id, _)| *id).collect()
    }

    fn named(&self, role: Role, name: &NodeName) -> Option<NodeId> {
        let nodes = self.lock();
        let mut newest_first = nodes.iter().rev();
        let found = newest_first.find(|(_, peer)| peer.role == role && peer.name() == Some(name));
        found.map(|(id, _)| *id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Peer>> {
        // A table of whole entries is as good after a panic as before it.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ffrpc::NodeRecord;
    use protocol::v1::NodeState;

    use super::*;

    fn upserted(serial: u32, name: &str, role: Role, state: NodeState) -> NodeEvent {
        NodeEvent::Upserted(Arc::new(NodeRecord {
            id: NodeId::new(1, serial),
            name: name.parse().unwrap(),
            role,
            state,
            address: String::new(),
            methods: Vec::new(),
            load: 0,
            build: String::new(),
            script: None,
            groups: Vec::new(),
        }))
    }

    #[test]
    fn gates_are_known_from_their_first_sign_until_they_are_gone() {
        let peers = Peers::default();
        let [one, two, three] = [1, 2, 3].map(|serial| NodeId::new(1, serial));
        peers.follow(&upserted(1, "gate@0", Role::Gate, NodeState::Joining));
        peers.follow(&upserted(2, "gate@1", Role::Gate, NodeState::Draining));
        peers.follow(&upserted(9, "scene@0", Role::Scene, NodeState::Ready));
        peers.follow(&upserted(8, "slave@0", Role::Slave, NodeState::Ready));
        assert_eq!(peers.gates(), [one, two]);
        assert_eq!(peers.scenes(), [NodeId::new(1, 9)]);
        peers.heard_of(three);
        peers.heard_of(one);
        assert_eq!(peers.gates(), [one, two, three]);
        assert!(peers.may_be(three, Role::Scene) && peers.may_be(one, Role::Gate));
        assert!(!peers.may_be(one, Role::Scene));
        assert!(!peers.may_be(NodeId::new(1, 8), Role::Gate));
        peers.follow(&NodeEvent::Removed(one));
        assert_eq!(peers.gates(), [two, three]);
        peers.follow(&NodeEvent::Lost);
        assert!(peers.gates().is_empty());
    }

    #[test]
    fn of_a_role_the_ready_node_that_carries_least_is_found() {
        let peers = Peers::default();
        for (serial, name, state) in [
            (1, "db@0", NodeState::Draining),
            (2, "db@1", NodeState::Ready),
            (3, "db@2", NodeState::Ready),
            (4, "dbs@0", NodeState::Ready),
        ] {
            peers.follow(&upserted(serial, name, Role::Service, state));
        }
        let found = |role| peers.least_loaded(role).map(|node| node.name.to_string());
        assert_eq!(found("db").as_deref(), Some("db@1"));
        assert_eq!(found("d"), None);
        let draining = peers.record(&"db@0".parse().unwrap()).unwrap();
        assert_eq!(draining.state, NodeState::Draining);
    }

    #[test]
    fn of_two_nodes_of_one_name_the_newer_is_found() {
        let peers = Peers::default();
        peers.heard_of(NodeId::new(1, 5));
        for serial in [1, 2] {
            peers.follow(&upserted(serial, "gate@0", Role::Gate, NodeState::Ready));
        }
        let name = "gate@0".parse().unwrap();
        assert_eq!(peers.gate(&name), Some(NodeId::new(1, 2)));
        assert_eq!(peers.scene(&name), None);
        peers.follow(&NodeEvent::Removed(NodeId::new(1, 2)));
        assert_eq!(peers.gate(&name), Some(NodeId::new(1, 1)));
    }
}
