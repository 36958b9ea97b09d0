//! How fast a client may speak: a token bucket, kept as the one moment at
//! which it would be full again.

use std::time::Duration;

use tokio::time::Instant;

/// A client may send `frames_per_second` frames on average and `frame_burst`
/// at once. One that is faster is not closed: the gate reads its socket at
/// that rate, and the network slows it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// What one frame takes.
    interval: Duration,
    /// How far ahead of the clock a bucket may be full when a frame is read.
    tolerance: Duration,
}

/// What a client has used of its allowance.
#[derive(Debug)]
pub(crate) struct Rate {
    full_at: Instant,
}

impl Allowance {
    /// Rates and bursts below 1 are taken for 1.
    pub(crate) fn new(frames_per_second: u32, frame_burst: u32) -> Self {
        let interval = Duration::from_secs(1) / frames_per_second.max(1);
        Allowance {
            interval,
            tolerance: interval * (frame_burst.max(1) - 1),
        }
    }

    /// How far ahead of the next frame's turn the bucket is full.
    pub(crate) fn tolerance(&self) -> Duration {
        self.tolerance
    }
}

impl Rate {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Rate { full_at: now }
    }

    /// When the next frame may be read. It may be in the past.
    pub(crate) fn ready_at(&self, of: &Allowance, now: Instant) -> Instant {
        self.full_at.checked_sub(of.tolerance).unwrap_or(now)
    }

    /// Takes a token for a frame that was read.
    pub(crate) fn take(&mut self, of: &Allowance, now: Instant) {
        self.full_at = self.full_at.max(now) + of.interval;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn burst_passes_at_once_and_the_next_frame_waits_for_its_token() {
        let start = Instant::now() + Duration::from_secs(1_000);
        let (of, mut rate) = (Allowance::new(200, 400), Rate::new(start));
        for _ in 0..400 {
            assert!(rate.ready_at(&of, start) <= start);
            rate.take(&of, start);
        }
        assert_eq!(rate.ready_at(&of, start), start + Duration::from_millis(5));
    }

    #[test]
    fn silence_fills_the_bucket_and_no_further() {
        let start = Instant::now() + Duration::from_secs(1_000);
        let (of, mut rate) = (Allowance::new(10, 3), Rate::new(start));
        let later = start + Duration::from_secs(600);
        for _ in 0..3 {
            assert!(rate.ready_at(&of, later) <= later);
            rate.take(&of, later);
        }
        assert_eq!(
            rate.ready_at(&of, later),
            later + Duration::from_millis(100)
        );
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
            let (of, mut rate) = (Allowance::new(per_second, burst), Rate::new(now));
            let mut read = 0u64;
            for pause in pauses {
                now = (now + Duration::from_micros(pause)).max(rate.ready_at(&of, now));
                rate.take(&of, now);
                read += 1;
                let elapsed = (now - start).as_secs_f64();
                let allowed = f64::from(burst) + elapsed * f64::from(per_second);
                prop_assert!(read as f64 <= allowed + 1.0, "{} of {}", read, allowed);
            }
        }
    }
}
