//! The gates that a message for everybody goes to.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ffrpc::NodeEvent;
use protocol::{NodeId, v1::Role};

/// Every gate that has been heard of and is not gone.
///
/// Also those of which the directory says that they are still joining: a gate
/// lets clients in as soon as its link is open, and that it is ready travels
/// another way than its clients' enters do. So an enter is a sign of its gate,
/// too: whoever has entered hears what is said to all from then on.
///
/// The lock is held for a look-up or an insertion.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<BTreeSet<NodeId>>);

impl Gates {
    /// A session has entered through this gate.
    pub(crate) fn heard_of(&self, gate: NodeId) {
        self.lock().insert(gate);
    }

    /// The directory has changed.
    pub(crate) fn follow(&self, event: &NodeEvent) {
        match event {
            NodeEvent::Upserted(node) if node.role == Role::Gate => self.heard_of(node.id),
            NodeEvent::Removed(node) => {
                self.lock().remove(node);
            }
            NodeEvent::Lost => self.lock().clear(),
            NodeEvent::Joined(_) | NodeEvent::Upserted(_) => {}
        }
    }

    /// The gates, in the order of their ids.
    pub(crate) fn all(&self) -> Vec<NodeId> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<NodeId>> {
        // A set of ids is as good after a panic as before it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ffrpc::NodeRecord;
    use protocol::v1::NodeState;

    use super::*;

    fn upserted(serial: u32, role: Role, state: NodeState) -> NodeEvent {
        NodeEvent::Upserted(Arc::new(NodeRecord {
            id: NodeId::new(1, serial),
            name: "gate@0".parse().unwrap(),
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
        let gates = Gates::default();
        let [one, two, three] = [1, 2, 3].map(|serial| NodeId::new(1, serial));
        gates.follow(&upserted(1, Role::Gate, NodeState::Joining));
        gates.follow(&upserted(2, Role::Gate, NodeState::Draining));
        gates.follow(&upserted(9, Role::Scene, NodeState::Ready));
        assert_eq!(gates.all(), [one, two]);
        gates.heard_of(three);
        gates.heard_of(one);
        assert_eq!(gates.all(), [one, two, three]);
        gates.follow(&NodeEvent::Removed(one));
        assert_eq!(gates.all(), [two, three]);
        gates.follow(&NodeEvent::Lost);
        assert!(gates.all().is_empty());
    }
}
