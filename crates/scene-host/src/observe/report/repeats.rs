//! Which errors are told, of those that come again and again.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hash},
    time::{Duration, Instant},
};

use foldhash::{HashMap, fast::FixedState};

/// The errors of late.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    seen: HashMap<Fingerprint, Seen>,
    /// Names that are labels of metrics.
    handlers: HashSet<String>,
}

/// Which error it is: two that have the same are taken for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(u64);

/// Whether an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is, and with it how many like it were not.
    Now { withheld: u64 },
    /// Another time, with those that follow.
    Later,
}

/// Errors that were withheld, and have not come again since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) kind: &'static str,
    pub(crate) handler: String,
    pub(crate) times: u64,
}

#[derive(Debug)]
struct Seen {
    told_at: Instant,
    withheld: u64,
    kind: &'static str,
    handler: String,
}

impl Fingerprint {
    /// For all that there is no room for.
    const OTHERS: Fingerprint = Fingerprint(0);

    pub(crate) fn of(what: &impl Hash) -> Self {
        Fingerprint(FixedState::default().hash_one(what))
    }
}

impl Repeats {
    /// How often the same is told.
    pub(crate) const PERIOD: Duration = Duration::from_secs(1);

    /// How many are told apart.
    const KEPT: usize = 1_000;

    /// An error has happened.
    pub(crate) fn decide(
        &mut self,
        which: Fingerprint,
        kind: &'static str,
        handler: &str,
        now: Instant,
    ) -> Told {
        let is_full = self.seen.len() >= Self::KEPT;
        let which = if is_full && !self.seen.contains_key(&which) {
            Fingerprint::OTHERS
        } else {
            which
        };
        let Some(seen) = self.seen.get_mut(&which) else {
            let (kind, handler) = match which {
                Fingerprint::OTHERS => ("other", "others"),
                _ => (kind, handler),
            };
            let seen = Seen {
                told_at: now,
                withheld: 0,
                kind,
                handler: handler.to_owned(),
            };
            self.seen.insert(which, seen);
            return Told::Now { withheld: 0 };
        };
        if now.saturating_duration_since(seen.told_at) < Self::PERIOD {
            seen.withheld += 1;
            return Told::Later;
        }
        seen.told_at = now;
        let withheld = std::mem::take(&mut seen.withheld);
        Told::Now { withheld }
    }

    /// What was withheld, and has not been told within the period. Forgets what
    /// has not come again.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Again> {
        let mut overdue = Vec::new();
        self.seen.retain(|_, seen| {
            if now.saturating_duration_since(seen.told_at) < Self::PERIOD {
                return true;
            }
            if seen.withheld == 0 {
                return false;
            }
            seen.told_at = now;
            overdue.push(Again {
                kind: seen.kind,
                handler: seen.handler.clone(),
                times: std::mem::take(&mut seen.withheld),
            });
            true
        });
        overdue
    }

    /// The name that a function's errors are counted under: its own, unless there
    /// are very many.
    pub(crate) fn counted<'a>(&mut self, handler: &'a str) -> &'a str {
        if !self.handlers.contains(handler) {
            if self.handlers.len() >= Self::KEPT {
                return "others";
            }
            self.handlers.insert(handler.to_owned());
        }
        handler
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(repeats: &mut Repeats, what: u64, at: Instant) -> Told {
        repeats.decide(Fingerprint(what), "call", "main.chat", at)
    }

    #[test]
    fn the_same_error_is_told_at_most_once_a_second_with_how_many_were_not() {
        let mut repeats = Repeats::default();
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        assert_eq!(fail(&mut repeats, 1, at(0)), Told::Now { withheld: 0 });
        for time in 1..1000 {
            assert_eq!(fail(&mut repeats, 1, at(time)), Told::Later);
        }
        assert_eq!(fail(&mut repeats, 2, at(500)), Told::Now { withheld: 0 });
        assert_eq!(fail(&mut repeats, 1, at(1000)), Told::Now { withheld: 999 });
        assert_eq!(fail(&mut repeats, 1, at(1001)), Told::Later);
    }

    #[test]
    fn what_is_withheld_last_is_told_in_the_end_and_then_forgotten() {
        let mut repeats = Repeats::default();
        let begin = Instant::now();
        for _ in 0..5 {
            fail(&mut repeats, 1, begin);
        }
        assert!(repeats.overdue(begin).is_empty());
        let again = repeats.overdue(begin + Repeats::PERIOD);
        assert_eq!(again.len(), 1);
        assert_eq!(
            (again[0].times, again[0].handler.as_str()),
            (4, "main.chat")
        );
        assert!(repeats.overdue(begin + Repeats::PERIOD * 2).is_empty());
        assert!(repeats.seen.is_empty());
    }

    #[test]
    fn errors_that_are_all_different_take_no_more_room_than_that() {
        let mut repeats = Repeats::default();
        let now = Instant::now();
        let told = (1..10_000)
            .filter(|what| fail(&mut repeats, *what, now) != Told::Later)
            .count();
        assert_eq!(told, Repeats::KEPT + 1);
        for name in 0..10_000 {
            repeats.counted(&name.to_string());
        }
        assert_eq!(repeats.counted("one more"), "others");
        assert_eq!(repeats.counted("7"), "7");
    }
}
