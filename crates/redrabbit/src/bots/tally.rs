//! What all bots have done together.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;

/// A number that goes up, and now and then down.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

/// What all bots have done together. Each bot counts for itself, with short locks
/// where a number is not enough.
#[derive(Debug)]
pub(super) struct Tally {
    /// Bots that are logged in, or were when they had done all that they were to.
    pub(super) connected: Count,
    /// Logins that were let in.
    pub(super) logins: Count,
    /// Logins of a bot after its first.
    pub(super) reconnects: Count,
    /// Bots that were not logged in at the end.
    pub(super) absent: Count,
    /// Messages sent.
    pub(super) sent: Count,
    /// Answers to messages of the same connection, each counted once.
    pub(super) answered: Count,
    /// Messages that answers to later ones have passed over.
    pub(super) lost: Count,
    /// Messages without an answer when a bot had waited long enough at the end.
    pub(super) unanswered: Count,
    /// Answers after the first one.
    pub(super) repeated: Count,
    /// Answers that came after one to a later message.
    pub(super) out_of_order: Count,
    /// Answers to what was never asked, or not as it was sent.
    pub(super) altered: Count,
    /// Messages that were out when their connection ended.
    pub(super) in_hand: Count,
    /// Answers to those.
    pub(super) belated: Count,
    /// What else the game has said to bots.
    pub(super) others: Count,
    /// How connections ended and attempts failed, and how often.
    ends: Mutex<BTreeMap<String, u64>>,
    latency: Mutex<Histogram<u64>>,
    login: Mutex<Histogram<u64>>,
}

/// Different ends that are told apart.
const ENDS: usize = 32;
/// What of an end's text is kept, in characters: a script may have written it.
const END_TEXT: usize = 80;

/// The longest time that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(600);

impl Count {
    pub(super) fn up(&self) {
        self.add(1);
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            connected: Count::default(),
            logins: Count::default(),
            reconnects: Count::default(),
            absent: Count::default(),
            sent: Count::default(),
            answered: Count::default(),
            lost: Count::default(),
            unanswered: Count::default(),
            repeated: Count::default(),
            out_of_order: Count::default(),
            altered: Count::default(),
            in_hand: Count::default(),
            belated: Count::default(),
            others: Count::default(),
            ends: Mutex::default(),
            latency: Mutex::new(microseconds()),
            login: Mutex::new(microseconds()),
        }
    }

    /// A message was answered after `time`.
    pub(super) fn took(&self, time: Duration) {
        lock(&self.latency).saturating_record(time.as_micros() as u64);
    }

    /// A login was let in after `time`.
    pub(super) fn login_took(&self, time: Duration) {
        lock(&self.login).saturating_record(time.as_micros() as u64);
    }

    /// A connection has ended, or could not be had.
    pub(super) fn ended(&self, how: &str) {
        let shown = |c: char| if c.is_control() { '?' } else { c };
        let how: String = how.chars().take(END_TEXT).map(shown).collect();
        let mut ends = lock(&self.ends);
        let is_known = ends.len() < ENDS || ends.contains_key(&how);
        let key = if is_known {
            how
        } else {
            "something else".to_owned()
        };
        *ends.entry(key).or_default() += 1;
    }

    /// How connections ended so far.
    pub(super) fn ends(&self) -> BTreeMap<String, u64> {
        lock(&self.ends).clone()
    }

    /// Takes out the latencies since the last time, in microseconds.
    pub(super) fn take_latency(&self) -> Histogram<u64> {
        std::mem::replace(&mut *lock(&self.latency), microseconds())
    }

    /// How long logins took, in microseconds.
    pub(super) fn login(&self) -> Histogram<u64> {
        lock(&self.login).clone()
    }
}

/// Counts microseconds to three digits.
pub(super) fn microseconds() -> Histogram<u64> {
    let longest = LONGEST.as_micros() as u64;
    Histogram::new_with_bounds(1, longest, 3).expect("the bounds are those of a histogram")
}

/// Whatever panicked while it held one of these, they hold plain numbers.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_few_and_fit_to_be_shown() {
        let tally = Tally::new();
        tally.ended("\u{1b}[2Jrefused");
        for number in 0..100 {
            tally.ended(&format!("{number} {}", "y".repeat(1000)));
        }
        let ends = tally.ends();
        assert_eq!(ends["?[2Jrefused"], 1);
        assert_eq!(ends.len(), ENDS + 1);
        assert_eq!(ends.values().sum::<u64>(), 101);
        assert!(ends.keys().all(|end| end.chars().count() <= END_TEXT));
    }

    #[test]
    fn a_time_beyond_all_measure_is_the_longest() {
        let tally = Tally::new();
        tally.took(Duration::from_secs(1 << 40));
        tally.took(Duration::ZERO);
        let latency = tally.take_latency();
        assert_eq!(latency.len(), 2);
        assert!(latency.max() >= LONGEST.as_micros() as u64);
        assert_eq!(tally.take_latency().len(), 0);
    }
}
