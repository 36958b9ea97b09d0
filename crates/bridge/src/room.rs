//! What a bridge knows of a group: whom a call of another group may go to.

use ffrpc::NodeEvent;
use protocol::{GroupName, v1};
use tracing::warn;

use crate::{
    exports::Grants,
    offers::{Chosen, Offers},
    refusal::Refusal,
};

/// A group as its master tells of it.
#[derive(Debug, Default)]
pub(crate) struct Room {
    offers: Offers,
    /// What each of the bridge's groups may call here, in their order. Empty, and so
    /// nothing, until the master has said.
    grants: Vec<Grants>,
}

impl Room {
    /// Takes in what happens in the group; `groups` are all of the bridge.
    pub(crate) fn follow(&mut self, event: &NodeEvent, groups: &[GroupName]) {
        match event {
            NodeEvent::Upserted(record) => self.offers.upsert(record.clone()),
            NodeEvent::Removed(node) => self.offers.remove(*node),
            NodeEvent::Unreachable(node) => self.offers.unreachable(*node, true),
            NodeEvent::Reachable(node) => self.offers.unreachable(*node, false),
            NodeEvent::Exports(exports) => self.export(exports, groups),
            NodeEvent::Loads(loads) => {
                for load in &loads.loads {
                    let node = protocol::NodeId::from_u64(load.node_id);
                    self.offers.load(node, load.load);
                }
            }
            NodeEvent::Lost => {
                self.offers.clear();
                self.grants.clear();
            }
            NodeEvent::Joined(_) => {}
        }
    }

    fn export(&mut self, exports: &v1::Exports, groups: &[GroupName]) {
        self.grants = Grants::of_groups(exports, groups).unwrap_or_else(|(bytes, limit)| {
            warn!(
                bytes,
                limit, "the master exports more than may be: other groups may call nothing"
            );
            Vec::new()
        });
    }

    /// Whom a call from the group at `from` goes to: the node called `service`, or,
    /// where that is empty, whoever offers the method and carries least. What is not
    /// exported is forbidden, whether anybody has it or not.
    ///
    /// [`ended`](Self::ended) has to follow.
    pub(crate) fn choose(
        &mut self,
        from: usize,
        service: &str,
        method: &str,
    ) -> Result<Chosen, Refusal> {
        let grants = self.grants.get(from).ok_or(Refusal::Forbidden)?;
        let granted = grants.of(method).ok_or(Refusal::Forbidden)?;
        if service.is_empty() {
            let chosen = self.offers.choose(method, |node| granted.at(node));
            return chosen.ok_or(Refusal::NobodyOffers);
        }
        if !granted.at(service) {
            return Err(Refusal::Forbidden);
        }
        self.offers.named(service).ok_or(Refusal::NoService)
    }

    /// A call has ended.
    pub(crate) fn ended(&mut self, chosen: Chosen) {
        self.offers.ended(chosen);
    }

    /// Whether the group at `from` may read the directory.
    pub(crate) fn shows_directory(&self, from: usize) -> bool {
        self.grants.get(from).is_some_and(Grants::directory)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ffrpc::NodeRecord;
    use protocol::{
        NodeId,
        v1::{Export, Exports, Load, Loads},
    };

    use super::*;
    use crate::support::record;

    const A: usize = 0;
    const B: usize = 1;
    const ECHO: NodeId = NodeId::new(1, 1);
    const OTHER: NodeId = NodeId::new(1, 2);

    fn groups() -> Vec<GroupName> {
        ["GroupA", "GroupB"]
            .map(|name| name.parse().unwrap())
            .into()
    }

    fn exporting(groups: &str, services: &str, methods: &str) -> NodeEvent {
        NodeEvent::Exports(Arc::new(Exports {
            exports: vec![Export {
                groups: vec![groups.into()],
                services: vec![services.into()],
                methods: vec![methods.into()],
                ..Export::default()
            }],
        }))
    }

    fn upserted(id: NodeId, name: &str) -> NodeEvent {
        NodeEvent::Upserted(Arc::new(NodeRecord {
            methods: vec!["echo".into()],
            ..record(id, name)
        }))
    }

    fn room(events: impl IntoIterator<Item = NodeEvent>) -> Room {
        let mut room = Room::default();
        for event in events {
            room.follow(&event, &groups());
        }
        room
    }

    fn node(chosen: Result<Chosen, Refusal>) -> Result<NodeId, Refusal> {
        chosen.map(|chosen| chosen.node)
    }

    #[test]
    fn nothing_is_exported_until_the_master_has_said_so() {
        let mut room = room([upserted(ECHO, "echo@0")]);
        assert_eq!(room.choose(A, "", "echo"), Err(Refusal::Forbidden));
        room.follow(&exporting("GroupA", "*", "echo"), &groups());
        assert_eq!(node(room.choose(A, "", "echo")), Ok(ECHO));
        assert_eq!(room.choose(B, "", "echo"), Err(Refusal::Forbidden));
        // What was heard of a group that is lost counts for nothing.
        room.follow(&NodeEvent::Lost, &groups());
        assert_eq!(room.choose(A, "", "echo"), Err(Refusal::Forbidden));
    }

    #[test]
    fn what_is_forbidden_is_so_whether_it_is_there_or_not() {
        let mut room = room([exporting("GroupA", "echo@0", "echo")]);
        assert_eq!(room.choose(A, "echo@1", "echo"), Err(Refusal::Forbidden));
        assert_eq!(room.choose(A, "", "stat"), Err(Refusal::Forbidden));
        assert_eq!(room.choose(A, "echo@0", "echo"), Err(Refusal::NoService));
        assert_eq!(room.choose(A, "", "echo"), Err(Refusal::NobodyOffers));
        room.follow(&upserted(OTHER, "echo@1"), &groups());
        assert_eq!(room.choose(A, "echo@1", "echo"), Err(Refusal::Forbidden));
        // It offers the method, and is not exported.
        assert_eq!(room.choose(A, "", "echo"), Err(Refusal::NobodyOffers));
        room.follow(&upserted(ECHO, "echo@0"), &groups());
        assert_eq!(node(room.choose(A, "", "echo")), Ok(ECHO));
        assert_eq!(node(room.choose(A, "echo@0", "echo")), Ok(ECHO));
    }

    #[test]
    fn loads_and_lost_links_decide_who_has_the_next_call() {
        let mut room = room([
            exporting("*", "*", "echo"),
            upserted(ECHO, "echo@0"),
            upserted(OTHER, "echo@1"),
        ]);
        let load = Load {
            node_id: ECHO.as_u64(),
            load: 5,
        };
        let loads = Loads { loads: vec![load] };
        room.follow(&NodeEvent::Loads(Arc::new(loads)), &groups());
        assert_eq!(node(room.choose(A, "", "echo")), Ok(OTHER));
        room.follow(&NodeEvent::Unreachable(OTHER), &groups());
        assert_eq!(node(room.choose(A, "", "echo")), Ok(ECHO));
        room.follow(&NodeEvent::Reachable(OTHER), &groups());
        assert_eq!(node(room.choose(A, "", "echo")), Ok(OTHER));
    }

    #[test]
    fn a_named_node_gets_what_it_does_not_offer_and_says_so_itself() {
        let mut room = room([exporting("*", "*", "stat"), upserted(ECHO, "echo@0")]);
        assert_eq!(room.choose(A, "", "stat"), Err(Refusal::NobodyOffers));
        assert_eq!(node(room.choose(A, "echo@0", "stat")), Ok(ECHO));
    }
}
