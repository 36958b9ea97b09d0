//! Log lines: as text, as JSON, or as fields to the journal of systemd; which of
//! them are written can be changed while the process runs.

mod json;

use std::{
    io::{IsTerminal, stderr},
    sync::OnceLock,
};

use protocol::NodeName;
use topology::{Log, LogFormat};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::format::JsonFields,
    layer::SubscriberExt,
    registry::LookupSpan,
    reload::{self, Handle},
    util::SubscriberInitExt,
};

use self::json::JsonLines;
use crate::faults::KeepFaults;

/// `always` or `never` overrules what [`init_tracing`] finds out by itself.
/// `redrabbit up` sets it for its children, which write to a pipe that ends at
/// a terminal.
pub const COLOR_VARIABLE: &str = "REDRABBIT_LOG_COLOR";

/// What chooses lines whatever the topology says.
const FILTER_VARIABLE: &str = "RUST_LOG";

/// Of the one subscriber that a process has.
static LEVELS: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Sends what `tracing` records where `format` says: to stderr, or to the journal.
/// `RUST_LOG` chooses what is recorded; where it is not set, `levels`. Parts of
/// either that make no sense are named on stderr and left out. `node` is in every line
/// that has fields and says no other; `None` for a process that is several. Only the
/// first call in a process counts.
pub fn init_tracing(format: LogFormat, levels: &str, node: Option<&NodeName>) {
    let node = node.map(NodeName::as_str);
    let (filter, handle) = reload::Layer::new(filter(levels));
    let registry = tracing_subscriber::registry().with(filter).with(KeepFaults);
    // It fails only where a test or an embedding program has set up its own
    // subscriber, which is then the one to keep.
    let set = match format {
        LogFormat::Text => registry
            .with(lines().with_ansi(colour_on_stderr()))
            .try_init(),
        LogFormat::Json => registry
            .with(
                lines()
                    .event_format(JsonLines::new(node))
                    .fmt_fields(JsonFields::new()),
            )
            .try_init(),
        LogFormat::Journald => registry.with(journal(node)).try_init(),
    };
    if set.is_ok() {
        let _ = LEVELS.set(handle);
    }
}

/// Records from now on what `levels` says, unless `RUST_LOG` is set. Says whether it
/// is so.
pub fn set_levels(levels: &str) -> bool {
    let free = variable(FILTER_VARIABLE).is_none_or(|text| text.is_empty());
    let change = |handle: &Handle<EnvFilter, Registry>| handle.reload(filter(levels)).is_ok();
    free && LEVELS.get().is_some_and(change)
}

/// The format that counts: what the command line says, before the topology.
pub(crate) fn format(argument: Option<crate::LogFormat>, log: &Log) -> LogFormat {
    argument.map_or(log.format, LogFormat::from)
}

fn filter(levels: &str) -> EnvFilter {
    let builder = EnvFilter::builder().with_default_directive(Level::INFO.into());
    match variable(FILTER_VARIABLE).filter(|text| !text.is_empty()) {
        Some(text) => builder.parse_lossy(text),
        None => builder.parse_lossy(levels),
    }
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>() -> tracing_subscriber::fmt::Layer<
    S,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    fn() -> std::io::Stderr,
> {
    tracing_subscriber::fmt::layer()
        .with_writer(stderr as fn() -> std::io::Stderr)
        // Whoever read the log may have gone. It says so with `eprintln!`, which
        // panics then, on whatever task has something to log.
        .log_internal_errors(false)
}

/// The journal, or stderr where there is none.
fn journal<S: Subscriber + for<'a> LookupSpan<'a>>(
    node: Option<&str>,
) -> Box<dyn Layer<S> + Send + Sync> {
    match tracing_journald::layer() {
        Ok(journal) => journal
            .with_field_prefix(None)
            .with_custom_fields(node.map(|node| ("NODE", node)))
            .boxed(),
        Err(error) => {
            eprintln!("the journal of systemd is not there ({error}): logging to stderr");
            lines().with_ansi(false).boxed()
        }
    }
}

fn colour_on_stderr() -> bool {
    wants_colour(
        variable(COLOR_VARIABLE).as_deref(),
        variable("NO_COLOR").as_deref(),
        stderr().is_terminal(),
    )
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether to write colour, by our own variable, by `NO_COLOR`
/// (<https://no-color.org>), and by where the lines go; in this order.
pub fn wants_colour(own: Option<&str>, no_color: Option<&str>, terminal: bool) -> bool {
    match own {
        Some("always") => true,
        Some("never") => false,
        _ => terminal && no_color.is_none_or(str::is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        assert!(wants_colour(None, None, true));
        assert!(wants_colour(None, Some(""), true));
        assert!(!wants_colour(None, Some("1"), true));
        assert!(!wants_colour(None, None, false));
    }

    #[test]
    fn our_own_variable_has_the_last_word() {
        assert!(wants_colour(Some("always"), Some("1"), false));
        assert!(!wants_colour(Some("never"), None, true));
        assert!(!wants_colour(Some("nonsense"), None, false));
    }

    #[test]
    fn the_command_line_says_how_lines_are_written_before_the_topology_does() {
        let log = Log {
            level: "info".to_owned(),
            format: LogFormat::Journald,
        };
        assert_eq!(format(None, &log), LogFormat::Journald);
        let json = Some(crate::LogFormat::Json);
        assert_eq!(format(json, &log), LogFormat::Json);
    }
}
