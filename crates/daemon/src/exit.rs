//! How a program ends, in a number that systemd and scripts can act on.

use std::process::ExitCode;

use protocol::ErrorKind;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to, and was taken down on request.
    Ok,
    /// It could not go on. Starting it again may help.
    Failure,
    /// The command line is wrong (`EX_USAGE`). Starting it again does not help.
    Usage,
    /// The topology file is wrong (`EX_CONFIG`). Starting it again does not help.
    Config,
    /// A call that an operator has made ended without a response.
    Call(ErrorKind),
}

/// The exit codes, for the end of a program's `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   taken down on request
  1   could not go on; the last lines of the log say why
  64  the command line is wrong
  78  the topology file is wrong";

/// Every code of every program and command, for the end of a `--help`. Those between 64
/// and 78 are of sysexits.h, where 124 is that of timeout(1).
pub const ALL_EXIT_CODES: &str = "\
Exit codes, of every command:
  0    it did what it was asked to
  1    it could not, or what it looked at is not as it should be
  64   the command line is wrong
  65   a call: the message is too large, or is not what it was said to be
  68   a call: nobody of that name is in the group
  69   a call: whoever was called is not reached, or is about to end
  70   a call: whoever was called answers with an error of its own
  75   a call: there is no room for it, here or there; try again later
  76   a call: whoever was called has no such method
  77   a call: the other group lets nobody here call that
  78   the topology file is wrong
  124  a call: no answer came in time; it may have been done all the same";

impl Exit {
    /// The number that the system sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 64,
            Exit::Config => 78,
            Exit::Call(kind) => match kind {
                ErrorKind::TooLarge => 65,
                ErrorKind::NotFound => 68,
                ErrorKind::Unavailable | ErrorKind::NoRoute => 69,
                ErrorKind::Handler => 70,
                ErrorKind::Overloaded => 75,
                ErrorKind::Unimplemented => 76,
                ErrorKind::Forbidden => 77,
                ErrorKind::DeadlineExceeded => 124,
            },
        }
    }

    /// The same as programs read it: `config`, or how a call ended.
    pub const fn as_str(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Failure => "failure",
            Exit::Usage => "usage",
            Exit::Config => "config",
            Exit::Call(kind) => kind.as_str(),
        }
    }

    /// Whether the same command may end otherwise when it is run again.
    pub const fn is_worth_a_retry(code: i32) -> bool {
        code != Exit::Usage.code() as i32 && code != Exit::Config.code() as i32
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        for exit in [Exit::Ok, Exit::Failure, Exit::Usage, Exit::Config] {
            let line = format!("\n  {:<3} ", exit.code());
            assert!(EXIT_CODES.contains(&line), "{exit:?} is not in the help");
        }
    }

    #[test]
    fn the_table_of_all_codes_names_each_once() {
        let calls = [
            ErrorKind::Handler,
            ErrorKind::NotFound,
            ErrorKind::Unimplemented,
            ErrorKind::Unavailable,
            ErrorKind::DeadlineExceeded,
            ErrorKind::Overloaded,
            ErrorKind::TooLarge,
            ErrorKind::Forbidden,
        ];
        let all = [Exit::Ok, Exit::Failure, Exit::Usage, Exit::Config];
        let all = all.into_iter().chain(calls.map(Exit::Call));
        let mut named = 0;
        for exit in all {
            let line = format!("\n  {:<4} ", exit.code());
            assert_eq!(ALL_EXIT_CODES.matches(&line).count(), 1, "{exit:?}");
            named += 1;
        }
        assert_eq!(ALL_EXIT_CODES.lines().count(), 1 + named);
    }

    #[test]
    fn a_wrong_command_line_or_file_is_not_worth_a_retry() {
        assert!(!Exit::is_worth_a_retry(64));
        assert!(!Exit::is_worth_a_retry(78));
        assert!(Exit::is_worth_a_retry(1));
        assert!(Exit::is_worth_a_retry(0));
    }
}
