//! How fast a client may speak: a token bucket, kept as the one moment at
//! which it would be full again.

use std::time::Duration;

use tokio::time::Instant;

/// A client may send `frames_per_second` frames on average and `frame_burst`
/// at once. One that is faster is not closed: the gate reads its socket at
/// that rate, and the network slows it down.
#[derive(Debug)]
pub(crate) struct Rate {
    /// What one frame takes.
    interval: Duration,
    /// How far ahead of the clock `full_at` may be when a frame is read.
    tolerance: Duration,
    full_at: Instant,
}

impl Rate {
    /// A full bucket. Rates and bursts below 1 are taken for 1.
    pub(crate) fn new(frames_per_second: u32, frame_burst: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / frames_per_second.max(1);
        Rate {
            interval,
            tolerance: interval * (frame_burst.max(1) - 1),
            full_at: now,
        }
    }

    /// When the next frame may be read. It may be in the past.
    pub(crate) fn ready_at(&self, now: Instant) -> Instant {
        self.full_at.checked_sub(self.tolerance).unwrap_or(now)
    }

    /// How far ahead of the next frame's turn the bucket is full.
    pub(crate) fn tolerance(&self) -> Duration {
        self.tolerance
    }

    /// Takes a token for a frame that was read.
    pub(crate) fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn burst_passes_at_once_and_the_next_frame_waits_for_its_token() {
        let start = Instant::now() + Duration::from_secs(1_000);
        let mut rate = Rate::new(200, 400, start);
        for _ in 0..400 {
            assert!(rate.ready_at(start) <= start);
            rate.take(start);
        }
        assert_eq!(rate.ready_at(start), start + Duration::from_millis(5));
    }

    #[test]
    fn silence_fills_the_bucket_and_no_further() {
        let start = Instant::now() + Duration::from_secs(1_000);
        let mut rate = Rate::new(10, 3, start);
        let later = start + Duration::from_secs(600);
        for _ in 0..3 {
            assert!(rate.ready_at(later) <= later);
            rate.take(later);
        }
        assert_eq!(rate.ready_at(later), later + Duration::from_millis(100));
    }

    proptest! {
        /// A client that sends as fast as it is read gets its burst and then
        /// its rate, whatever it does in between.
        #[test]
        fn no_window_of_time_holds_more_than_rate_and_burst(
            per_second in 1u32..1_000,
            burst in 1u32..500,
            pauses in prop::collection::vec(0u64..20_000, 1..400),
        ) {
            let start = Instant::now() + Duration::from_secs(1_000);
            let mut now = start;
            let mut rate = Rate::new(per_second, burst, now);
            let mut read = 0u64;
            for pause in pauses {
                now = (now + Duration::from_micros(pause)).max(rate.ready_at(now));
                rate.take(now);
                read += 1;
                let elapsed = (now - start).as_secs_f64();
                let allowed = f64::from(burst) + elapsed * f64::from(per_second);
                prop_assert!(read as f64 <= allowed + 1.0, "{} of {}", read, allowed);
            }
        }
    }
}
