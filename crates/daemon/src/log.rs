//! Log lines: to stderr, as text or as JSON, in colour only where it is seen.

use std::io::{IsTerminal, stderr};

use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::LogFormat;

/// `always` or `never` overrules what [`init_tracing`] finds out by itself.
/// `redrabbit up` sets it for its children, which write to a pipe that ends at
/// a terminal.
pub const COLOR_VARIABLE: &str = "REDRABBIT_LOG_COLOR";

/// Sends what `tracing` records to stderr. `RUST_LOG` chooses what is
/// recorded, `info` and graver unless set; parts of it that make no sense are
/// named on stderr and left out. Only the first call in a process counts.
pub fn init_tracing(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(Level::INFO.into())
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // Whoever read the log may have gone. It says so with `eprintln!`, which
        // panics then, on whatever task has something to log.
        .log_internal_errors(false);
    // It fails only where a test or an embedding program has set up its own
    // subscriber, which is then the one to keep.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colour_on_stderr()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

fn colour_on_stderr() -> bool {
    let variable = |name| std::env::var(name).ok();
    wants_colour(
        variable(COLOR_VARIABLE).as_deref(),
        variable("NO_COLOR").as_deref(),
        stderr().is_terminal(),
    )
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
}
