//! What a process says of itself to the master: how long it lives, what it takes of its
//! machine, what its log has warned of.

use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use protocol::VitalsSource;

use crate::{ProcessSample, faults};

/// When the process began, by the clock that is never set and by the other.
static BEGUN: OnceLock<(Instant, u64)> = OnceLock::new();

/// What this process knows of itself. What a daemon knows of its work is added to it
/// with [`VitalsSource::and`]; its node
/// adds the links.
pub fn vitals() -> VitalsSource {
    let (begun, started_ms) = *BEGUN.get_or_init(|| (Instant::now(), unix_ms()));
    VitalsSource::default().and(move |vitals| {
        let sample = ProcessSample::brief();
        vitals.up_ms = begun.elapsed().as_millis() as u64;
        vitals.started_ms = started_ms;
        vitals.cpu_seconds = sample.cpu_seconds;
        vitals.memory_bytes = sample.resident_bytes;
        vitals.faults = faults::kept();
    })
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use protocol::v1::Vitals;

    use super::*;

    #[test]
    fn a_process_says_how_long_it_lives_and_what_it_takes() {
        let mut vitals = Vitals::default();
        super::vitals()
            .and(|vitals| vitals.sessions = Some(3))
            .tell(&mut vitals);
        assert!(vitals.memory_bytes > Some(100_000), "{vitals:?}");
        assert!(vitals.cpu_seconds.is_some() && vitals.started_ms > 1_700_000_000_000);
        assert_eq!(vitals.sessions, Some(3));
        let before = vitals.up_ms;
        let deadline = Instant::now() + std::time::Duration::from_secs(10);
        while vitals.up_ms == before {
            assert!(Instant::now() < deadline, "time stands still");
            super::vitals().tell(&mut vitals);
        }
    }
}
