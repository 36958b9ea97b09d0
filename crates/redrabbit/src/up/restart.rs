//! What to do about a role that has died.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use daemon::Exit;

/// What to do about a role that has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Leave it dead.
    Stay,
    /// Leave it dead: the same command would only end the same way.
    Hopeless,
    /// Start it again after a while.
    StartAgain(Duration),
}

/// How long a role waits before it is started again: longer each time that it
/// dies without having become ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);

impl Backoff {
    /// For a role that has not died yet.
    pub(super) fn new() -> Backoff {
        Backoff { next: FIRST }
    }

    /// The role has become ready: what was wrong is over.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// What to do about a role that ended as `status` says. Without `restart`
    /// nothing is ever started again; with it a role is that has been drained, too:
    /// so it comes back as a new program.
    pub(super) fn verdict(&mut self, status: ExitStatus, restart: bool) -> Verdict {
        if !restart {
            return Verdict::Stay;
        }
        if status
            .code()
            .is_some_and(|code| !Exit::is_worth_a_retry(code))
        {
            return Verdict::Hopeless;
        }
        let delay = self.next;
        self.next = (delay * 2).min(LONGEST);
        Verdict::StartAgain(delay)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff::new()
    }
}

/// How a process ended, for people: `exit code 1`, `signal 9 (SIGKILL)`.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn nothing_is_started_again_unless_asked_for() {
        assert_eq!(Backoff::new().verdict(exited(1), false), Verdict::Stay);
    }

    #[test]
    fn a_role_that_was_drained_comes_back_where_that_is_asked_for() {
        assert_eq!(Backoff::new().verdict(exited(0), false), Verdict::Stay);
        let again = Backoff::new().verdict(exited(0), true);
        assert_eq!(again, Verdict::StartAgain(FIRST));
    }

    #[test]
    fn waits_grow_to_ten_seconds_and_start_over_once_it_was_ready() {
        let mut backoff = Backoff::new();
        let mut waits = Vec::new();
        for _ in 0..6 {
            if let Verdict::StartAgain(delay) = backoff.verdict(exited(1), true) {
                waits.push(delay.as_secs());
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        backoff.reset();
        let again = backoff.verdict(ExitStatus::from_raw(9), true);
        assert_eq!(again, Verdict::StartAgain(FIRST));
    }

    #[test]
    fn a_wrong_file_or_command_line_is_hopeless() {
        assert_eq!(Backoff::new().verdict(exited(78), true), Verdict::Hopeless);
        assert_eq!(Backoff::new().verdict(exited(64), true), Verdict::Hopeless);
    }

    #[test]
    fn an_end_is_described_by_its_code_or_its_signal() {
        assert_eq!(describe(exited(3)), "exit code 3");
        assert_eq!(describe(ExitStatus::from_raw(9)), "signal 9 (SIGKILL)");
        assert_eq!(describe(ExitStatus::from_raw(34)), "signal 34");
    }
}
