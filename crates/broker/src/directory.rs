//! Who is in the group: names, ids, leases, revisions.
//!
//! A state machine without I/O: every call says what time it is, and returns
//! the changes that every replica has to hear of, in order.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use protocol::{
    NameError, NodeId, NodeName,
    v1::{Delta, Hello, NodeRecord, NodeState, Report, Role, Snapshot, delta::Change},
};
use tokio::time::Instant;

/// The members of a group.
///
/// A member is *live* while its Join stream is open and it reports. When the
/// stream closes or falls silent it is *suspect*, still in the directory, until
/// its lease has run out; then it is gone. Its name belongs to it until then,
/// except that a new incarnation may take a suspect's name at once.
#[derive(Debug)]
pub struct Directory {
    epoch: u32,
    lease: Duration,
    serial: u32,
    revision: u64,
    members: BTreeMap<NodeId, Member>,
    names: HashMap<NodeName, NodeId>,
    ticked: Option<Instant>,
}

/// Why a node may not join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// It has no proper name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It does not say what it is.
    #[error("{0} says no role that this master knows")]
    Role(NodeName),
    /// Another node lives under its name.
    #[error(
        "the name {name} is held by node {holder}, which is alive: stop that node first, \
         or give this one a name of its own"
    )]
    NameTaken {
        /// The name in question.
        name: NodeName,
        /// Who has it.
        holder: NodeId,
    },
}

#[derive(Debug)]
struct Member {
    name: NodeName,
    record: NodeRecord,
    incarnation: u64,
    heard: Instant,
    connected: bool,
}

/// A master that comes to look at its leases later than this was itself away
/// (frozen, or the machine slept), and takes that time out of every lease.
const PAUSE: Duration = Duration::from_millis(500);

impl Directory {
    /// The directory of a master's run `epoch`, which only ever rises, with
    /// nobody in it but the master itself under the id that it gets here.
    pub fn new(epoch: u32, lease: Duration, master: NodeRecord) -> Self {
        let mut directory = Directory {
            epoch,
            lease,
            serial: 0,
            revision: 0,
            members: BTreeMap::new(),
            names: HashMap::new(),
            ticked: None,
        };
        if let Ok(name) = master.name.parse::<NodeName>() {
            let id = NodeId::new(epoch, 0);
            directory.names.insert(name.clone(), id);
            let member = Member {
                name,
                record: NodeRecord {
                    node_id: id.as_u64(),
                    ..master
                },
                incarnation: 0,
                heard: Instant::now(),
                connected: true,
            };
            directory.members.insert(id, member);
        }
        directory
    }

    /// The run of the master that this directory belongs to.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Lets a node in and gives it its id; a suspect of its name is gone then.
    pub fn join(
        &mut self,
        hello: &Hello,
        now: Instant,
    ) -> Result<(NodeId, Vec<Delta>), JoinRefusal> {
        let name: NodeName = hello.name.parse()?;
        if matches!(hello.role(), Role::Unspecified | Role::Master) {
            return Err(JoinRefusal::Role(name));
        }
        let mut deltas = Vec::new();
        if let Some(&holder) = self.names.get(&name) {
            let member = self.members.get(&holder);
            let replaceable = member
                .is_some_and(|member| !member.connected && member.incarnation != hello.incarnation);
            if !replaceable {
                return Err(JoinRefusal::NameTaken { name, holder });
            }
            deltas.extend(self.remove(holder));
        }
        self.serial += 1;
        let id = NodeId::new(self.epoch, self.serial);
        let record = NodeRecord {
            node_id: id.as_u64(),
            name: hello.name.clone(),
            role: hello.role,
            state: NodeState::Joining.into(),
            address: hello.address.clone(),
            methods: hello.methods.clone(),
            load: 0,
            build: hello.build.clone(),
            script: None,
        };
        deltas.push(self.changed(Change::Upserted(record.clone())));
        self.names.insert(name.clone(), id);
        let member = Member {
            name,
            record,
            incarnation: hello.incarnation,
            heard: now,
            connected: true,
        };
        self.members.insert(id, member);
        Ok((id, deltas))
    }

    /// Takes a report, which renews the lease. A new load alone is no change:
    /// it is read where it is asked for.
    pub fn report(&mut self, node: NodeId, report: Report, now: Instant) -> Option<Delta> {
        let member = self.members.get_mut(&node)?;
        member.heard = now;
        member.record.load = report.load;
        let state = match report.state() {
            NodeState::Unspecified => member.record.state,
            state => state.into(),
        };
        if (state, &report.script) == (member.record.state, &member.record.script) {
            return None;
        }
        member.record.state = state;
        member.record.script = report.script;
        let record = member.record.clone();
        Some(self.changed(Change::Upserted(record)))
    }

    /// The node goes on purpose.
    pub fn leave(&mut self, node: NodeId) -> Option<Delta> {
        self.remove(node)
    }

    /// The node's Join stream has ended without a word: it is suspect.
    pub fn disconnected(&mut self, node: NodeId) {
        if let Some(member) = self.members.get_mut(&node) {
            member.connected = false;
        }
    }

    /// Removes whose lease has run out. To be called much more often than a
    /// lease is long: from a long absence of calls the directory concludes that
    /// the master itself was away.
    pub fn tick(&mut self, now: Instant) -> Vec<Delta> {
        let away = self.ticked.map_or(Duration::ZERO, |ticked| {
            now.saturating_duration_since(ticked)
        });
        self.ticked = Some(now);
        if away > PAUSE {
            for member in self.members.values_mut() {
                member.heard += away;
            }
        }
        let master = NodeId::new(self.epoch, 0);
        let expired: Vec<NodeId> = self
            .members
            .iter()
            .filter(|(id, member)| **id != master && member.heard + self.lease <= now)
            .map(|(id, _)| *id)
            .collect();
        expired
            .into_iter()
            .filter_map(|id| self.remove(id))
            .collect()
    }

    /// The whole directory, as a replica starts from it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: self.revision,
            nodes: self
                .members
                .values()
                .map(|member| member.record.clone())
                .collect(),
        }
    }

    /// Whether the node is in the directory.
    pub fn contains(&self, node: NodeId) -> bool {
        self.members.contains_key(&node)
    }

    fn remove(&mut self, node: NodeId) -> Option<Delta> {
        let member = self.members.remove(&node)?;
        self.names.remove(&member.name);
        Some(self.changed(Change::Removed(node.as_u64())))
    }

    fn changed(&mut self, change: Change) -> Delta {
        self.revision += 1;
        Delta {
            revision: self.revision,
            change: Some(change),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEASE: Duration = Duration::from_secs(3);

    fn directory() -> Directory {
        Directory::new(
            9,
            LEASE,
            NodeRecord {
                name: "master@0".into(),
                role: Role::Master.into(),
                state: NodeState::Ready.into(),
                ..NodeRecord::default()
            },
        )
    }

    fn hello(name: &str, incarnation: u64) -> Hello {
        Hello {
            name: name.into(),
            role: Role::Scene.into(),
            incarnation,
            ..Hello::default()
        }
    }

    fn ready(load: u64) -> Report {
        Report {
            state: NodeState::Ready.into(),
            load,
            script: None,
        }
    }

    #[test]
    fn a_live_name_is_refused_with_its_holder() {
        let (mut directory, now) = (directory(), Instant::now());
        let (holder, _) = directory.join(&hello("scene@0", 1), now).unwrap();
        let refusal = directory.join(&hello("scene@0", 2), now).unwrap_err();
        assert_eq!(
            refusal,
            JoinRefusal::NameTaken {
                name: "scene@0".parse().unwrap(),
                holder
            }
        );
        let masters = directory.join(&hello("master@0", 2), now);
        assert!(matches!(masters, Err(JoinRefusal::NameTaken { .. })));
    }

    #[test]
    fn a_suspect_stays_until_its_lease_has_run_out() {
        let (mut directory, start) = (directory(), Instant::now());
        let (node, _) = directory.join(&hello("scene@0", 1), start).unwrap();
        directory.disconnected(node);
        for tenth in 0..30 {
            assert_eq!(directory.tick(start + LEASE / 30 * tenth), []);
        }
        let deltas = directory.tick(start + LEASE);
        assert_eq!(deltas[0].change, Some(Change::Removed(node.as_u64())));
        assert!(!directory.contains(node));
    }

    #[test]
    fn a_new_incarnation_takes_a_suspects_name_at_once() {
        let (mut directory, now) = (directory(), Instant::now());
        let (old, _) = directory.join(&hello("scene@0", 1), now).unwrap();
        directory.disconnected(old);
        let (new, deltas) = directory.join(&hello("scene@0", 2), now).unwrap();
        assert_ne!(old, new);
        assert_eq!(deltas[0].change, Some(Change::Removed(old.as_u64())));
        assert!(matches!(deltas[1].change, Some(Change::Upserted(_))));
    }

    #[test]
    fn a_silent_node_is_gone_though_its_stream_is_open() {
        let (mut directory, start) = (directory(), Instant::now());
        let (node, _) = directory.join(&hello("scene@0", 1), start).unwrap();
        let mut now = start;
        while now < start + LEASE {
            assert!(directory.contains(node));
            now += Duration::from_millis(100);
            directory.tick(now);
        }
        assert!(!directory.contains(node));
    }

    #[test]
    fn the_masters_own_pause_costs_nobody_the_lease() {
        let (mut directory, start) = (directory(), Instant::now());
        let (node, _) = directory.join(&hello("scene@0", 1), start).unwrap();
        directory.tick(start);
        let woken = start + Duration::from_secs(60);
        assert_eq!(directory.tick(woken), []);
        assert!(directory.contains(node));
    }

    #[test]
    fn load_alone_is_no_change() {
        let (mut directory, now) = (directory(), Instant::now());
        let (node, _) = directory.join(&hello("scene@0", 1), now).unwrap();
        assert!(directory.report(node, ready(1), now).is_some());
        assert!(directory.report(node, ready(2), now).is_none());
        assert_eq!(directory.snapshot().nodes[1].load, 2);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Join(u8, u64),
        Report(u8, bool),
        Disconnect(u8),
        Leave(u8),
        Tick(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..4u8, 0..3u64).prop_map(|(name, incarnation)| Step::Join(name, incarnation)),
            (0..12u8, any::<bool>()).prop_map(|(node, draining)| Step::Report(node, draining)),
            (0..12u8).prop_map(Step::Disconnect),
            (0..12u8).prop_map(Step::Leave),
            (0..400u64).prop_map(Step::Tick),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        /// A replica that applies every delta has what the directory has; ids
        /// are never given twice; a name has one holder.
        #[test]
        fn deltas_rebuild_the_directory(steps in steps()) {
            let mut directory = directory();
            let mut now = Instant::now();
            let mut replica: BTreeMap<u64, NodeRecord> =
                directory.snapshot().nodes.into_iter().map(|node| (node.node_id, node)).collect();
            let mut revision = directory.snapshot().revision;
            let mut given: Vec<NodeId> = Vec::new();
            for step in steps {
                let pick = |index: u8| given.get(usize::from(index)).copied();
                let deltas = match step {
                    Step::Join(name, incarnation) => {
                        match directory.join(&hello(&format!("scene@{name}"), incarnation), now) {
                            Ok((id, deltas)) => {
                                prop_assert!(!given.contains(&id));
                                given.push(id);
                                deltas
                            }
                            Err(_) => Vec::new(),
                        }
                    }
                    Step::Report(node, draining) => {
                        let mut report = ready(1);
                        if draining { report.state = NodeState::Draining.into(); }
                        pick(node).and_then(|node| directory.report(node, report, now)).into_iter().collect()
                    }
                    Step::Disconnect(node) => {
                        if let Some(node) = pick(node) { directory.disconnected(node); }
                        Vec::new()
                    }
                    Step::Leave(node) => pick(node).and_then(|node| directory.leave(node)).into_iter().collect(),
                    Step::Tick(ms) => {
                        now += Duration::from_millis(ms);
                        directory.tick(now)
                    }
                };
                for delta in deltas {
                    revision += 1;
                    prop_assert_eq!(delta.revision, revision);
                    match delta.change.unwrap() {
                        Change::Upserted(record) => { replica.insert(record.node_id, record); }
                        Change::Removed(id) => prop_assert!(replica.remove(&id).is_some()),
                    }
                }
                let mut snapshot = directory.snapshot();
                prop_assert_eq!(snapshot.revision, revision);
                for node in &mut snapshot.nodes { node.load = 0; }
                let mut held: Vec<_> = replica.values().cloned().collect();
                for node in &mut held { node.load = 0; }
                prop_assert_eq!(&snapshot.nodes, &held);
                let mut names: Vec<_> = snapshot.nodes.iter().map(|node| &node.name).collect();
                names.sort();
                names.dedup();
                prop_assert_eq!(names.len(), snapshot.nodes.len());
            }
        }
    }
}
