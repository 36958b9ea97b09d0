//! How calls have ended, and how long they took.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::ledger::Pair;
use crate::Histogram;

/// The longest call of each pair.
pub type Stalls = HashMap<Pair, Duration>;

/// What the senders of a node count. Held for as long as one number takes to be
/// written.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: BTreeMap<Pair, u64>,
    pub(crate) answered: BTreeMap<Pair, u64>,
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) latency: Histogram,
    pub(crate) longest: Duration,
    stalls: Stalls,
}

impl Tally {
    /// So many messages of the pair have been taken.
    pub(crate) fn sent(&self, pair: Pair, number: u64) {
        self.lock().sent.insert(pair, number);
    }

    pub(crate) fn call_ended(&self, pair: Pair, outcome: &str, took: Duration) {
        let mut counts = self.lock();
        if outcome == "ok" {
            counts.latency.record(took);
            *counts.answered.entry(pair).or_default() += 1;
        }
        *counts.calls.entry(outcome.to_owned()).or_default() += 1;
        counts.longest = counts.longest.max(took);
        let stall = counts.stalls.entry(pair).or_default();
        *stall = took.max(*stall);
    }

    pub(crate) fn refused(&self, reason: &str) {
        *self.lock().refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// The longest call of each pair since the last time.
    pub(crate) fn take_stalls(&self) -> Stalls {
        std::mem::take(&mut self.lock().stalls)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
