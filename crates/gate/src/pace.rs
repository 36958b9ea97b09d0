//! When a client's socket is read, and when a silent client is given up. Pure:
//! the time goes in.

use std::time::Duration;

use protocol::v1::CloseReason;
use tokio::time::Instant;
use topology::Limits;

use crate::rate::Rate;

/// The clock's side of a connection.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Rate,
    /// Until when the client has to say who it is.
    patience: Instant,
    idle_timeout: Duration,
    /// Whether the socket was read when this was last asked.
    reading: bool,
    /// The last sign of life while the socket was read.
    heard: Instant,
}

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
    /// The end, if it is one; otherwise it is time to look again.
    pub(crate) reason: Option<CloseReason>,
}

impl Pace {
    /// For a client that has connected at `since`.
    pub(crate) fn new(limits: &Limits, since: Instant) -> Self {
        Pace {
            rate: Rate::new(limits.frames_per_second, limits.frame_burst, since),
            patience: since + limits.verify_timeout,
            idle_timeout: limits.idle_timeout,
            reading: true,
            heard: since,
        }
    }

    /// A frame came, or a sign of life that costs as much.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.rate.take(now);
    }

    /// What to do, with a client at `stage` and a way to the scene that is
    /// open or `blocked`.
    pub(crate) fn plan(&mut self, stage: Stage, blocked: Option<Pause>, now: Instant) -> Plan {
        let ready_at = self.rate.ready_at(now);
        let pause = blocked.or((ready_at > now).then_some(Pause::Rate));
        let was_reading = std::mem::replace(&mut self.reading, pause.is_none());
        if self.reading && !was_reading {
            // Nobody can be heard who is not listened to: silence begins anew.
            self.heard = now;
        }
        let resume = (pause == Some(Pause::Rate)).then_some(Deadline {
            at: ready_at,
            reason: None,
        });
        let end = match stage {
            Stage::Silent => Some(Deadline {
                at: self.patience,
                reason: Some(CloseReason::VerifyTimeout),
            }),
            Stage::Active if self.reading => Some(Deadline {
                at: self.heard + self.idle_timeout,
                reason: Some(CloseReason::Idle),
            }),
            // The question to the scene has a time limit of its own.
            Stage::Waiting | Stage::Active => None,
        };
        Plan {
            reading: self.reading,
            stopped: pause.filter(|_| was_reading),
            deadline: [resume, end].into_iter().flatten().min_by_key(|d| d.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::limits;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(since: Instant) -> Pace {
        Pace::new(
            &Limits {
                verify_timeout: 10 * SECOND,
                idle_timeout: 60 * SECOND,
                frames_per_second: 1,
                frame_burst: 2,
                ..limits()
            },
            since,
        )
    }

    fn start() -> Instant {
        Instant::now() + 1_000 * SECOND
    }

    fn ends(at: Instant, reason: CloseReason) -> Option<Deadline> {
        Some(Deadline {
            at,
            reason: Some(reason),
        })
    }

    #[test]
    fn client_that_does_not_say_who_it_is_is_given_up_whatever_else_it_sends() {
        let now = start();
        let mut pace = pace(now);
        pace.hear(now);
        let plan = pace.plan(Stage::Silent, None, now + SECOND);
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
        let plan = pace.plan(Stage::Active, None, now + 20 * SECOND);
        assert_eq!(plan.deadline, ends(now + 65 * SECOND, CloseReason::Idle));
    }

    #[test]
    fn silence_does_not_count_while_the_socket_is_not_read() {
        let now = start();
        let mut pace = pace(now);
        let plan = pace.plan(Stage::Active, Some(Pause::SceneWindow), now);
        assert!(!plan.reading);
        assert_eq!(plan.stopped, Some(Pause::SceneWindow));
        assert_eq!(plan.deadline, None);
        let later = now + 3_600 * SECOND;
        let plan = pace.plan(Stage::Active, Some(Pause::SessionWindow), later);
        assert_eq!(plan.stopped, None, "it is stopped once");
        let plan = pace.plan(Stage::Active, None, later);
        assert!(plan.reading);
        assert_eq!(plan.deadline, ends(later + 60 * SECOND, CloseReason::Idle));
    }

    #[test]
    fn client_that_is_too_fast_is_not_read_until_its_next_token() {
        let now = start();
        let mut pace = pace(now);
        pace.hear(now);
        assert!(pace.plan(Stage::Active, None, now).reading);
        pace.hear(now);
        let plan = pace.plan(Stage::Active, None, now);
        assert_eq!(plan.stopped, Some(Pause::Rate));
        let resume = Deadline {
            at: now + SECOND,
            reason: None,
        };
        assert_eq!(plan.deadline, Some(resume));
        assert!(pace.plan(Stage::Active, None, now + SECOND).reading);
    }
}
