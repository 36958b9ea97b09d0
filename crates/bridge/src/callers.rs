//! Who calls: what the nodes of a group are called in others.

use std::{collections::HashMap, sync::Arc};

use ffrpc::NodeEvent;
use protocol::{GroupName, NodeId, v1::Crossing};

/// The nodes of a group, each with what the bridge says of its calls. It is made once
/// for each node, and not for each call.
#[derive(Debug)]
pub(crate) struct Callers {
    crossings: HashMap<NodeId, Arc<Crossing>>,
    /// Of one that the directory has not told of yet.
    nameless: Arc<Crossing>,
}

impl Callers {
    /// Nobody yet.
    pub(crate) fn new(group: &GroupName) -> Self {
        Callers {
            crossings: HashMap::new(),
            nameless: Arc::new(first_crossing(group.as_str(), "")),
        }
    }

    /// Takes in what happens in the group.
    pub(crate) fn follow(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::Upserted(record) => {
                let name = record.name.as_str();
                let known = self.crossings.get(&record.id);
                if known.is_none_or(|crossing| crossing.from_node != name) {
                    let crossing = first_crossing(&self.nameless.from_group, name);
                    self.crossings.insert(record.id, Arc::new(crossing));
                }
            }
            NodeEvent::Removed(node) => {
                self.crossings.remove(node);
            }
            NodeEvent::Lost => self.crossings.clear(),
            _ => {}
        }
    }

    /// What is said of a call of `source` that has crossed `hops` bridges before.
    pub(crate) fn crossing(&self, source: NodeId, hops: u32) -> Arc<Crossing> {
        let crossing = self.crossings.get(&source).unwrap_or(&self.nameless);
        match hops {
            0 => Arc::clone(crossing),
            _ => Arc::new(Crossing {
                hops: hops.saturating_add(1),
                ..Crossing::clone(crossing)
            }),
        }
    }
}

fn first_crossing(group: &str, node: &str) -> Crossing {
    Crossing {
        from_group: group.to_owned(),
        from_node: node.to_owned(),
        hops: 1,
        ..Crossing::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::record;

    const NODE: NodeId = NodeId::new(1, 1);

    #[test]
    fn a_call_says_who_made_it_and_how_many_bridges_it_has_crossed() {
        let mut callers = Callers::new(&"GroupA".parse().unwrap());
        callers.follow(&NodeEvent::Upserted(Arc::new(record(NODE, "scene@3"))));
        let expected = Crossing {
            from_group: "GroupA".into(),
            from_node: "scene@3".into(),
            hops: 1,
            ..Crossing::default()
        };
        assert_eq!(*callers.crossing(NODE, 0), expected);
        assert_eq!(callers.crossing(NODE, 6).hops, 7);
        callers.follow(&NodeEvent::Removed(NODE));
        assert_eq!(callers.crossing(NODE, 0).from_node, "");
    }
}
