//! `redrabbit logs`: what nodes have logged, by node, session, call and level.
//!
//! Lines come from the journal of this machine (`journal`), or from files, of many
//! machines if need be (`source`); `record` makes of each what is known of it, in
//! whichever form it is; `filter` says which are wanted, `merge` puts files into the
//! order of time, and `show` writes them. But for those that read and write, all is
//! pure.

mod args;
mod error;
mod filter;
mod journal;
mod merge;
mod record;
mod show;
mod source;

use std::{
    collections::VecDeque,
    io::{self, BufWriter, ErrorKind, IsTerminal, Write, stdout},
};

use daemon::Exit;

pub use args::LogsArgs;
pub use error::LogsError;
use filter::Filter;
use merge::{Merged, Placed};
use show::Shown;
use source::Source;

/// Prints the lines that are wanted.
///
/// # Errors
/// [`LogsError`].
pub fn run(args: &LogsArgs) -> Result<Exit, LogsError> {
    let filter = Filter::new(args);
    let no_color = std::env::var("NO_COLOR").ok();
    let shown = Shown {
        json: args.json,
        colour: daemon::wants_colour(None, no_color.as_deref(), stdout().is_terminal()),
    };
    if args.files.is_empty() {
        return of_journal(args, &filter, shown);
    }
    if args.follow {
        return Err(LogsError::FollowsNoFile);
    }
    let sources: Result<Vec<_>, LogsError> = args.files.iter().map(|it| Source::open(it)).collect();
    let mut records = Merged::new(sources?);
    let written = write(&mut records, &filter, args.lines, shown);
    records.complaint().map_or(Ok(()), Err)?;
    finished(written)
}

fn of_journal(args: &LogsArgs, filter: &Filter, shown: Shown) -> Result<Exit, LogsError> {
    let mut journal = journal::Journal::open(args)?;
    // The journal counts lines before they are chosen: where all of them are, it knows
    // best where the last ones begin.
    let lines = match args.follow {
        true => None,
        false => Some(args.lines.unwrap_or(journal::LINES)),
    };
    let mut records = Merged::new(vec![journal.lines()]);
    let written = write(&mut records, filter, lines, shown);
    let complaint = records.complaint();
    drop(records);
    let closed = written.is_err();
    journal.ended(closed)?;
    complaint.map_or(Ok(()), Err)?;
    finished(written)
}

/// The last `lines` of those that are wanted, or all of them as they come.
fn write(
    records: &mut dyn Iterator<Item = Placed>,
    filter: &Filter,
    lines: Option<usize>,
    shown: Shown,
) -> io::Result<()> {
    let mut wanted = filter.of(records);
    let mut out = BufWriter::new(stdout().lock());
    let Some(lines) = lines else {
        for record in wanted {
            out.write_all(shown.line(&record).as_bytes())?;
            // Whoever follows wants each line when it is there.
            out.flush()?;
        }
        return Ok(());
    };
    let mut last = VecDeque::new();
    for record in &mut wanted {
        last.push_back(record);
        if last.len() > lines {
            last.pop_front();
        }
    }
    for record in last {
        out.write_all(shown.line(&record).as_bytes())?;
    }
    out.flush()
}

/// A reader that has gone away has seen enough.
fn finished(written: io::Result<()>) -> Result<Exit, LogsError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(LogsError::Write(error)),
        _ => Ok(Exit::Ok),
    }
}
