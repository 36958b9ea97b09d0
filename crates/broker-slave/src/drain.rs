//! When a slave that drains has nothing left to do.

use std::time::{Duration, Instant};

/// How long nothing may have passed through: nodes hear of the drain within a
/// fraction of it, and what they had sent before is through by then.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Watches a counter of what was forwarded come to rest.
pub(crate) struct Drain {
    forwarded: u64,
    since: Instant,
    deadline: Instant,
}

/// How a drain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something may still come.
    Draining,
    /// Nothing came for [`QUIET`].
    Drained,
    /// The grace is over, and nodes still send.
    OutOfTime,
}

impl Drain {
    /// Begins now, with so much forwarded, and may last for `grace`.
    pub(crate) fn begin(forwarded: u64, now: Instant, grace: Duration) -> Self {
        Drain {
            forwarded,
            since: now,
            deadline: now + grace,
        }
    }

    /// So much has been forwarded by now.
    pub(crate) fn look(&mut self, forwarded: u64, now: Instant) -> Progress {
        if forwarded != self.forwarded {
            self.forwarded = forwarded;
            self.since = now;
        }
        if now.saturating_duration_since(self.since) >= QUIET {
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
    const STEP: Duration = Duration::from_millis(100);

    #[test]
    fn a_slave_has_drained_when_nothing_has_passed_for_a_while() {
        let start = Instant::now();
        let mut drain = Drain::begin(7, start, GRACE);
        assert_eq!(drain.look(7, start + QUIET - STEP), Progress::Draining);
        assert_eq!(drain.look(7, start + QUIET), Progress::Drained);
    }

    #[test]
    fn whatever_passes_begins_the_while_anew() {
        let start = Instant::now();
        let mut drain = Drain::begin(7, start, GRACE);
        let later = start + QUIET - STEP;
        assert_eq!(drain.look(8, later), Progress::Draining);
        assert_eq!(drain.look(8, start + QUIET), Progress::Draining);
        assert_eq!(drain.look(8, later + QUIET), Progress::Drained);
    }

    #[test]
    fn traffic_without_end_is_cut_off_at_the_end_of_the_grace() {
        let start = Instant::now();
        let mut drain = Drain::begin(0, start, GRACE);
        let mut forwarded = 0;
        let mut now = start;
        while now + STEP < start + GRACE {
            now += STEP;
            forwarded += 1;
            assert_eq!(drain.look(forwarded, now), Progress::Draining);
        }
        assert_eq!(
            drain.look(forwarded + 1, start + GRACE),
            Progress::OutOfTime
        );
    }
}
