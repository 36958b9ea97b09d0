//! How a program ends, in a number that systemd and scripts can act on.

use std::process::ExitCode;

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
}

/// The exit codes, for the end of a program's `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   taken down on request
  1   could not go on; the last lines of the log say why
  64  the command line is wrong
  78  the topology file is wrong";

impl Exit {
    /// The number that the system sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 64,
            Exit::Config => 78,
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
    fn a_wrong_command_line_or_file_is_not_worth_a_retry() {
        assert!(!Exit::is_worth_a_retry(64));
        assert!(!Exit::is_worth_a_retry(78));
        assert!(Exit::is_worth_a_retry(1));
        assert!(Exit::is_worth_a_retry(0));
    }
}
