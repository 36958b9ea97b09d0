//! A node's copy of its group's directory.
//!
//! A state machine without I/O: the master's snapshots and deltas go in, what
//! has changed for this node comes out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use protocol::{
    NodeId, NodeName,
    v1::{self, Delta, GroupLink, Load, NodeState, Role, Script, Snapshot, delta::Change},
};

/// What the directory says of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRecord {
    /// Who it is.
    pub id: NodeId,
    /// Its name in the group.
    pub name: NodeName,
    /// What it is.
    pub role: Role,
    /// Where it stands.
    pub state: NodeState,
    /// Brokers only: where links are opened, `host:port`.
    pub address: String,
    /// The methods that it answers.
    pub methods: Vec<String>,
    /// Its load when it last changed otherwise; for a bridge, as of the last second.
    pub load: u64,
    /// The version of its program.
    pub build: String,
    /// Scenes only: which script runs.
    pub script: Option<Script>,
    /// Bridges only: the other groups that they join.
    pub groups: Vec<GroupLink>,
}

/// The directory as this node knows it.
#[derive(Debug, Default)]
pub struct Replica {
    revision: u64,
    nodes: BTreeMap<NodeId, Arc<NodeRecord>>,
    names: HashMap<NodeName, NodeId>,
    bridges: BTreeSet<NodeId>,
    gone: Gone,
}

/// What a snapshot or a delta has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplicaChange {
    /// The node is new, or this is its record now.
    Upserted(Arc<NodeRecord>),
    /// The node is gone and will never be back under this id.
    Removed(NodeId),
}

/// A revision was missed: the replica needs a whole snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What the replica holds.
    pub held: u64,
    /// What has come.
    pub came: u64,
}

/// The nodes that went last. An envelope of one may still be on its way.
#[derive(Debug, Default)]
struct Gone {
    ids: HashSet<NodeId>,
    order: VecDeque<NodeId>,
}

/// How many of the gone are remembered. An envelope is on its way for seconds
/// at most; a group does not lose a thousand nodes in that time.
const REMEMBERED: usize = 1024;

impl Replica {
    /// Replaces everything by `snapshot`.
    pub fn reset(&mut self, snapshot: Snapshot) -> Vec<ReplicaChange> {
        let records: Vec<_> = snapshot.nodes.into_iter().filter_map(record).collect();
        let kept: HashSet<NodeId> = records.iter().map(|record| record.id).collect();
        let missing: Vec<NodeId> = self
            .nodes
            .keys()
            .copied()
            .filter(|id| !kept.contains(id))
            .collect();
        self.revision = snapshot.revision;
        let mut changes: Vec<_> = missing
            .into_iter()
            .filter_map(|id| self.remove(id))
            .collect();
        changes.extend(records.into_iter().filter_map(|record| self.upsert(record)));
        changes
    }

    /// Applies the next change. A delta that is not the next one changes
    /// nothing; an old one is no gap, for it is already in the snapshot.
    pub fn apply(&mut self, delta: Delta) -> Result<Option<ReplicaChange>, Gap> {
        if delta.revision <= self.revision {
            return Ok(None);
        }
        if delta.revision != self.revision + 1 {
            return Err(Gap {
                held: self.revision,
                came: delta.revision,
            });
        }
        self.revision = delta.revision;
        Ok(match delta.change {
            Some(Change::Upserted(node)) => record(node).and_then(|record| self.upsert(record)),
            Some(Change::Removed(id)) => self.remove(NodeId::from_u64(id)),
            None => None,
        })
    }

    /// The revision of the directory that it shows.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The node of this name, if it takes work. One that drains is not given to
    /// anybody new.
    pub fn lookup(&self, name: &NodeName) -> Option<&Arc<NodeRecord>> {
        let id = self.names.get(name)?;
        self.nodes.get(id).filter(|node| node.is_ready())
    }

    /// What is known of a node.
    pub fn get(&self, id: NodeId) -> Option<&Arc<NodeRecord>> {
        self.nodes.get(&id)
    }

    /// The nodes of a role that take work.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Arc<NodeRecord>> {
        self.nodes
            .values()
            .filter(move |node| node.role == role && node.is_ready())
    }

    /// The bridges, in whichever state.
    pub fn bridges(&self) -> impl Iterator<Item = &Arc<NodeRecord>> + Clone {
        self.bridges.iter().filter_map(|id| self.nodes.get(id))
    }

    /// Every node that is known.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<NodeRecord>> {
        self.nodes.values()
    }

    /// Takes in how much nodes carry. It is no change of their records.
    pub fn set_loads(&mut self, loads: &[Load]) {
        for load in loads {
            if let Some(node) = self.nodes.get_mut(&NodeId::from_u64(load.node_id)) {
                Arc::make_mut(node).load = load.load;
            }
        }
    }

    /// Whether the node has been here and is gone.
    pub fn is_gone(&self, id: NodeId) -> bool {
        self.gone.ids.contains(&id)
    }

    /// A node that was never heard of is taken for gone.
    pub fn bury(&mut self, id: NodeId) {
        if !self.nodes.contains_key(&id) && !self.is_gone(id) {
            self.gone.remember(id);
        }
    }

    fn upsert(&mut self, record: NodeRecord) -> Option<ReplicaChange> {
        let record = Arc::new(record);
        self.names.insert(record.name.clone(), record.id);
        if record.role == Role::Bridge {
            self.bridges.insert(record.id);
        }
        let before = self.nodes.insert(record.id, Arc::clone(&record));
        (before.as_ref() != Some(&record)).then_some(ReplicaChange::Upserted(record))
    }

    fn remove(&mut self, id: NodeId) -> Option<ReplicaChange> {
        let record = self.nodes.remove(&id)?;
        self.bridges.remove(&id);
        // Its name may have a new holder already.
        if self.names.get(&record.name) == Some(&id) {
            self.names.remove(&record.name);
        }
        self.gone.remember(id);
        Some(ReplicaChange::Removed(id))
    }
}

impl NodeRecord {
    /// Whether it takes work.
    pub fn is_ready(&self) -> bool {
        self.state == NodeState::Ready
    }
}

impl Gone {
    fn remember(&mut self, id: NodeId) {
        self.ids.insert(id);
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

/// A record whose name is none cannot be called: it is left out.
fn record(node: v1::NodeRecord) -> Option<NodeRecord> {
    Some(NodeRecord {
        id: NodeId::from_u64(node.node_id),
        name: node.name.parse().ok()?,
        role: node.role(),
        state: node.state(),
        address: node.address,
        methods: node.methods,
        load: node.load,
        build: node.build,
        script: node.script,
        groups: node.groups,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(serial: u32, name: &str, state: NodeState) -> v1::NodeRecord {
        v1::NodeRecord {
            node_id: NodeId::new(1, serial).as_u64(),
            name: name.into(),
            role: Role::Scene.into(),
            state: state.into(),
            ..v1::NodeRecord::default()
        }
    }

    fn resolve(replica: &Replica, name: &NodeName) -> Option<NodeId> {
        replica.lookup(name).map(|node| node.id)
    }

    fn upserted(revision: u64, node: v1::NodeRecord) -> Delta {
        Delta {
            revision,
            change: Some(Change::Upserted(node)),
        }
    }

    fn removed(revision: u64, serial: u32) -> Delta {
        Delta {
            revision,
            change: Some(Change::Removed(NodeId::new(1, serial).as_u64())),
        }
    }

    #[test]
    fn only_a_ready_node_is_looked_up() {
        let mut replica = Replica::default();
        let name = "scene@0".parse().unwrap();
        replica
            .apply(upserted(1, node(1, "scene@0", NodeState::Joining)))
            .unwrap();
        assert_eq!(resolve(&replica, &name), None);
        replica
            .apply(upserted(2, node(1, "scene@0", NodeState::Ready)))
            .unwrap();
        assert_eq!(resolve(&replica, &name), Some(NodeId::new(1, 1)));
        replica
            .apply(upserted(3, node(1, "scene@0", NodeState::Draining)))
            .unwrap();
        assert_eq!(resolve(&replica, &name), None);
    }

    #[test]
    fn a_missed_revision_is_a_gap_and_an_old_one_is_not() {
        let mut replica = Replica::default();
        replica
            .apply(upserted(1, node(1, "scene@0", NodeState::Ready)))
            .unwrap();
        assert_eq!(replica.apply(removed(3, 1)), Err(Gap { held: 1, came: 3 }));
        assert_eq!(replica.apply(removed(1, 1)), Ok(None));
        assert!(replica.get(NodeId::new(1, 1)).is_some());
    }

    #[test]
    fn a_snapshot_says_who_is_gone_before_who_is_new() {
        let mut replica = Replica::default();
        replica
            .apply(upserted(1, node(1, "scene@0", NodeState::Ready)))
            .unwrap();
        let changes = replica.reset(Snapshot {
            revision: 9,
            nodes: vec![node(2, "scene@0", NodeState::Ready)],
        });
        assert_eq!(changes[0], ReplicaChange::Removed(NodeId::new(1, 1)));
        assert!(
            matches!(&changes[1], ReplicaChange::Upserted(node) if node.id == NodeId::new(1, 2))
        );
        assert_eq!(
            resolve(&replica, &"scene@0".parse().unwrap()),
            Some(NodeId::new(1, 2))
        );
        assert!(replica.is_gone(NodeId::new(1, 1)));
    }

    #[test]
    fn the_end_of_an_older_holder_leaves_the_name_to_the_newer_one() {
        let mut replica = Replica::default();
        replica
            .apply(upserted(1, node(1, "scene@0", NodeState::Ready)))
            .unwrap();
        replica
            .apply(upserted(2, node(2, "scene@0", NodeState::Ready)))
            .unwrap();
        replica.apply(removed(3, 1)).unwrap();
        assert_eq!(
            resolve(&replica, &"scene@0".parse().unwrap()),
            Some(NodeId::new(1, 2))
        );
    }
}
