//! Errors of the script, into the log.

use metrics::counter;
use pyo3::{prelude::*, types::PyString};
use tracing::error;

use crate::host::Host;

impl Host {
    /// A function of the script has failed. It harms nothing else.
    pub(crate) fn report(
        &self,
        py: Python<'_>,
        kind: &'static str,
        handler: &str,
        session: &str,
        failure: &PyErr,
    ) {
        counter!("redrabbit_script_errors_total", "kind" => kind).increment(1);
        let traceback = self.traceback(py, failure);
        error!(target: "script", kind, handler, session, %traceback, "script failed");
    }

    /// As Python prints it.
    fn traceback(&self, py: Python<'_>, failure: &PyErr) -> String {
        let formatted = self
            .python
            .format_exception
            .bind(py)
            // Below Python 3.12 the value alone does not know where it was raised.
            .call1((
                failure.get_type(py),
                failure.value(py),
                failure.traceback(py),
            ))
            .and_then(|lines| lines.extract::<Vec<Bound<'_, PyString>>>());
        match formatted {
            Ok(lines) => {
                let lines: String = lines.iter().map(|line| line.to_string_lossy()).collect();
                format!("\n{}", lines.trim_end())
            }
            // An exception that cannot even say what it is.
            Err(_) => failure
                .get_type(py)
                .qualname()
                .map_or_else(|_| "unknown".to_owned(), |name| name.to_string()),
        }
    }
}

/// The kinds of what can fail, as metrics know them.
pub(crate) fn kind_named(name: &str) -> &'static str {
    match name {
        "timer" => "timer",
        "task" => "task",
        "hook" => "hook",
        "loop" => "loop",
        _ => "other",
    }
}
