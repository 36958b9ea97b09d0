//! The log, as scripts reach it. Any thread may write.

use pyo3::prelude::*;
use tracing::{Level, debug, enabled, error, info, trace, warn};

/// Writes a line of a script; levels are those of `logging`.
#[pyfunction]
pub(super) fn log(level: i64, module: &str, text: &str) {
    match level {
        ..10 => trace!(target: "script", module, "{text}"),
        10..20 => debug!(target: "script", module, "{text}"),
        20..30 => info!(target: "script", module, "{text}"),
        30..40 => warn!(target: "script", module, "{text}"),
        40.. => error!(target: "script", module, "{text}"),
    }
}

/// The lowest level that the log keeps, as `logging` has it.
#[pyfunction]
pub(super) fn log_level() -> u8 {
    if enabled!(target: "script", Level::TRACE) {
        1
    } else if enabled!(target: "script", Level::DEBUG) {
        10
    } else if enabled!(target: "script", Level::INFO) {
        20
    } else if enabled!(target: "script", Level::WARN) {
        30
    } else {
        40
    }
}
