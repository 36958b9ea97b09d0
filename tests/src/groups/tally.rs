//! How calls to another group have ended.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use protocol::CallError;

use crate::Histogram;

/// What the callers of a test count. Held for as long as one end takes to be written.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Ends>);

/// How calls have ended.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    /// `ok`, or the kind of the error.
    pub kinds: BTreeMap<String, u64>,
    /// The first error of each kind, in words.
    pub words: BTreeMap<String, String>,
    /// What was answered.
    pub answered: Vec<Bytes>,
    /// What was not: done or not, nobody knows.
    pub failed: Vec<Bytes>,
    /// Answers that were another call's.
    pub wrong: u64,
    /// How long a call took, however it ended.
    pub latency: Histogram,
    /// The longest of them.
    pub longest_call: Duration,
    /// How long it took until a call had its answer, all attempts together: the longest
    /// of each caller.
    pub stalls: BTreeMap<String, Duration>,
}

impl Tally {
    /// A call has ended.
    pub(super) fn ended(&self, body: &Bytes, outcome: &Result<Bytes, CallError>, took: Duration) {
        let mut ends = self.lock();
        let kind = match outcome {
            Ok(answer) => {
                if answer != body {
                    ends.wrong += 1;
                }
                ends.answered.push(body.clone());
                "ok"
            }
            Err(error) => {
                let kind = error.kind.as_str();
                let words = || error.message.clone();
                ends.words.entry(kind.to_owned()).or_insert_with(words);
                ends.failed.push(body.clone());
                kind
            }
        };
        *ends.kinds.entry(kind.to_owned()).or_default() += 1;
        ends.latency.record(took);
        ends.longest_call = ends.longest_call.max(took);
    }

    /// A caller has had its answer, after all attempts.
    pub(super) fn stalled(&self, caller: &str, took: Duration) {
        let mut ends = self.lock();
        let longest = ends.stalls.entry(caller.to_owned()).or_default();
        *longest = took.max(*longest);
    }

    /// What has ended since the last time.
    pub fn take(&self) -> Ends {
        std::mem::take(&mut self.lock())
    }

    /// What has ended so far, and is not taken.
    pub fn ends(&self) -> Ends {
        self.lock().clone()
    }

    /// How many calls have been answered, and not been taken.
    pub(super) fn answered(&self) -> usize {
        self.lock().answered.len()
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    /// How many calls ended so: `ok`, `unavailable`, …
    pub fn of(&self, kind: &str) -> u64 {
        self.kinds.get(kind).copied().unwrap_or(0)
    }

    /// How many calls ended with an error.
    pub fn failures(&self) -> u64 {
        self.kinds.values().sum::<u64>() - self.of("ok")
    }

    /// The longest that anybody waited for an answer, all attempts together.
    pub fn longest(&self) -> Duration {
        self.stalls.values().copied().max().unwrap_or_default()
    }

    /// Every call was answered, with its own answer.
    pub fn are_answers(&self) {
        assert_eq!((self.failures(), self.wrong), (0, 0), "{self}");
    }

    /// Every call was answered with its own answer, or ended with one of these kinds.
    pub fn are_answers_or(&self, kinds: &[&str]) {
        let others = self.kinds.keys().filter(|kind| *kind != "ok");
        for kind in others {
            assert!(kinds.contains(&kind.as_str()), "{kind}: {self}");
        }
        assert_eq!(self.wrong, 0, "{self}");
    }

    /// Takes in what has ended at another time.
    pub fn add(&mut self, other: Ends) {
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (kind, words) in other.words {
            self.words.entry(kind).or_insert(words);
        }
        self.answered.extend(other.answered);
        self.failed.extend(other.failed);
        self.wrong += other.wrong;
        self.latency.add(&other.latency);
        self.longest_call = self.longest_call.max(other.longest_call);
        for (caller, took) in other.stalls {
            let longest = self.stalls.entry(caller).or_default();
            *longest = took.max(*longest);
        }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |quantile| self.latency.microseconds(quantile) / 1000.0;
        write!(
            f,
            "calls {:?}, {} with another's answer; p50 {:.2} ms, p99 {:.2} ms, longest {:.1?}; with \
             all attempts {:.1?}; {:?}",
            self.kinds,
            self.wrong,
            milliseconds(0.5),
            milliseconds(0.99),
            self.longest_call,
            self.longest(),
            self.words,
        )
    }
}
