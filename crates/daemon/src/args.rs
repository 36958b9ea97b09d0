//! What every daemon is told on its command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use protocol::NodeName;

use crate::Exit;

/// The arguments that every daemon takes. Flatten it into the daemon's own
/// `clap` parser.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The topology file; every daemon of a group reads the same one
    #[arg(long, value_name = "FILE")]
    pub topology: PathBuf,

    /// Which of the file's nodes this process is, such as gate@0
    #[arg(long, value_name = "ROLE@INDEX")]
    pub name: NodeName,

    /// Overrides a key of the file, such as gates.gate@0.tcp=0.0.0.0:7000;
    /// may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// How log lines are written, whatever the file says in log.format; RUST_LOG
    /// chooses which, whatever it says in log.level
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
    /// Fields, to the journal of systemd.
    Journald,
}

impl From<LogFormat> for topology::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => topology::LogFormat::Text,
            LogFormat::Json => topology::LogFormat::Json,
            LogFormat::Journald => topology::LogFormat::Journald,
        }
    }
}

/// Reads the command line. A wrong one is explained on stderr, `--help` and
/// `--version` are answered on stdout; either way the caller returns the
/// [`Exit`] from `main`.
///
/// # Errors
/// The program has nothing left to do but to end so.
pub fn parse<P: Parser>() -> Result<P, Exit> {
    P::try_parse().map_err(|error| {
        // Nobody is left to be told when even the terminal is gone.
        let _ = error.print();
        if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Ok
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &str) -> Result<Args, String> {
        Cli::try_parse_from(line.split(' '))
            .map(|cli| cli.args)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_daemon_is_told_its_file_and_its_name() {
        let args = parsed("gate --topology a.toml --name gate@3 --set a=1 --set b=2").unwrap();
        assert_eq!(args.topology, PathBuf::from("a.toml"));
        assert_eq!(args.name.as_str(), "gate@3");
        assert_eq!(args.set, ["a=1", "b=2"]);
        assert_eq!(args.log_format, None);
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_the_form_it_should_have() {
        let error = parsed("gate --topology a.toml --name gate").unwrap_err();
        assert!(error.contains("role@index"), "{error}");
    }

    #[test]
    fn json_logs_are_asked_for_by_name() {
        let args = parsed("gate --topology a.toml --name gate@0 --log-format json").unwrap();
        assert_eq!(args.log_format, Some(LogFormat::Json));
    }
}
