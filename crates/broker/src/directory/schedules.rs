//! Whatever happens in whatever order, a directory keeps its promises.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    tests::{LEASE, bridge, directory_of, hello, ready},
    *,
};
use protocol::v1::GroupLink;

#[derive(Clone, Debug)]
enum Step {
    /// A new process wants to be this scene.
    Join(u8),
    /// A new process wants to be this bridge.
    JoinBridge(u8),
    /// A process comes again with what it holds, if anything.
    Rejoin(u8),
    /// The current stream of a process ends, or an older one does.
    Disconnect(u8, bool),
    /// A process hears all that there is to hear.
    Hear(u8),
    Report(u8, Told),
    Leave(u8),
    /// Somebody hears of loads, up to now or once more from the start.
    Loads(bool),
    Tick(u64),
    LeastLoaded,
    /// The master dies, and the next run rebuilds.
    Restart,
}

/// What a process reports.
#[derive(Clone, Debug)]
struct Told {
    draining: bool,
    load: u64,
    groups: Vec<u8>,
}

fn told() -> impl Strategy<Value = Told> {
    let groups = prop::collection::vec(0..5u8, 0..4);
    (any::<bool>(), 0..4u64, groups).prop_map(|(draining, load, groups)| Told {
        draining,
        load,
        groups,
    })
}

impl Told {
    fn report(&self) -> Report {
        let link = |n: &u8| GroupLink {
            // One of them is none.
            name: ["GroupB", "GroupC", "GroupD", "GroupE", "Group F"][usize::from(*n)].into(),
            identity: (*n).into(),
            reachable: !self.draining,
        };
        let mut report = ready(self.load);
        report.groups = self.groups.iter().map(link).collect();
        if self.draining {
            report.state = NodeState::Draining.into();
        }
        report
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let process = || 0..12u8;
    let step = prop_oneof![
        4 => (0..4u8).prop_map(Step::Join),
        2 => (0..2u8).prop_map(Step::JoinBridge),
        4 => process().prop_map(Step::Rejoin),
        3 => (process(), any::<bool>()).prop_map(|(one, older)| Step::Disconnect(one, older)),
        2 => process().prop_map(Step::Hear),
        6 => (process(), told()).prop_map(|(one, told)| Step::Report(one, told)),
        3 => prop::bool::weighted(0.8).prop_map(Step::Loads),
        1 => process().prop_map(Step::Leave),
        3 => (0..400u64).prop_map(Step::Tick),
        1 => (0..8000u64).prop_map(Step::Tick),
        1 => Just(Step::LeastLoaded),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..120)
}

/// A process, as it sees itself.
#[derive(Debug)]
struct Process {
    hello: Hello,
    held: Option<Claim>,
    streams: Vec<u64>,
}

struct World {
    directory: Directory,
    now: Instant,
    processes: Vec<Process>,
    /// Every id that was ever given, with the process that got it.
    given: BTreeMap<NodeId, usize>,
    replica: BTreeMap<u64, NodeRecord>,
    revision: u64,
    /// Up to where the replica has heard of loads, and whose were reported since.
    heard: Option<LoadMark>,
    reported: BTreeSet<u64>,
}

impl World {
    fn new() -> Self {
        let mut world = World {
            directory: directory_of(1),
            now: Instant::now(),
            processes: Vec::new(),
            given: BTreeMap::new(),
            replica: BTreeMap::new(),
            revision: 0,
            heard: None,
            reported: BTreeSet::new(),
        };
        world.read_snapshot();
        world
    }

    fn read_snapshot(&mut self) {
        let snapshot = self.directory.snapshot();
        self.revision = snapshot.revision;
        self.replica = snapshot
            .nodes
            .into_iter()
            .map(|node| (node.node_id, node))
            .collect();
    }

    fn act(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let held = |world: &World, one: u8| {
            let process = world.processes.get(usize::from(one))?;
            Some(process.held?.node)
        };
        let deltas = match *step {
            Step::Join(name) => self.start(hello(&format!("scene@{name}"), 0))?,
            Step::JoinBridge(name) => self.start(bridge(&format!("bridge@{name}")))?,
            Step::Rejoin(one) if usize::from(one) < self.processes.len() => {
                self.join(one.into())?
            }
            Step::Rejoin(_) => Vec::new(),
            Step::Disconnect(one, older) => self.disconnect(one.into(), older)?,
            Step::Hear(one) => {
                // Nobody hears anything of a directory that is being rebuilt.
                let (epoch, revision) = (self.directory.epoch, self.directory.revision);
                if !self.directory.is_rebuilding()
                    && let Some(process) = self.processes.get_mut(usize::from(one))
                    && let Some(held) = &mut process.held
                    && self.directory.is_live(held.node)
                {
                    (held.epoch, held.revision) = (epoch, revision);
                }
                Vec::new()
            }
            Step::Report(one, ref told) => match held(self, one) {
                Some(node) => {
                    self.reported.insert(node.as_u64());
                    let delta = self.directory.report(node, told.report(), self.now);
                    delta.into_iter().collect()
                }
                None => Vec::new(),
            },
            Step::Loads(on) => {
                self.hear_loads(on)?;
                Vec::new()
            }
            Step::Leave(one) => held(self, one)
                .and_then(|node| self.directory.leave(node))
                .into_iter()
                .collect(),
            Step::Tick(ms) => {
                self.now += Duration::from_millis(ms);
                self.directory.tick(self.now)
            }
            Step::LeastLoaded => {
                if let Some(node) = self.directory.least_loaded(Role::Scene) {
                    prop_assert_eq!(
                        self.directory.members[&node].record.state(),
                        NodeState::Ready
                    );
                }
                Vec::new()
            }
            Step::Restart => {
                let epoch = self.directory.epoch + 1;
                self.directory = directory_of(epoch).rebuilding(self.now);
                self.read_snapshot();
                self.heard = None;
                for process in &mut self.processes {
                    process.streams.clear();
                }
                Vec::new()
            }
        };
        self.replicate(deltas)
    }

    fn start(&mut self, hello: Hello) -> Result<Vec<Delta>, TestCaseError> {
        let index = self.processes.len();
        self.processes.push(Process {
            hello: Hello {
                incarnation: index as u64,
                ..hello
            },
            held: None,
            streams: Vec::new(),
        });
        self.join(index)
    }

    /// Whoever has heard of loads up to now has the directory, loads and all, and has
    /// heard of none that nobody reported.
    fn hear_loads(&mut self, on: bool) -> Result<(), TestCaseError> {
        let heard = self.heard.take_if(|_| on);
        let (loads, mark) = self.directory.loads(heard);
        let bridges = self.directory.members.values();
        let bridges = bridges.filter(|member| member.record.role() == Role::Bridge);
        prop_assert_eq!(bridges.count(), self.directory.bridges());
        if heard.is_none() || self.directory.bridges() == 0 {
            prop_assert_eq!(loads.len(), self.directory.members.len());
            prop_assert!(self.directory.bridges() > 0 || self.directory.loads.kept().is_empty());
        } else if loads.len() < self.directory.members.len() {
            for load in &loads {
                prop_assert!(self.reported.contains(&load.node_id), "told without news");
            }
        }
        for load in loads {
            let record = self.replica.get_mut(&load.node_id);
            prop_assert!(record.is_some(), "the load of nobody");
            record
                .into_iter()
                .for_each(|record| record.load = load.load);
        }
        self.heard = Some(mark);
        self.reported.clear();
        let nodes: Vec<_> = self.replica.values().cloned().collect();
        prop_assert_eq!(self.directory.snapshot().nodes, nodes);
        Ok(())
    }

    fn join(&mut self, index: usize) -> Result<Vec<Delta>, TestCaseError> {
        let process = &self.processes[index];
        let claim = process.held;
        let before: BTreeMap<_, _> = self
            .directory
            .members
            .iter()
            .map(|(id, member)| (*id, (member.is_live(), member.seen)))
            .collect();
        let rebuilding = self.directory.is_rebuilding();
        let outcome = self.directory.join(&process.hello, claim, self.now);
        let Ok(joined) = outcome else {
            return Ok(Vec::new());
        };
        let node = joined.node;
        if claim.is_some_and(|claim| claim.node == node) {
            let known = before.contains_key(&node);
            prop_assert!(known || rebuilding, "an id came back from the dead");
        } else {
            prop_assert!(!rebuilding, "a newcomer came into a rebuild");
            prop_assert_eq!(node.epoch(), self.directory.epoch);
            prop_assert!(!self.given.contains_key(&node), "an id was given twice");
            self.given.insert(node, index);
        }
        prop_assert_eq!(self.given[&node], index, "an id went to another process");
        for delta in &joined.deltas {
            if let Some(Change::Removed(id)) = delta.change {
                let (live, seen) = before[&NodeId::from_u64(id)];
                let later = claim.is_some_and(|claim| (claim.epoch, claim.revision) > seen);
                prop_assert!(
                    if rebuilding { later } else { !live },
                    "a member was removed by somebody with an earlier claim"
                );
            }
        }
        let process = &mut self.processes[index];
        process.streams.push(joined.stream);
        if claim.is_none_or(|claim| claim.node != node) {
            process.held = Some(Claim {
                node,
                epoch: self.directory.epoch,
                revision: self.directory.revision,
            });
        }
        Ok(joined.deltas)
    }

    fn disconnect(&mut self, index: usize, older: bool) -> Result<Vec<Delta>, TestCaseError> {
        let Some(process) = self.processes.get(index) else {
            return Ok(Vec::new());
        };
        let mut streams = process.streams.iter().rev();
        let stream = if older {
            streams.nth(1)
        } else {
            streams.next()
        };
        if let (Some(stream), Some(held)) = (stream, process.held) {
            let was_live = self.directory.is_live(held.node);
            let suspect = self.directory.disconnected(held.node, *stream);
            prop_assert!(!(older && suspect), "an older stream made a node suspect");
            prop_assert_eq!(suspect, was_live && !self.directory.is_live(held.node));
        }
        Ok(Vec::new())
    }

    fn replicate(&mut self, deltas: Vec<Delta>) -> Result<(), TestCaseError> {
        for delta in deltas {
            self.revision += 1;
            prop_assert_eq!(delta.revision, self.revision);
            match delta.change {
                Some(Change::Upserted(record)) => {
                    self.replica.insert(record.node_id, record);
                }
                Some(Change::Removed(id)) => prop_assert!(self.replica.remove(&id).is_some()),
                None => prop_assert!(false, "a delta without a change"),
            }
        }
        let mut kept = self.directory.loads.kept().into_iter();
        prop_assert!(
            kept.all(|node| self.directory.contains(node)),
            "kept for the dead"
        );
        let without_load = |record: &NodeRecord| NodeRecord {
            load: 0,
            ..record.clone()
        };
        let snapshot = self.directory.snapshot();
        prop_assert_eq!(snapshot.revision, self.revision);
        let theirs: Vec<_> = snapshot.nodes.iter().map(without_load).collect();
        let ours: Vec<_> = self.replica.values().map(without_load).collect();
        prop_assert_eq!(&theirs, &ours);
        for node in &theirs {
            let names: Vec<_> = node.groups.iter().map(|group| &group.name).collect();
            prop_assert!(names.is_empty() || node.role() == Role::Bridge);
            prop_assert!(names.is_sorted_by(|one, next| one < next));
            prop_assert!(!names.iter().any(|name| name.contains(' ')));
        }
        let mut names: Vec<_> = theirs.iter().map(|node| &node.name).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), theirs.len(), "two members of one name");
        Ok(())
    }
}

proptest! {
    #[test]
    fn ids_names_revisions_and_replicas_hold_in_every_schedule(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.act(&step)?;
        }
    }

    /// Nobody's lease ends early, and nobody outlives it by more than a tick.
    #[test]
    fn a_lease_ends_when_it_has_run_out(reports in prop::collection::vec(0..3500u64, 1..6)) {
        let mut directory = directory_of(1);
        let mut now = Instant::now();
        let joined = directory.join(&hello("scene@0", 1), None, now).unwrap();
        let mut heard = now;
        for pause in reports {
            let next = now + Duration::from_millis(pause);
            while now < next {
                now += Duration::from_millis(100);
                directory.tick(now);
                prop_assert_eq!(directory.contains(joined.node), now < heard + LEASE);
            }
            if directory.contains(joined.node) {
                directory.report(joined.node, ready(0), now);
                heard = now;
            } else {
                break;
            }
        }
    }
}
