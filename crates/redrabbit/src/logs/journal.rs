//! The journal of this machine, read by journalctl.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use super::{LogsArgs, LogsError, source::Source};

/// journalctl at work.
pub(super) struct Journal {
    child: Child,
    said: JoinHandle<String>,
}

/// As many of the last lines are shown.
pub(super) const LINES: usize = 1000;

/// The same where others are to come.
const LINES_BEFORE: usize = 10;

/// What it may say on its standard error.
const MOST_SAID: u64 = 4096;

impl Journal {
    /// Starts it.
    ///
    /// # Errors
    /// There is no journal, or nothing that reads it.
    pub(super) fn open(args: &LogsArgs) -> Result<Journal, LogsError> {
        let program = match &args.journalctl {
            Some(program) => program.clone(),
            None if Path::new(crate::apply::BOOTED).is_dir() => PathBuf::from("journalctl"),
            None => return Err(LogsError::NoJournal),
        };
        let started = Command::new(&program)
            .args(arguments(args))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|source| LogsError::NoProgram {
            program: program.display().to_string(),
            source,
        })?;
        let stderr = child.stderr.take();
        let said = thread::spawn(move || {
            let mut said = Vec::new();
            let Some(mut stderr) = stderr else {
                return String::new();
            };
            // What it says beyond that is read as well, lest it wait for us.
            let _ = (&mut stderr).take(MOST_SAID).read_to_end(&mut said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            String::from_utf8_lossy(&said).trim().to_owned()
        });
        Ok(Journal { child, said })
    }

    /// What it prints. To be asked for once.
    pub(super) fn lines(&mut self) -> Source {
        match self.child.stdout.take() {
            Some(output) => Source::of_journal(output),
            None => Source::of_journal(std::io::empty()),
        }
    }

    /// Waits until it has ended; `closed`: nobody wants more of it.
    ///
    /// # Errors
    /// It has failed.
    pub(super) fn ended(mut self, closed: bool) -> Result<(), LogsError> {
        if closed {
            // It may have ended by itself.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let said = self.said.join().unwrap_or_default();
        if closed || status.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        let said = match said.is_empty() {
            true => "journalctl failed".to_owned(),
            false => said,
        };
        Err(LogsError::Journal { said })
    }
}

/// What it is told.
fn arguments(args: &LogsArgs) -> Vec<String> {
    let mut arguments: Vec<String> = ["--output=json", "--no-pager"].map(str::to_owned).into();
    match args.node.as_slice() {
        [] => arguments.push("--unit=redrabbit-*@*".to_owned()),
        nodes => {
            let units = nodes
                .iter()
                .map(|node| format!("--unit=redrabbit-{node}.service"));
            arguments.extend(units);
        }
    }
    if let Some(since) = args.since {
        arguments.push(format!("--since=@{}", since.div_euclid(1_000_000)));
    }
    let chooses = args.session.is_some() || args.call.is_some() || args.level.is_some();
    if args.follow {
        arguments.push("--follow".to_owned());
        let before = match (args.lines, args.since) {
            (Some(lines), _) => lines.to_string(),
            (None, Some(_)) => "all".to_owned(),
            (None, None) => LINES_BEFORE.to_string(),
        };
        arguments.push(format!("--lines={before}"));
    } else if !chooses {
        let lines = args.lines.unwrap_or(LINES);
        arguments.push(format!("--lines={lines}"));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: LogsArgs,
    }

    fn told(line: &str) -> String {
        let words = std::iter::once("logs").chain(line.split_whitespace());
        let args = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        arguments(&args.args)[2..].join(" ")
    }

    #[test]
    fn the_journal_is_asked_for_no_more_than_is_wanted() {
        assert_eq!(told(""), "--unit=redrabbit-*@* --lines=1000");
        assert_eq!(
            told("--node gate@0 --node scene@1 --lines 5"),
            "--unit=redrabbit-gate@0.service --unit=redrabbit-scene@1.service --lines=5"
        );
        // Which of them are about a session only we can tell.
        assert_eq!(told("--session Ann --lines 5"), "--unit=redrabbit-*@*");
        assert_eq!(told("--follow"), "--unit=redrabbit-*@* --follow --lines=10");
        assert_eq!(
            told("--follow --since 1970-01-01T00:00:07.9Z"),
            "--unit=redrabbit-*@* --since=@7 --follow --lines=all"
        );
    }
}
