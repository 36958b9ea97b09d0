//! When a bridge that drains has nothing left to do.

use std::time::{Duration, Instant};

/// How long nothing may have come: callers hear of the drain within a fraction of it,
/// and what they had sent before is here by then.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Watches the calls come to their ends.
pub(crate) struct Drain {
    arrived: u64,
    since: Instant,
    deadline: Instant,
}

/// How a drain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something may still come, or is under way.
    Draining,
    /// Nothing is under way and nothing came for [`QUIET`].
    Drained,
    /// The grace is over, with calls under way.
    OutOfTime,
}

impl Drain {
    /// Begins now, with so many calls that have come until now, and may last for
    /// `grace`.
    pub(crate) fn begin(arrived: u64, now: Instant, grace: Duration) -> Self {
        Drain {
            arrived,
            since: now,
            deadline: now + grace,
        }
    }

    /// So many have come by now, and so many of them have not ended.
    pub(crate) fn look(&mut self, arrived: u64, under_way: u64, now: Instant) -> Progress {
        if arrived != self.arrived {
            self.arrived = arrived;
            self.since = now;
        }
        if under_way == 0 && now.saturating_duration_since(self.since) >= QUIET {
            Progress::Drained
        } else if now >= self.deadline {
            Progress::OutOfTime
        } else {
            Progress::Draining
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn a_bridge_has_drained_when_all_calls_have_ended_and_none_comes() {
        let start = Instant::now();
        let mut drain = Drain::begin(7, start, GRACE);
        assert_eq!(drain.look(7, 0, start), Progress::Draining);
        assert_eq!(drain.look(7, 1, start + QUIET), Progress::Draining);
        // Another one, of a caller that has not heard yet.
        assert_eq!(drain.look(8, 1, start + QUIET), Progress::Draining);
        assert_eq!(drain.look(8, 0, start + QUIET), Progress::Draining);
        assert_eq!(drain.look(8, 0, start + 2 * QUIET), Progress::Drained);
    }

    #[test]
    fn calls_that_do_not_end_are_cut_off_at_the_end_of_the_grace() {
        let start = Instant::now();
        let mut drain = Drain::begin(7, start, GRACE);
        assert_eq!(drain.look(7, 1, start + GRACE / 2), Progress::Draining);
        assert_eq!(drain.look(7, 1, start + GRACE), Progress::OutOfTime);
    }
}
