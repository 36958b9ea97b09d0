//! Errors of the script, into the log.
//!
//! Each is counted; one that comes again and again is told of once a second.

mod repeats;

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Instant,
};

use metrics::counter;
use pyo3::{intern, prelude::*, types::PyString};
use tracing::{error, warn};

pub(crate) use self::repeats::Repeats;
use self::repeats::{Fingerprint, Told};
use crate::{
    observe::activity::Label,
    observe::masked::masked,
    script::host::{Host, current},
};

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
        self.report_from(py, kind, handler, session, None, failure);
    }

    /// As [`report`](Self::report); `source` is the node that it was done for.
    pub(crate) fn report_from(
        &self,
        py: Python<'_>,
        kind: &'static str,
        handler: &str,
        session: &str,
        source: Option<&str>,
        failure: &PyErr,
    ) {
        let what = (failure.get_type(py).as_ptr().addr(), line_of(py, failure));
        let told = self.repeats.borrow_mut().tell(kind, handler, what);
        if let Told::Now { withheld } = told {
            let traceback = self.traceback(py, failure);
            // No session at all is nobody's session.
            let session_id = (!session.is_empty()).then_some(session);
            error!(target: "script", kind, handler, session_id, peer = source, withheld, %traceback, "script failed");
        }
    }

    /// Tells of what has been withheld for a second.
    pub(crate) fn report_withheld(&self) {
        report_withheld(&mut self.repeats.borrow_mut());
        report_withheld(&mut elsewhere());
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
                format!("\n{}", masked(lines.trim_end()))
            }
            // An exception that cannot even say what it is.
            Err(_) => failure
                .get_type(py)
                .qualname()
                .map_or_else(|_| "unknown".to_owned(), |name| name.to_string()),
        }
    }
}

/// A function of the script has returned what is of no use. Counts it, and says
/// whether it is to be told.
pub(crate) fn is_news(kind: &'static str, handler: &Label, reason: &str) -> bool {
    // What it is called for is done on the script's thread.
    current().is_ok_and(|host| {
        let mut repeats = host.repeats.borrow_mut();
        matches!(
            repeats.tell(kind, &handler.to_string(), reason),
            Told::Now { .. }
        )
    })
}

/// Something of the script has failed on whichever thread, that of an object that
/// is being ended say.
pub(crate) fn report_elsewhere(kind: &'static str, name: &str, traceback: &str) {
    let traceback = masked(traceback.trim_end());
    let last = traceback.lines().last().unwrap_or_default();
    let told = elsewhere().tell(kind, name, last);
    if let Told::Now { withheld } = told {
        let traceback = format!("\n{traceback}");
        error!(target: "script", kind, handler = name, withheld, %traceback, "script failed");
    }
}

fn elsewhere() -> std::sync::MutexGuard<'static, Repeats> {
    static ELSEWHERE: LazyLock<Mutex<Repeats>> = LazyLock::new(Mutex::default);
    ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report_withheld(repeats: &mut Repeats) {
    for again in repeats.overdue(Instant::now()) {
        warn!(
            target: "script",
            kind = again.kind,
            handler = again.handler,
            times = again.times,
            "script failed again, as before"
        );
    }
}

impl Repeats {
    /// Counts an error, and decides whether it is told.
    fn tell(&mut self, kind: &'static str, handler: &str, what: impl std::hash::Hash) -> Told {
        let label = self.counted(handler).to_owned();
        counter!("redrabbit_script_errors_total", "kind" => kind, "handler" => label).increment(1);
        let fingerprint = Fingerprint::of(&(kind, handler, what));
        self.decide(fingerprint, kind, handler, Instant::now())
    }
}

/// The line that has raised it; 0 if that is not known.
fn line_of(py: Python<'_>, failure: &PyErr) -> u32 {
    /// Deeper than Python lets functions call each other, unless it is told to.
    const DEEPEST: usize = 5_000;
    let Some(traceback) = failure.traceback(py) else {
        return 0;
    };
    let mut place = traceback.into_any();
    for _ in 0..DEEPEST {
        match place.getattr(intern!(py, "tb_next")) {
            Ok(next) if !next.is_none() => place = next,
            _ => break,
        }
    }
    place
        .getattr(intern!(py, "tb_lineno"))
        .and_then(|line| line.extract())
        .unwrap_or(0)
}

/// The kinds of what can fail, as metrics know them.
pub(crate) fn kind_named(name: &str) -> &'static str {
    match name {
        "bus" => "bus",
        "callback" => "callback",
        "future" => "future",
        "timer" => "timer",
        "task" => "task",
        "thread" => "thread",
        "hook" => "hook",
        "loop" => "loop",
        "unraisable" => "unraisable",
        _ => "other",
    }
}
