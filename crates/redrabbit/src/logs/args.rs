//! The command line of `logs`.

use std::path::PathBuf;

use protocol::NodeName;

use super::record::Level;
use crate::{time, units};

/// The arguments of `logs`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct LogsArgs {
    /// Files with log lines, of one machine or of several; - is the standard input.
    /// Without any: the journal of this machine
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Lines of this node alone, such as gate@0; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub node: Vec<NodeName>,

    /// Lines that are about this session
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,

    /// Lines that are about this call, from node to node
    #[arg(long, value_name = "ID")]
    pub call: Option<String>,

    /// Lines of this level and of graver ones: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Level>,

    /// Lines from then on: so long ago (10m, 2h), or a time such as 2026-01-02T03:04:05Z;
    /// UTC unless it has a zone
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<i64>,

    /// The last so many of the lines that are wanted; of the journal 1000 unless given,
    /// of files all
    #[arg(long, value_name = "LINES", value_parser = lines)]
    pub lines: Option<usize>,

    /// Goes on with what is logged from now on
    #[arg(long)]
    pub follow: bool,

    /// Prints an object a line, and errors as one on stderr
    #[arg(long)]
    pub json: bool,

    /// What reads the journal
    #[arg(long, value_name = "PROGRAM", hide = true)]
    pub journalctl: Option<PathBuf>,
}

const HELP: &str = "\
Examples:
  redrabbit logs --node gate@0 --follow
  redrabbit logs --level warn --since 1h
  redrabbit logs --session Ann                 one player, through every node here
  ssh game-2 redrabbit logs --json > 2.log; redrabbit logs --json > 1.log
  redrabbit logs 1.log 2.log --call world-478020680.5-42
                                               one call, through both machines
  redrabbit up configs/local.toml --json > up.log; redrabbit logs up.log

Where systemd runs the nodes, the lines are those of redrabbit-*@* in its journal, of this
machine alone: for several machines, write the lines of each to a file, as above, and give
all the files. They are merged by time, and need not be of one form: what this command
prints with --json, what daemons write with log.format json or text, what redrabbit up
prints, and what journalctl -o json does are all read. A line without a time (a script's
print, a traceback) belongs to the one before it.

redrabbit up keeps no logs: have it write them to a file, as above.

A session and a call are found by the fields session_id and call_id of a line. Which lines
are there at all is said by log.level of the topology, which takes effect at once: what
becomes of every session is at debug, and every call at \"info,call=debug\", on all nodes
that it may pass, a bridge's file too.

With --json each line is an object with time (null where it is not known), machine (null
likewise), node, level (error, warn, info, debug, trace; null), target (the part of the
program), message, fields (an object with everything else that the line has).

Exit codes:
  0   the lines were printed, be they none
  1   the journal or a file cannot be read
  64  the command line is wrong, or there is no journal here";

fn since(text: &str) -> Result<i64, String> {
    if let Ok(ago) = units::duration(text) {
        let ago = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        return Ok(time::now().saturating_sub(ago));
    }
    time::parse(text).ok_or_else(|| {
        "expected how long ago (10m, 2h) or a time such as 2026-01-02T03:04:05Z".to_owned()
    })
}

fn lines(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(lines @ 0..=1_000_000) => Ok(lines),
        _ => Err("expected a number from 0 to 1000000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time() {
        let ago = time::now() - since("10m").unwrap();
        assert!((599_000_000..=600_000_000).contains(&ago), "{ago}");
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(1_000_000));
        for wrong in ["", "10", "soon", "2026-01-02T03:04"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
