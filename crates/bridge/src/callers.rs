//! Who calls: what the nodes of a group are called in others.

use bytes::Bytes;
use ffrpc::NodeEvent;
use foldhash::HashMap;
use prost::Message;
use protocol::{GroupName, NodeId, v1::Crossing};

/// The nodes of a group, each with what the bridge says of its calls. It is made, and
/// encoded, once for each node, and not for each call.
#[derive(Debug)]
pub(crate) struct Callers {
    callers: HashMap<NodeId, Caller>,
    /// One that the directory has not told of yet.
    nameless: Caller,
}

#[derive(Debug)]
struct Caller {
    /// What is said of a call that has crossed no bridge before.
    crossing: Crossing,
    encoded: Bytes,
}

impl Callers {
    /// Nobody yet.
    pub(crate) fn new(group: &GroupName) -> Self {
        Callers {
            callers: HashMap::default(),
            nameless: Caller::new(group.as_str(), ""),
        }
    }

    /// Takes in what happens in the group.
    pub(crate) fn follow(&mut self, event: &NodeEvent) {
        match event {
            NodeEvent::Upserted(record) => {
                let name = record.name.as_str();
                let known = self.callers.get(&record.id);
                if known.is_none_or(|caller| caller.crossing.from_node != name) {
                    let caller = Caller::new(&self.nameless.crossing.from_group, name);
                    self.callers.insert(record.id, caller);
                }
            }
            NodeEvent::Removed(node) => {
                self.callers.remove(node);
            }
            NodeEvent::Lost => self.callers.clear(),
            _ => {}
        }
    }

    /// What is said, encoded, of a call of `source` that has crossed `hops` bridges
    /// before.
    pub(crate) fn crossing(&self, source: NodeId, hops: u32) -> Bytes {
        let caller = self.callers.get(&source).unwrap_or(&self.nameless);
        match hops {
            0 => caller.encoded.clone(),
            _ => {
                let crossing = Crossing {
                    hops: hops.saturating_add(1),
                    ..caller.crossing.clone()
                };
                crossing.encode_to_vec().into()
            }
        }
    }
}

impl Caller {
    fn new(group: &str, node: &str) -> Self {
        let crossing = Crossing {
            from_group: group.to_owned(),
            from_node: node.to_owned(),
            hops: 1,
            ..Crossing::default()
        };
        Caller {
            encoded: crossing.encode_to_vec().into(),
            crossing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        let said =
            |callers: &Callers, hops| Crossing::decode(callers.crossing(NODE, hops)).unwrap();
        assert_eq!(said(&callers, 0), expected);
        let later = Crossing {
            hops: 7,
            ..expected
        };
        assert_eq!(said(&callers, 6), later);
        callers.follow(&NodeEvent::Removed(NODE));
        assert_eq!(said(&callers, 0).from_node, "");
    }
}
