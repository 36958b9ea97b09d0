//! When a client's socket is read, and when a silent client is given up. Pure:
//! the time goes in.

use std::{sync::Arc, time::Duration};

use protocol::v1::CloseReason;
use tokio::time::Instant;
use topology::Limits;

use crate::{
    live::{Amount, Span},
    rate::{Allowance, Rate},
};

/// The clock's side of a connection.
#[derive(Debug)]
pub(crate) struct Pace {
    rules: Arc<Rules>,
    rate: Rate,
    since: Instant,
    /// Whether the socket was read when this was last asked.
    reading: bool,
    /// The last sign of life while the socket was read.
    heard: Instant,
    /// Since when the client has been at its rate without a break.
    pressing: Option<Instant>,
}

/// What holds for all clients of a gate now.
#[derive(Debug)]
pub(crate) struct Rules {
    frames_per_second: Amount,
    frame_burst: Amount,
    /// How long a client has to say who it is.
    verify_timeout: Span,
    idle_timeout: Span,
    rate_patience: Span,
}

/// A client that has left room for so long has made a break, and the clock's own
/// grain is none.
const BREAK: Duration = Duration::from_millis(10);

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has to say who it is.
    Silent,
    /// It has said so and waits.
    Waiting,
    /// It has been let in.
    Active,
}

/// Why a socket is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The client has sent faster than it may.
    Rate,
    /// As many of its frames as may be are on their way to the scene.
    SessionWindow,
    /// As much as may be is on its way to the scene, of all its sessions.
    SceneWindow,
    /// No scene holds the session, and as many of its frames as may be wait.
    Held,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Whether to read the socket.
    pub(crate) reading: bool,
    /// Why that has just been stopped, if it has.
    pub(crate) stopped: Option<Pause>,
    /// How long to wait for anything at most.
    pub(crate) deadline: Option<Deadline>,
}

/// What happens if nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) due: Due,
}

/// What is due at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is time to look again.
    Look,
    /// No scene has come for the session.
    GiveUp,
    /// The connection ends.
    End(CloseReason),
}

impl Rules {
    /// Those of a gate with these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Rules {
            frames_per_second: Amount::new(limits.frames_per_second as usize),
            frame_burst: Amount::new(limits.frame_burst as usize),
            verify_timeout: Span::new(limits.verify_timeout),
            idle_timeout: Span::new(limits.idle_timeout),
            rate_patience: Span::new(limits.rate_patience),
        }
    }

    /// Others, for those who are there as well.
    pub(crate) fn set(&self, limits: &Limits) {
        self.frames_per_second
            .set(limits.frames_per_second as usize);
        self.frame_burst.set(limits.frame_burst as usize);
        self.verify_timeout.set(limits.verify_timeout);
        self.idle_timeout.set(limits.idle_timeout);
        self.rate_patience.set(limits.rate_patience);
    }

    /// How long a client has to say who it is.
    pub(crate) fn verify_timeout(&self) -> Duration {
        self.verify_timeout.get()
    }

    fn allowance(&self) -> Allowance {
        let number = |amount: &Amount| u32::try_from(amount.get()).unwrap_or(u32::MAX);
        Allowance::new(number(&self.frames_per_second), number(&self.frame_burst))
    }
}

impl Pace {
    /// For a client that has connected at `since`.
    pub(crate) fn new(rules: &Arc<Rules>, since: Instant) -> Self {
        Pace {
            rules: Arc::clone(rules),
            rate: Rate::new(since),
            since,
            reading: true,
            heard: since,
            pressing: None,
        }
    }

    /// A frame came, or a sign of life that costs as much.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = now;
        // Now: several frames may be heard before this is asked for a plan.
        self.notice_break(now);
        self.rate.take(&self.rules.allowance(), now);
    }

    /// Whether the client may send another frame at once.
    pub(crate) fn has_room(&self, now: Instant) -> bool {
        self.rate.ready_at(&self.rules.allowance(), now) <= now
    }

    /// What to do, with a client at `stage` and a way to the scene that is
    /// open or `blocked`, and that is to be given up at some time if it waits.
    pub(crate) fn plan(
        &mut self,
        stage: Stage,
        blocked: Option<Pause>,
        give_up: Option<Instant>,
        now: Instant,
    ) -> Plan {
        let ready_at = self.rate.ready_at(&self.rules.allowance(), now);
        let fast = ready_at > now;
        let pause = blocked.or(fast.then_some(Pause::Rate));
        let was_reading = std::mem::replace(&mut self.reading, pause.is_none());
        if self.reading && !was_reading {
            // Nobody can be heard who is not listened to: silence begins anew.
            self.heard = now;
        }
        self.notice_break(now);
        if fast {
            self.pressing.get_or_insert(now);
        }
        let resume = (pause == Some(Pause::Rate)).then_some(Deadline {
            at: ready_at,
            due: Due::Look,
        });
        let ends = |at, reason| Deadline {
            at,
            due: Due::End(reason),
        };
        let pressed = self.pressing.filter(|_| resume.is_some());
        let limited = pressed.map(|since| {
            ends(
                since + self.rules.rate_patience.get(),
                CloseReason::RateLimited,
            )
        });
        let given_up = give_up.map(|at| Deadline {
            at,
            due: Due::GiveUp,
        });
        let end = match stage {
            Stage::Silent => Some(ends(
                self.since + self.rules.verify_timeout.get(),
                CloseReason::VerifyTimeout,
            )),
            Stage::Active if self.reading => Some(ends(
                self.heard + self.rules.idle_timeout.get(),
                CloseReason::Idle,
            )),
            // The question to the scene has a time limit of its own.
            Stage::Waiting | Stage::Active => None,
        };
        Plan {
            reading: self.reading,
            stopped: pause.filter(|_| was_reading),
            deadline: [limited, given_up, resume, end]
                .into_iter()
                .flatten()
                .min_by_key(|d| d.at),
        }
    }

    /// What to do while the client is away, until it is given up for this reason.
    pub(crate) fn wait(
        &self,
        until: Instant,
        reason: CloseReason,
        give_up: Option<Instant>,
    ) -> Plan {
        let end = Deadline {
            at: until,
            due: Due::End(reason),
        };
        let given_up = give_up.map(|at| Deadline {
            at,
            due: Due::GiveUp,
        });
        Plan {
            reading: false,
            stopped: None,
            deadline: given_up.into_iter().chain([end]).min_by_key(|d| d.at),
        }
    }

    /// The client is back: it is listened to anew.
    pub(crate) fn back(&mut self, now: Instant) {
        self.heard = now;
        self.pressing = None;
    }

    /// Forgives a client that has left room for a while.
    fn notice_break(&mut self, now: Instant) {
        let allowance = self.rules.allowance();
        if now >= self.rate.ready_at(&allowance, now) + BREAK.min(allowance.tolerance()) {
            self.pressing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::limits;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(since: Instant) -> Pace {
        let rules = Rules::new(&Limits {
            verify_timeout: 10 * SECOND,
            idle_timeout: 60 * SECOND,
            rate_patience: 30 * SECOND,
            frames_per_second: 1,
            frame_burst: 2,
            ..limits()
        });
        Pace::new(&Arc::new(rules), since)
    }

    fn start() -> Instant {
        Instant::now() + 1_000 * SECOND
    }

    fn ends(at: Instant, reason: CloseReason) -> Option<Deadline> {
        Some(Deadline {
            at,
            due: Due::End(reason),
        })
    }

    #[test]
    fn client_that_does_not_say_who_it_is_is_given_up_whatever_else_it_sends() {
        let now = start();
        let mut pace = pace(now);
        pace.hear(now);
        let plan = pace.plan(Stage::Silent, None, None, now + SECOND);
        assert_eq!(
            plan.deadline,
            ends(now + 10 * SECOND, CloseReason::VerifyTimeout)
        );
    }

    #[test]
    fn silence_counts_from_the_last_sign_of_life() {
        let now = start();
        let mut pace = pace(now);
        pace.hear(now + 5 * SECOND);
        let plan = pace.plan(Stage::Active, None, None, now + 20 * SECOND);
        assert_eq!(plan.deadline, ends(now + 65 * SECOND, CloseReason::Idle));
    }

    #[test]
    fn silence_does_not_count_while_the_socket_is_not_read() {
        let now = start();
        let mut pace = pace(now);
        let plan = pace.plan(Stage::Active, Some(Pause::SceneWindow), None, now);
        assert!(!plan.reading);
        assert_eq!(plan.stopped, Some(Pause::SceneWindow));
        assert_eq!(plan.deadline, None);
        let later = now + 3_600 * SECOND;
        let plan = pace.plan(Stage::Active, Some(Pause::SessionWindow), None, later);
        assert_eq!(plan.stopped, None, "it is stopped once");
        let plan = pace.plan(Stage::Active, None, None, later);
        assert!(plan.reading);
        assert_eq!(plan.deadline, ends(later + 60 * SECOND, CloseReason::Idle));
    }

    #[test]
    fn client_that_is_too_fast_is_not_read_until_its_next_token() {
        let now = start();
        let mut pace = pace(now);
        pace.hear(now);
        assert!(pace.plan(Stage::Active, None, None, now).reading);
        pace.hear(now);
        let plan = pace.plan(Stage::Active, None, None, now);
        assert_eq!(plan.stopped, Some(Pause::Rate));
        let resume = Deadline {
            at: now + SECOND,
            due: Due::Look,
        };
        assert_eq!(plan.deadline, Some(resume));
        assert!(pace.plan(Stage::Active, None, None, now + SECOND).reading);
    }

    /// Lets a client send whenever it is read, plus `pause`, for as long as it
    /// takes until it is closed, or an hour. The clock is late by `lag`.
    fn presses(frames_per_second: u32, pause: Duration, lag: Duration) -> Option<Duration> {
        let begin = start();
        let limits = Limits {
            frames_per_second,
            frame_burst: 2 * frames_per_second,
            rate_patience: 30 * SECOND,
            idle_timeout: 9_999 * SECOND,
            ..limits()
        };
        let mut pace = Pace::new(&Arc::new(Rules::new(&limits)), begin);
        let mut now = begin;
        while now < begin + 3_600 * SECOND {
            let plan = pace.plan(Stage::Active, None, None, now);
            match plan.deadline {
                _ if plan.reading => {
                    now += pause;
                    pace.hear(now);
                }
                Some(Deadline { at, due }) => {
                    now = now.max(at) + lag;
                    if due == Due::End(CloseReason::RateLimited) {
                        return Some(now - begin);
                    }
                }
                None => panic!("it waits for ever"),
            }
        }
        None
    }

    #[test]
    fn client_that_presses_for_too_long_is_closed_as_rate_limited() {
        for (rate, lag) in [(1, 1), (200, 0), (200, 2), (5_000, 2)] {
            let closed = presses(rate, Duration::ZERO, Duration::from_millis(lag));
            let closed = closed.unwrap_or_else(|| panic!("{rate} {lag}"));
            assert!((30 * SECOND..35 * SECOND).contains(&closed), "{closed:?}");
        }
    }

    #[test]
    fn client_that_stays_below_its_rate_is_never_closed_for_it() {
        // One token in a hundred is left over.
        assert_eq!(
            presses(200, Duration::from_micros(5_050), Duration::ZERO),
            None
        );
        assert_eq!(presses(1, 2 * SECOND, Duration::ZERO), None);
    }

    #[test]
    fn client_that_makes_a_break_may_press_again() {
        let now = start();
        let mut pace = pace(now);
        let press = |pace: &mut Pace, from: Instant| {
            pace.hear(from);
            pace.hear(from);
            pace.hear(from);
            pace.plan(Stage::Active, None, None, from)
        };
        let plan = press(&mut pace, now);
        assert_eq!(plan.stopped, Some(Pause::Rate));
        let later = now + 29 * SECOND;
        assert!(pace.plan(Stage::Active, None, None, later).reading);
        press(&mut pace, later);
        let plan = pace.plan(Stage::Active, None, None, now + SECOND * 30);
        assert_eq!(plan.deadline.unwrap().due, Due::Look);
    }

    #[test]
    fn session_that_waits_for_a_scene_is_given_up_at_its_time() {
        let now = start();
        let mut pace = pace(now);
        let at = now + 20 * SECOND;
        let plan = pace.plan(Stage::Active, Some(Pause::Held), Some(at), now);
        let due = Due::GiveUp;
        assert_eq!(plan.deadline, Some(Deadline { at, due }));
    }

    #[test]
    fn client_that_rests_is_forgiven_though_many_frames_come_at_once() {
        let begin = start();
        let mut pace = pace(begin);
        let mut now = begin;
        for _ in 0..20 {
            for _ in 0..4 {
                pace.hear(now);
            }
            let plan = pace.plan(Stage::Active, None, None, now);
            let ends = plan.deadline.map(|deadline| deadline.due);
            assert_eq!(ends, Some(Due::Look), "{:?}", now - begin);
            // Four frames take four seconds, and two are allowed at once.
            now += 5 * SECOND;
        }
    }
}
