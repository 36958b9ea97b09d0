//! Who is in the group: names, ids, leases, revisions.
//!
//! A state machine without I/O: every call says what time it is, and returns
//! the changes that every replica has to hear of, in order.

mod groups;
mod loads;
mod lost;
mod member;
mod refusal;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
mod vitals;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use protocol::{
    NodeId, NodeName,
    envelope::MAX_METHOD_BYTES,
    v1::{
        Delta, Hello, Load, NodeRecord, NodeState, Report, Role, Script, Snapshot, Vitals,
        delta::Change,
    },
};
use tokio::time::Instant;

use crate::observation::{Observation, Observed};
use loads::LoadLog;
pub use loads::LoadMark;
use lost::LostLog;
use member::Member;
pub use refusal::JoinRefusal;
use refusal::{MAX_BUILD_BYTES, MAX_METHODS, MAX_METHODS_BYTES};

/// The members of a group.
///
/// A member is *live* while its Join stream is open and it reports. When the
/// stream closes or falls silent it is *suspect*, still in the directory, until
/// its lease has run out; then it is gone. Until then its name belongs to it,
/// except that a newcomer may take a suspect's name at once, and the same
/// process may come back as the same node.
///
/// A directory that is *being rebuilt* takes for one lease only nodes that
/// prove to be members of the master's earlier run.
#[derive(Debug)]
pub struct Directory {
    epoch: u32,
    lease: Duration,
    serial: u32,
    revision: u64,
    streams: u64,
    members: BTreeMap<NodeId, Member>,
    names: HashMap<NodeName, NodeId>,
    loads: LoadLog,
    lost: LostLog,
    ticked: Option<Instant>,
    rebuilt_at: Option<Instant>,
}

/// A membership that a node says it has not given up. Whoever makes one has
/// verified that the id was given: the node's token says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who the node was.
    pub node: NodeId,
    /// The master's run that the node last heard.
    pub epoch: u32,
    /// The revision of the directory that it had seen there.
    pub revision: u64,
}

/// A node that was let in.
#[derive(Debug)]
pub struct Joined {
    /// Who it is.
    pub node: NodeId,
    /// And under which name.
    pub name: NodeName,
    /// The Join stream on which it came; an older one of the node counts no
    /// more.
    pub stream: u64,
    /// What replicas have to hear of.
    pub deltas: Vec<Delta>,
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
            streams: 0,
            members: BTreeMap::new(),
            names: HashMap::new(),
            loads: LoadLog::default(),
            lost: LostLog::default(),
            ticked: None,
            rebuilt_at: None,
        };
        if let Ok(name) = master.name.parse::<NodeName>() {
            let id = directory.master();
            let record = NodeRecord {
                node_id: id.as_u64(),
                ..master
            };
            let member = Member::new(name.clone(), record, 0, 0, (epoch, 0), Instant::now());
            directory.names.insert(name, id);
            directory.members.insert(id, member);
        }
        directory
    }

    /// The same, after an earlier run that had members: until a lease from
    /// `now` it is being rebuilt.
    #[must_use]
    pub fn rebuilding(mut self, now: Instant) -> Self {
        self.rebuilt_at = Some(now + self.lease);
        self.ticked = Some(now);
        self
    }

    /// The run of the master that this directory belongs to.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether only nodes of an earlier run are taken in, and nobody knows yet
    /// who they all are.
    pub fn is_rebuilding(&self) -> bool {
        self.rebuilt_at.is_some()
    }

    /// Lets a node in: as who it was, if its claim holds, and with a new id
    /// otherwise.
    pub fn join(
        &mut self,
        hello: &Hello,
        claim: Option<Claim>,
        now: Instant,
    ) -> Result<Joined, JoinRefusal> {
        let name = self.check(hello, claim)?;
        if let Some(claim) = claim {
            if self.is_still(&claim, &name, hello) {
                return Ok(self.take_back(claim, name, hello, now));
            }
            if self.may_be_rebuilt_from(&claim) {
                return self.rebuild(claim, name, hello, now);
            }
        }
        if self.is_rebuilding() {
            return Err(JoinRefusal::Rebuilding);
        }
        let mut deltas = Vec::new();
        if let Some(holder) = self.holder(&name) {
            if self.is_live(holder) {
                return Err(JoinRefusal::NameTaken { name, holder });
            }
            deltas.extend(self.lose(holder, now));
        }
        self.serial += 1;
        let node = NodeId::new(self.epoch, self.serial);
        let seen = (self.epoch, self.revision);
        Ok(self.let_in(node, name, hello, seen, deltas, now))
    }

    /// Takes a report, which renews the lease. A new load alone is no change:
    /// it is read where it is asked for, and told to bridges ([`loads`](Self::loads)).
    pub fn report(&mut self, node: NodeId, mut report: Report, now: Instant) -> Option<Delta> {
        let member = self.members.get_mut(&node)?;
        if let Some(vitals) = report.vitals.take() {
            member.vitals.take(vitals);
        }
        if report.load != member.record.load {
            self.loads.changed(node);
        }
        if !member.report(report, now) {
            return None;
        }
        let record = member.record.clone();
        Some(self.changed(Change::Upserted(record)))
    }

    /// The node goes on purpose.
    pub fn leave(&mut self, node: NodeId) -> Option<Delta> {
        self.remove(node)
    }

    /// A Join stream of the node has ended without a word: if it is the one
    /// that counts, the node is suspect now. Says whether it is.
    pub fn disconnected(&mut self, node: NodeId, stream: u64) -> bool {
        match self.members.get_mut(&node) {
            Some(member) if member.stream == Some(stream) => {
                member.stream = None;
                true
            }
            _ => false,
        }
    }

    /// Removes whose lease has run out, and ends a rebuild whose time has come.
    /// To be called much more often than a lease is long: from a long absence
    /// of calls the directory concludes that the master itself was away.
    pub fn tick(&mut self, now: Instant) -> Vec<Delta> {
        let away = self.ticked.map_or(Duration::ZERO, |ticked| {
            now.saturating_duration_since(ticked)
        });
        self.ticked = Some(now);
        if away > PAUSE {
            for member in self.members.values_mut() {
                // Who was heard since has lost nothing to the pause.
                member.heard = (member.heard + away).min(now);
            }
            if let Some(rebuilt_at) = &mut self.rebuilt_at {
                *rebuilt_at += away;
            }
        }
        if self.rebuilt_at.is_some_and(|rebuilt_at| rebuilt_at <= now) {
            self.rebuilt_at = None;
        }
        let master = self.master();
        let expired: Vec<NodeId> = self
            .members
            .iter()
            .filter(|(id, member)| **id != master && member.heard + self.lease <= now)
            .map(|(id, _)| *id)
            .collect();
        expired
            .into_iter()
            .filter_map(|id| self.lose(id, now))
            .collect()
    }

    /// Who of the ready nodes of a role carries least; from now on it carries
    /// one more. A suspect is named only where there is nobody else.
    pub fn least_loaded(&mut self, role: Role) -> Option<NodeId> {
        let (id, member) = self
            .members
            .iter_mut()
            .filter(|(_, member)| {
                member.record.role() == role && member.record.state() == NodeState::Ready
            })
            .min_by_key(|(id, member)| (!member.is_live(), member.load(), **id))?;
        member.place();
        Some(*id)
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

    /// The loads that a bridge has to hear of which was told up to `told`, everybody's
    /// where it never was; and up to where it is told with them.
    pub fn loads(&self, told: Option<LoadMark>) -> (Vec<Load>, LoadMark) {
        let load = |(id, member): (&NodeId, &Member)| Load {
            node_id: id.as_u64(),
            load: member.record.load,
        };
        let loads = match told.and_then(|told| self.loads.since(told)) {
            Some(news) => news
                .filter_map(|id| self.members.get_key_value(&id))
                .map(load)
                .collect(),
            None => self.members.iter().map(load).collect(),
        };
        (loads, self.loads.mark())
    }

    /// How the master itself does.
    pub fn set_vitals(&mut self, vitals: Vitals) {
        let master = self.master();
        if let Some(member) = self.members.get_mut(&master) {
            member.vitals.take(vitals);
        }
    }

    /// Everybody as an operator sees them at `now`, and who was lost of late.
    pub fn observe(&self, now: Instant) -> Observation {
        let master = self.master();
        let observed = |(id, member): (&NodeId, &Member)| Observed {
            node: *id,
            name: member.name.clone(),
            role: member.record.role(),
            state: member.record.state(),
            suspect: !member.is_live(),
            build: member.record.build.clone(),
            script: member.record.script.as_ref().map(|script| Script {
                version: script.version,
                hash: script.hash.clone(),
                services: Vec::new(),
            }),
            load: member.record.load,
            groups: member.record.groups.clone(),
            heard: match *id == master {
                true => Duration::ZERO,
                false => now.saturating_duration_since(member.heard),
            },
            vitals: member.vitals.now(),
            before: member.vitals.before(),
        };
        Observation {
            epoch: self.epoch,
            revision: self.revision,
            rebuilding: self.is_rebuilding(),
            nodes: self.members.iter().map(observed).collect(),
            lost: self.lost.since(now),
        }
    }

    /// Whether the node is in the directory.
    pub fn contains(&self, node: NodeId) -> bool {
        self.members.contains_key(&node)
    }

    /// How many are in the directory besides the master itself.
    pub fn members(&self) -> usize {
        self.members.len().saturating_sub(1)
    }

    /// How many of them are bridges.
    pub fn bridges(&self) -> usize {
        self.loads.readers()
    }

    fn master(&self) -> NodeId {
        NodeId::new(self.epoch, 0)
    }

    fn holder(&self, name: &NodeName) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    fn is_live(&self, node: NodeId) -> bool {
        self.members.get(&node).is_some_and(Member::is_live)
    }

    fn check(&self, hello: &Hello, claim: Option<Claim>) -> Result<NodeName, JoinRefusal> {
        let name: NodeName = hello.name.parse()?;
        match hello.role() {
            Role::Unspecified | Role::Master => return Err(JoinRefusal::Role(name)),
            Role::Slave if !is_address(&hello.address) => return Err(JoinRefusal::Address(name)),
            role if !is_called(&name, role) => return Err(JoinRefusal::Called(name)),
            _ => {}
        }
        let methods: usize = hello.methods.iter().map(String::len).sum();
        let fits = hello.methods.len() <= MAX_METHODS
            && methods <= MAX_METHODS_BYTES
            && hello.build.len() <= MAX_BUILD_BYTES
            && hello.address.len() <= MAX_ADDRESS_BYTES
            && hello
                .methods
                .iter()
                .all(|method| method.len() <= MAX_METHOD_BYTES);
        if !fits {
            return Err(JoinRefusal::Size(name));
        }
        match claim {
            Some(claim) if claim.epoch > self.epoch || claim.node.epoch() > self.epoch => {
                Err(JoinRefusal::FutureEpoch {
                    name,
                    claimed: claim.epoch.max(claim.node.epoch()),
                    epoch: self.epoch,
                })
            }
            Some(claim) if claim.epoch == self.epoch && claim.revision > self.revision => {
                Err(JoinRefusal::FutureRevision {
                    name,
                    claimed: claim.revision,
                    revision: self.revision,
                })
            }
            _ => Ok(name),
        }
    }

    /// Whether the claimed membership has never ended. While the directory is
    /// being rebuilt the token alone says who the node is.
    fn is_still(&self, claim: &Claim, name: &NodeName, hello: &Hello) -> bool {
        self.members.get(&claim.node).is_some_and(|member| {
            member.name == *name
                && (member.incarnation == hello.incarnation || self.is_rebuilding())
        })
    }

    /// Ids of this run are in the directory or gone for ever.
    fn may_be_rebuilt_from(&self, claim: &Claim) -> bool {
        self.is_rebuilding()
            && claim.node.epoch() < self.epoch
            && !self.members.contains_key(&claim.node)
    }

    fn take_back(&mut self, claim: Claim, name: NodeName, hello: &Hello, now: Instant) -> Joined {
        self.streams += 1;
        let stream = self.streams;
        let changed = self.members.get_mut(&claim.node).and_then(|member| {
            member.seen = member.seen.max((claim.epoch, claim.revision));
            member
                .return_on(stream, hello, now)
                .then(|| member.record.clone())
        });
        let delta = changed.map(|record| self.changed(Change::Upserted(record)));
        Joined {
            node: claim.node,
            name,
            stream,
            deltas: delta.into_iter().collect(),
        }
    }

    fn rebuild(
        &mut self,
        claim: Claim,
        name: NodeName,
        hello: &Hello,
        now: Instant,
    ) -> Result<Joined, JoinRefusal> {
        let seen = (claim.epoch, claim.revision);
        let mut deltas = Vec::new();
        if let Some(holder) = self.holder(&name) {
            let later = self
                .members
                .get(&holder)
                .is_some_and(|member| seen > member.seen);
            if !later || holder == self.master() {
                return Err(JoinRefusal::Superseded { name, holder });
            }
            deltas.extend(self.remove(holder));
        }
        Ok(self.let_in(claim.node, name, hello, seen, deltas, now))
    }

    fn let_in(
        &mut self,
        node: NodeId,
        name: NodeName,
        hello: &Hello,
        seen: (u32, u64),
        mut deltas: Vec<Delta>,
        now: Instant,
    ) -> Joined {
        self.streams += 1;
        let stream = self.streams;
        let record = NodeRecord {
            node_id: node.as_u64(),
            name: hello.name.clone(),
            role: hello.role,
            state: NodeState::Joining.into(),
            address: hello.address.clone(),
            methods: hello.methods.clone(),
            load: 0,
            build: hello.build.clone(),
            script: None,
            groups: Vec::new(),
        };
        deltas.push(self.changed(Change::Upserted(record.clone())));
        self.names.insert(name.clone(), node);
        if hello.role() == Role::Bridge {
            self.loads.reader_came();
        }
        let member = Member::new(name.clone(), record, hello.incarnation, stream, seen, now);
        self.members.insert(node, member);
        Joined {
            node,
            name,
            stream,
            deltas,
        }
    }

    fn remove(&mut self, node: NodeId) -> Option<Delta> {
        let member = self.members.remove(&node)?;
        self.names.remove(&member.name);
        self.loads.forget(node);
        if member.record.role() == Role::Bridge {
            self.loads.reader_went();
        }
        Some(self.changed(Change::Removed(node.as_u64())))
    }

    /// The node is gone, and not on purpose.
    fn lose(&mut self, node: NodeId, now: Instant) -> Option<Delta> {
        if let Some(member) = self.members.get(&node) {
            self.lost
                .note(member.name.clone(), member.record.role(), now);
        }
        self.remove(node)
    }

    fn changed(&mut self, change: Change) -> Delta {
        self.revision += 1;
        Delta {
            revision: self.revision,
            change: Some(change),
        }
    }
}

/// A host name has at most 253 bytes.
const MAX_ADDRESS_BYTES: usize = 260;

/// Whether a node of this role may have this name. Under TLS names are what a
/// certificate vouches for: a service's makes nobody a broker, a gate, a scene or a
/// bridge.
fn is_called(name: &NodeName, role: Role) -> bool {
    match role {
        Role::Slave => name.role() == "slave",
        Role::Gate => name.role() == "gate",
        Role::Scene => name.role() == "scene",
        Role::Bridge => name.role() == "bridge",
        _ => !matches!(name.role(), "slave" | "bridge"),
    }
}

/// Whether nodes can try to connect to it.
fn is_address(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}
