//! Everything that a bridge measures. Labels are names of its own file's groups, and
//! `?` for a group that is not in there.
//!
//! `calls_total` counts how calls end, whoever ends them: it cannot tell a bridge's
//! refusal from a callee's error of the same kind. So `refused_total` counts those
//! among them that the bridge has ended by itself and nobody was sent.

use metrics::{Counter, Gauge, counter, gauge};
use protocol::{CallError, ErrorKind};

use crate::refusal::Refusal;

/// Calls that have ended, by `from`, `to` and `outcome`: `ok`, or a kind of error.
const CALLS: &str = "redrabbit_bridge_calls_total";
/// Calls that were not passed on, by `from`, `to` and `reason`.
const REFUSED: &str = "redrabbit_bridge_refused_total";
/// Calls that were passed on and have not ended, by `from` and `to`.
const UNDER_WAY: &str = "redrabbit_bridge_calls_pending";
/// Whether calls to the `group` get there: 1 or 0.
const REACHABLE: &str = "redrabbit_bridge_group_reachable";

/// What stands for a group that the bridge does not know.
pub(crate) const UNKNOWN: &str = "?";

/// The counters of the calls from one group to another.
pub(crate) struct RouteMetrics {
    pub(crate) under_way: Gauge,
    /// By place of the outcome.
    ended: [Counter; KINDS.len() + 1],
}

const KINDS: [ErrorKind; 9] = [
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

impl RouteMetrics {
    pub(crate) fn new(from: &str, to: &str) -> Self {
        let ended = |place: usize| {
            let outcome = match place.checked_sub(1) {
                None => "ok",
                Some(kind) => KINDS[kind].as_str(),
            };
            counter!(CALLS, "from" => from.to_owned(), "to" => to.to_owned(), "outcome" => outcome)
        };
        RouteMetrics {
            under_way: gauge!(UNDER_WAY, "from" => from.to_owned(), "to" => to.to_owned()),
            ended: std::array::from_fn(ended),
        }
    }

    /// A call has ended.
    pub(crate) fn ended<T>(&self, outcome: &Result<T, CallError>) {
        let place = match outcome {
            Ok(_) => 0,
            Err(error) => place(error.kind),
        };
        self.ended[place].increment(1);
    }
}

fn place(kind: ErrorKind) -> usize {
    let place = KINDS.iter().position(|other| *other == kind);
    place.map_or(0, |place| place + 1)
}

/// A call was not passed on.
pub(crate) fn refused(from: &str, to: &str, refusal: Refusal) {
    let (from, to) = (from.to_owned(), to.to_owned());
    counter!(REFUSED, "from" => from, "to" => to, "reason" => refusal.reason()).increment(1);
}

/// Calls to the group get there, or not.
pub(crate) fn reachable(group: &str, reachable: bool) {
    gauge!(REACHABLE, "group" => group.to_owned()).set(f64::from(u8::from(reachable)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(place(kind), index + 1);
        }
    }
}
