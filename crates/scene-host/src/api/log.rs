//! The log, as scripts reach it. Any thread may write.

use protocol::SessionId;
use pyo3::prelude::*;
use tracing::{Level, debug, enabled, error, info, trace, warn};

use crate::script::host::current;

/// Writes a line of a script, and for which session it is at work; levels are those of
/// `logging`.
#[pyfunction]
pub(super) fn log(py: Python<'_>, level: i64, module: &str, text: &str) {
    let is_kept = match level {
        ..10 => enabled!(target: "script", Level::TRACE),
        10..20 => enabled!(target: "script", Level::DEBUG),
        20..30 => enabled!(target: "script", Level::INFO),
        30..40 => enabled!(target: "script", Level::WARN),
        40.. => enabled!(target: "script", Level::ERROR),
    };
    if !is_kept {
        return;
    }
    // Threads of the script's own work for nobody that is known.
    let speaker = current().ok().and_then(|host| host.speaker(py));
    let session_id = speaker.as_ref().map(SessionId::as_str);
    match level {
        ..10 => trace!(target: "script", session_id, module, "{text}"),
        10..20 => debug!(target: "script", session_id, module, "{text}"),
        20..30 => info!(target: "script", session_id, module, "{text}"),
        30..40 => warn!(target: "script", session_id, module, "{text}"),
        40.. => error!(target: "script", session_id, module, "{text}"),
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
