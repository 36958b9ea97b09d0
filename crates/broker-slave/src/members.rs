//! Who is in the group: whose links a slave takes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use broker::Links;
use ffrpc::NodeEvent;
use protocol::{NodeId, v1::Role};
use tokio::sync::Notify;

/// The nodes that a slave routes for, as its directory has them.
pub(crate) struct Members {
    links: Arc<Links>,
    /// Locked for an insertion, a removal or a count.
    expected: Mutex<BTreeSet<NodeId>>,
    lost: Notify,
}

impl Members {
    /// Nobody yet; who comes and goes is told to `links`.
    pub(crate) fn new(links: Arc<Links>) -> Arc<Self> {
        Arc::new(Members {
            links,
            expected: Mutex::default(),
            lost: Notify::new(),
        })
    }

    /// Takes in what has happened in the group.
    pub(crate) fn follow(&self, event: &NodeEvent) {
        match event {
            // Those who are there follow.
            NodeEvent::Joined(_)
            | NodeEvent::Unreachable(_)
            | NodeEvent::Reachable(_)
            | NodeEvent::Exports(_)
            | NodeEvent::Loads(_) => {}
            NodeEvent::Upserted(node) if is_broker(node.role) => {}
            NodeEvent::Upserted(node) => {
                self.expected().insert(node.id);
                self.links.expect_as(node.id, &node.name);
            }
            NodeEvent::Removed(node) => {
                self.expected().remove(node);
                self.links.forget(*node);
            }
            NodeEvent::Lost => {
                self.expected().clear();
                self.links.forget_all();
                self.lost.notify_one();
            }
        }
    }

    /// How many nodes have no link to the slave.
    pub(crate) fn unlinked(&self) -> usize {
        let expected = self.expected();
        let unlinked = expected.iter().filter(|node| !self.links.is_linked(**node));
        unlinked.count()
    }

    /// Waits until the slave has been out of the group since it last waited.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }

    fn expected(&self) -> MutexGuard<'_, BTreeSet<NodeId>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brokers have no links to each other.
fn is_broker(role: Role) -> bool {
    matches!(role, Role::Master | Role::Slave)
}

#[cfg(test)]
mod tests {
    use ffrpc::NodeRecord;
    use protocol::{Secret, v1::NodeState};
    use tokio_util::sync::CancellationToken;

    use super::*;

    const GATE: NodeId = NodeId::new(1, 1);
    const SCENE: NodeId = NodeId::new(1, 2);
    const SLAVE: NodeId = NodeId::new(1, 3);

    fn upserted(id: NodeId, name: &str, role: Role) -> NodeEvent {
        NodeEvent::Upserted(Arc::new(NodeRecord {
            id,
            name: name.parse().unwrap(),
            role,
            state: NodeState::Ready,
            address: String::new(),
            methods: Vec::new(),
            load: 0,
            build: String::new(),
            script: None,
            groups: Vec::new(),
        }))
    }

    fn group() -> (Arc<Links>, Arc<Members>) {
        let links = Links::new("GroupA".parse().unwrap(), Secret::default(), 1 << 20);
        let members = Members::new(Arc::clone(&links));
        members.follow(&NodeEvent::Joined(SLAVE));
        members.follow(&upserted(GATE, "gate@0", Role::Gate));
        members.follow(&upserted(SCENE, "scene@0", Role::Scene));
        members.follow(&upserted(SLAVE, "slave@0", Role::Slave));
        (links, members)
    }

    fn is_admitted(links: &Links, node: NodeId) -> bool {
        links.open_stream(node, &CancellationToken::new()).is_some()
    }

    #[test]
    fn every_node_but_a_broker_is_waited_for_and_may_open_a_link() {
        let (links, members) = group();
        assert_eq!(members.unlinked(), 2);
        assert!(!is_admitted(&links, SLAVE));
        assert!(is_admitted(&links, GATE));
        assert_eq!(members.unlinked(), 1);
        assert!(is_admitted(&links, SCENE));
        assert_eq!(members.unlinked(), 0);
    }

    #[test]
    fn a_bridge_is_waited_for_like_any_node_and_its_news_mean_nothing() {
        let (links, members) = group();
        let bridge = NodeId::new(1, 4);
        members.follow(&upserted(bridge, "bridge@0", Role::Bridge));
        members.follow(&NodeEvent::Exports(Arc::default()));
        members.follow(&NodeEvent::Loads(Arc::default()));
        assert_eq!(members.unlinked(), 3);
        assert!(is_admitted(&links, bridge));
        assert_eq!(members.unlinked(), 2);
    }

    #[test]
    fn who_is_gone_is_neither_waited_for_nor_let_in() {
        let (links, members) = group();
        assert!(is_admitted(&links, GATE));
        members.follow(&NodeEvent::Removed(GATE));
        assert!(!links.is_linked(GATE));
        members.follow(&NodeEvent::Removed(SCENE));
        assert_eq!(members.unlinked(), 0);
        assert!(!is_admitted(&links, SCENE));
    }

    #[tokio::test]
    async fn a_slave_that_has_lost_its_group_lets_nobody_in() {
        let (links, members) = group();
        assert!(is_admitted(&links, GATE));
        members.follow(&NodeEvent::Lost);
        members.lost().await;
        assert!(!links.is_linked(GATE));
        assert!(!is_admitted(&links, SCENE));
    }
}
