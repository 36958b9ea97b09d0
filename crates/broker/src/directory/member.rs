//! One member of the directory.

use protocol::{
    NodeName,
    v1::{Hello, NodeRecord, NodeState, Report, Role},
};
use tokio::time::Instant;

use super::{groups, vitals::VitalsLog};

/// A member, as the master knows it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: NodeName,
    pub(super) record: NodeRecord,
    pub(super) incarnation: u64,
    pub(super) heard: Instant,
    /// Which of the node's Join streams is the one that counts; `None` while it
    /// is suspect.
    pub(super) stream: Option<u64>,
    /// The (epoch, revision) that it had seen when it was let in.
    pub(super) seen: (u32, u64),
    /// How it does, for operators.
    pub(super) vitals: VitalsLog,
    placements: Placements,
}

/// Work that was sent to a member and that its load may not show yet.
///
/// Between being placed and being counted by the node lies a report that may
/// have been on its way already, so that a placement counts until the second
/// report after it.
#[derive(Debug, Default)]
struct Placements {
    since_last_report: u64,
    before: u64,
}

/// The longest hash of a script that is passed on.
const MAX_HASH_BYTES: usize = 64;

/// How many services of a script are passed on, at most.
const MAX_SERVICES: usize = 4_096;

impl Member {
    pub(super) fn new(
        name: NodeName,
        record: NodeRecord,
        incarnation: u64,
        stream: u64,
        seen: (u32, u64),
        now: Instant,
    ) -> Self {
        Member {
            name,
            record,
            incarnation,
            heard: now,
            stream: Some(stream),
            seen,
            vitals: VitalsLog::default(),
            placements: Placements::default(),
        }
    }

    /// The node is back on a new stream. Says whether its record is another one
    /// now.
    pub(super) fn return_on(&mut self, stream: u64, hello: &Hello, now: Instant) -> bool {
        self.stream = Some(stream);
        self.incarnation = hello.incarnation;
        self.heard = now;
        let record = NodeRecord {
            role: hello.role,
            address: hello.address.clone(),
            methods: hello.methods.clone(),
            build: hello.build.clone(),
            ..self.record.clone()
        };
        let differs = record != self.record;
        self.record = record;
        differs
    }

    /// Takes a report. Says whether there is anything in it that replicas have
    /// to hear of.
    pub(super) fn report(&mut self, report: Report, now: Instant) -> bool {
        self.heard = now;
        self.record.load = report.load;
        self.placements.before = std::mem::take(&mut self.placements.since_last_report);
        let state = match report.state() {
            NodeState::Unspecified => self.record.state,
            state => state.into(),
        };
        let script = report.script.filter(|script| {
            script.hash.len() <= MAX_HASH_BYTES && script.services.len() <= MAX_SERVICES
        });
        let groups = match self.record.role() {
            Role::Bridge => groups::taken(report.groups),
            _ => Vec::new(),
        };
        let record = &mut self.record;
        if (state, &script, &groups) == (record.state, &record.script, &record.groups) {
            return false;
        }
        record.state = state;
        record.script = script;
        record.groups = groups;
        true
    }

    pub(super) fn place(&mut self) {
        self.placements.since_last_report += 1;
    }

    /// What it carries, with what is on its way to it.
    pub(super) fn load(&self) -> u64 {
        let placed = self.placements.since_last_report + self.placements.before;
        self.record.load.saturating_add(placed)
    }

    pub(super) fn is_live(&self) -> bool {
        self.stream.is_some()
    }
}
