//! Virtual time: what happens when.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use tokio::time::Instant;

/// Events in the order of their times, and of their making where times are the
/// same.
#[derive(Debug)]
pub(crate) struct Clock<E> {
    start: Instant,
    now: Duration,
    made: u64,
    times: BinaryHeap<Reverse<(Duration, u64)>>,
    events: BTreeMap<u64, E>,
}

impl<E> Clock<E> {
    pub(crate) fn new() -> Self {
        Clock {
            start: Instant::now(),
            now: Duration::ZERO,
            made: 0,
            times: BinaryHeap::new(),
            events: BTreeMap::new(),
        }
    }

    /// How much time has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + self.now
    }

    pub(crate) fn after(&mut self, wait: Duration, event: E) {
        self.times.push(Reverse((self.now + wait, self.made)));
        self.events.insert(self.made, event);
        self.made += 1;
    }

    /// What happens next; it is that time then.
    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse((at, number)) = self.times.pop()?;
        self.now = at;
        self.events.remove(&number)
    }
}
