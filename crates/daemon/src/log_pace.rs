//! A line that many clients, or calls, at once would cause is logged once a second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const PACE: Duration = Duration::from_secs(1);

/// Says when a line may be logged again.
#[derive(Debug, Default)]
pub struct LogPace {
    /// Locked on a failure's path only.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    /// Not logged since.
    withheld: u64,
}

impl LogPace {
    /// Whether to log now, and then how many lines were withheld before.
    pub fn turn(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now < last + PACE) {
            state.withheld += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_logged_once_a_second_with_the_count_of_those_withheld() {
        let pace = LogPace::default();
        let start = Instant::now();
        assert_eq!(pace.turn(start), Some(0));
        assert_eq!(pace.turn(start), None);
        assert_eq!(pace.turn(start + PACE / 2), None);
        assert_eq!(pace.turn(start + PACE), Some(2));
    }
}
