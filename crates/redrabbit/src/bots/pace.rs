//! When a bot sends, without a clock of its own.

use std::time::Duration;

use tokio::time::Instant;

/// How fast bots send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    /// Between two messages of a bot; `None`: as soon as there is room.
    pub(super) interval: Option<Duration>,
    /// How many messages a bot may have out.
    pub(super) in_flight: usize,
}

/// When one bot sends next.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    speed: Speed,
    due: Instant,
    last: Instant,
}

/// A timer is late by so much in the best of cases. What was sent later than that
/// counts from when it was due: a server that stops everybody for a second must
/// not look as if it had been slow to one message.
const SLACK: Duration = Duration::from_millis(2);

/// When as many as may be are out and nothing has moved for so long, one more is
/// sent: its answer shows that those before it are lost.
const PROBE: Duration = Duration::from_secs(1);

/// However often it probes, or has to catch up.
const MOST: usize = 65_536;

/// Later than anything.
const FAR: Duration = Duration::from_secs(u32::MAX as u64);

impl Speed {
    /// A message in so many seconds, or as soon as there is room; with so many
    /// out at most.
    pub(super) fn new(rate: Option<f64>, in_flight: Option<usize>) -> Speed {
        Speed {
            interval: rate.map(|rate| {
                Duration::try_from_secs_f64(1.0 / rate).map_or(FAR, |interval| interval.min(FAR))
            }),
            in_flight: in_flight.unwrap_or(MOST).clamp(1, MOST),
        }
    }
}

impl Pace {
    /// From `now` on. `phase`, from 0 to 1, keeps bots apart that begin at once.
    pub(super) fn new(speed: Speed, now: Instant, phase: f64) -> Pace {
        Pace {
            speed,
            due: now + speed.interval.unwrap_or_default().mul_f64(phase),
            last: now,
        }
    }

    /// When to look again, with so many messages out.
    pub(super) fn wake(&self, out: usize) -> Instant {
        if out >= MOST {
            self.last + FAR
        } else if out >= self.speed.in_flight {
            self.due.max(self.last + PROBE)
        } else {
            self.due
        }
    }

    /// Whether a message is due, and from when on its answer is waited for.
    pub(super) fn take(&mut self, now: Instant, out: usize) -> Option<Instant> {
        if now < self.wake(out) {
            return None;
        }
        let is_late = now - self.due > SLACK;
        let from = match self.speed.interval {
            Some(interval) => {
                let due = self.due;
                self.due += interval;
                if is_late { due } else { now }
            }
            None => {
                self.due = now;
                now
            }
        };
        self.last = now;
        Some(from)
    }

    /// Something was answered.
    pub(super) fn moved(&mut self, now: Instant) {
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn messages_are_due_at_the_rate_and_count_from_then_when_they_are_late() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::new(Some(10.0), None), start, 0.5);
        assert_eq!(pace.take(start + 49 * MS, 0), None);
        // A timer's own lateness is not the server's.
        assert_eq!(pace.take(start + 51 * MS, 0), Some(start + 51 * MS));
        assert_eq!(pace.wake(1), start + 150 * MS);
        // Half a second later: everything that was missed, from when it was due.
        let later = start + 451 * MS;
        let made_up: Vec<_> = std::iter::from_fn(|| pace.take(later, 0)).collect();
        let due = [150, 250, 350].map(|ms| start + ms * MS);
        assert_eq!(made_up[..3], due);
        assert_eq!(made_up.len(), 4);
    }

    #[test]
    fn a_closed_loop_sends_when_there_is_room_and_probes_after_a_silence() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::new(None, Some(2)), start, 0.5);
        assert_eq!(pace.take(start, 0), Some(start));
        assert_eq!(pace.take(start, 1), Some(start));
        assert_eq!(pace.take(start + 999 * MS, 2), None);
        assert_eq!(pace.take(start + 1000 * MS, 2), Some(start + 1000 * MS));
        assert_eq!(pace.take(start + 1001 * MS, 3), None);
        pace.moved(start + 1500 * MS);
        assert_eq!(pace.take(start + 2001 * MS, 2), None);
    }

    #[test]
    fn whoever_sends_nothing_is_never_due() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::new(Some(0.0), None), start, 0.5);
        assert_eq!(pace.take(start + Duration::from_secs(1 << 30), 0), None);
    }
}
