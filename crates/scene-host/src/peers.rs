//! Who is in the group, of those that a scene has to do with.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ffrpc::NodeEvent;
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
    name: Option<NodeName>,
}

impl Peers {
    /// A session has entered through this gate.
    pub(crate) fn heard_of(&self, gate: NodeId) {
        self.lock().entry(gate).or_insert(Peer {
            role: Role::Gate,
            name: None,
        });
    }

    /// The directory has changed.
    pub fn follow(&self, event: &NodeEvent) {
        match event {
            NodeEvent::Upserted(node) => {
                let peer = Peer {
                    role: node.role,
                    name: Some(node.name.clone()),
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
        let known = nodes.get(&node).filter(|peer| peer.name.is_some());
        known.is_none_or(|peer| peer.role == role)
    }

    /// What a node is called, in logs.
    pub(crate) fn describe(&self, node: NodeId) -> String {
        let nodes = self.lock();
        match nodes.get(&node).and_then(|peer| peer.name.as_ref()) {
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
        let found = newest_first
            .find(|(_, peer)| peer.role == role && peer.name.as_ref().is_some_and(|n| n == name));
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
