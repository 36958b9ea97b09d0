//! What a node measures of its calls and queues; what each is says the catalogue of
//! metrics, in `daemon`.

use std::sync::atomic::{AtomicU32, Ordering};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use protocol::{ErrorKind, link::Traffic};
use tokio::time::Instant;

use crate::shared::Outcome;

/// How calls end, and how long they take. Every end is counted, which costs some
/// 10 ns. Its time is a look at the clock and an entry in a list that is folded every
/// few seconds, 95 ns together and one part in twenty of a call: so where there are
/// very many calls a share of them stands for all.
pub(crate) struct CallTimes {
    /// By [`place`].
    ended: [Counter; PLACES.len()],
    seconds: [Histogram; PLACES.len()],
    /// How many have ended since [`CallTimes::begin_period`].
    recent: AtomicU32,
}

/// So many calls of a period are all measured.
const ALL: u32 = 1_000;
/// And of those that follow one in so many: a prime, so that calls which take turns
/// are all met.
const ONE_IN: u32 = 17;

/// As metrics name it.
const PLACES: [&str; 11] = [
    "ok",
    "given_up",
    ErrorKind::Handler.as_str(),
    ErrorKind::NotFound.as_str(),
    ErrorKind::Unimplemented.as_str(),
    ErrorKind::Unavailable.as_str(),
    ErrorKind::DeadlineExceeded.as_str(),
    ErrorKind::Overloaded.as_str(),
    ErrorKind::TooLarge.as_str(),
    ErrorKind::Forbidden.as_str(),
    ErrorKind::NoRoute.as_str(),
];

const GIVEN_UP: usize = 1;

impl CallTimes {
    pub(crate) fn new() -> Self {
        register();
        let ended = |outcome| counter!("redrabbit_node_calls_total", "outcome" => outcome);
        let seconds =
            |outcome| histogram!("redrabbit_node_call_duration_seconds", "outcome" => outcome);
        CallTimes {
            ended: PLACES.map(ended),
            seconds: PLACES.map(seconds),
            recent: AtomicU32::new(0),
        }
    }

    /// A call that began then has ended.
    pub(crate) fn ended(&self, begun: Instant, outcome: &Outcome) {
        let place = match outcome {
            Ok(_) => 0,
            Err(error) => place(error.kind),
        };
        self.count(begun, place);
    }

    /// Nobody waits any more for the end of a call that began then.
    pub(crate) fn given_up(&self, begun: Instant) {
        self.count(begun, GIVEN_UP);
    }

    /// To be called about once a second.
    pub(crate) fn begin_period(&self) {
        self.recent.store(0, Ordering::Relaxed);
    }

    fn count(&self, begun: Instant, place: usize) {
        self.ended[place].increment(1);
        let recent = self.recent.fetch_add(1, Ordering::Relaxed);
        if recent < ALL || recent.is_multiple_of(ONE_IN) {
            self.seconds[place].record(begun.elapsed().as_secs_f64());
        }
    }
}

/// What is rare is there from the beginning, too: a counter that appears with its
/// first event has not risen, to who looks at the difference.
fn register() {
    for reason in [
        "malformed",
        "source_gone",
        "unimplemented",
        "method_too_long",
    ] {
        let _ = counter!("redrabbit_node_dropped_total", "reason" => reason);
    }
    for reason in ["gone", "overloaded", "no_broker"] {
        let _ = counter!("redrabbit_node_refused_total", "reason" => reason);
    }
}

fn place(kind: ErrorKind) -> usize {
    match kind {
        ErrorKind::Handler => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Unimplemented => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::DeadlineExceeded => 6,
        ErrorKind::Overloaded => 7,
        ErrorKind::TooLarge => 8,
        ErrorKind::Forbidden => 9,
        ErrorKind::NoRoute => 10,
    }
}

/// How full a node's queues are. Nodes of one process share the gauges, each with
/// its part of them.
pub(crate) struct Levels {
    outbox_messages: Level,
    outbox_bytes: Level,
    unacknowledged_messages: Level,
    unacknowledged_bytes: Level,
    calls: Level,
}

/// What a node keeps until it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stock {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// How full the fullest pair is: 0 is empty, 1 the bound at which it refuses.
    pub(crate) fill: f64,
}

impl Levels {
    pub(crate) fn new() -> Self {
        let level = |name| Level {
            gauge: gauge!(name),
            last: 0.0,
        };
        Levels {
            outbox_messages: level("redrabbit_node_outbox_messages"),
            outbox_bytes: level("redrabbit_node_outbox_bytes"),
            unacknowledged_messages: level("redrabbit_node_unacknowledged_messages"),
            unacknowledged_bytes: level("redrabbit_node_unacknowledged_bytes"),
            calls: level("redrabbit_node_calls_pending"),
        }
    }

    pub(crate) fn set(&mut self, outboxes: &Traffic, unacknowledged: Stock, calls: usize) {
        self.outbox_messages.set(outboxes.queued_messages as f64);
        self.outbox_bytes.set(outboxes.queued_bytes as f64);
        self.unacknowledged_messages
            .set(unacknowledged.messages as f64);
        self.unacknowledged_bytes.set(unacknowledged.bytes as f64);
        self.calls.set(calls as f64);
    }
}

struct Level {
    gauge: Gauge,
    last: f64,
}

impl Level {
    fn set(&mut self, value: f64) {
        self.gauge.increment(value - self.last);
        self.last = value;
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.set(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_under_its_own_name() {
        let kinds = [
            ErrorKind::Handler,
            ErrorKind::NotFound,
            ErrorKind::Unimplemented,
            ErrorKind::Unavailable,
            ErrorKind::DeadlineExceeded,
            ErrorKind::Overloaded,
            ErrorKind::TooLarge,
            ErrorKind::Forbidden,
            ErrorKind::NoRoute,
        ];
        for kind in kinds {
            assert_eq!(PLACES[place(kind)], kind.as_str());
        }
    }
}
