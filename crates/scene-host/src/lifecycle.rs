//! Loads of the script, and the end of its thread's work.

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use metrics::counter;
use pyo3::{prelude::*, types::PyCFunction};
use tracing::{error, info, warn};

use crate::{
    ReloadOutcome, SyntaxProblem,
    host::{Host, Phase, current},
};

/// Of the time that an end may take, how much the handlers have that are under
/// way, and those of the offlines that it raises.
const HANDLERS_SHARE: f64 = 0.6;

impl Host {
    /// Loads the script, or a module of it, anew.
    pub(crate) fn reload(&self, py: Python<'_>, module: Option<&str>) -> ReloadOutcome {
        let label = self.shared.activity.label("loading of the script");
        self.shared.activity.enter(&label);
        let loading = self.python.loading.bind(py);
        let context = &self.python.context;
        let result = context
            .run(py, || loading.call_method1("reload", (module,)))
            .and_then(|result| {
                Ok(ReloadOutcome {
                    ok: result.is_truthy()?,
                    module: result.getattr("module")?.extract()?,
                    version: result.getattr("version")?.extract()?,
                    hash: result.getattr("hash")?.extract()?,
                    kept: result.getattr("kept")?.extract()?,
                    text: result.str()?.to_string(),
                })
            });
        self.shared.activity.leave();
        result.unwrap_or_else(|error| {
            self.report(py, "loop", "reload", "", &error);
            let status = self.shared.status.borrow().clone();
            ReloadOutcome {
                ok: false,
                module: module.unwrap_or_default().to_owned(),
                version: status.version,
                hash: status.hash,
                kept: Vec::new(),
                text: format!("error: {error}"),
            }
        })
    }

    /// A load has succeeded.
    pub(crate) fn loaded(
        &self,
        module: &str,
        version: u32,
        script_hash: &str,
        hash: &str,
        kept: &[String],
    ) {
        counter!("redrabbit_script_loads_total", "outcome" => "ok").increment(1);
        if kept.is_empty() {
            info!(target: "script", module, version, hash, "script loaded");
        } else {
            let kept = kept.join(", ");
            warn!(target: "script", module, version, hash, kept, "script loaded, but for some of it");
        }
        self.shared.status.send_modify(|status| {
            status.version = version;
            script_hash.clone_into(&mut status.hash);
            status.loaded_at = Some(SystemTime::now());
            status.last_error = None;
        });
    }

    /// A load has failed; nothing has changed.
    pub(crate) fn load_failed(&self, module: &str, reason: &str, traceback: &str) {
        counter!("redrabbit_script_loads_total", "outcome" => "failed").increment(1);
        let traceback = traceback.trim_end();
        if traceback.is_empty() {
            error!(target: "script", module, reason, "script not loaded");
        } else {
            let traceback = format!("\n{traceback}");
            error!(target: "script", module, reason, %traceback, "script not loaded");
        }
        self.shared
            .status
            .send_modify(|status| status.last_error = Some(reason.to_owned()));
    }

    /// Compiles a source without running it.
    pub(crate) fn check(
        &self,
        py: Python<'_>,
        source: &str,
        file_name: &str,
    ) -> Result<(), SyntaxProblem> {
        let problem = self
            .python
            .host
            .bind(py)
            .call_method1("check", (source, file_name))
            .and_then(|problem| problem.extract::<Option<(i64, i64, String)>>());
        let at_least_one = |number: i64| u32::try_from(number).unwrap_or(1).max(1);
        match problem {
            Ok(None) => Ok(()),
            Ok(Some((line, column, message))) => Err(SyntaxProblem {
                line: at_least_one(line),
                column: at_least_one(column),
                message,
            }),
            Err(error) => Err(SyntaxProblem {
                line: 1,
                column: 1,
                message: error.to_string(),
            }),
        }
    }

    /// Nothing new is taken; every session is told that it is offline, and the
    /// loop ends when they have dealt with that, or after `grace`.
    pub(crate) fn begin_stop(self: &Rc<Self>, py: Python<'_>, grace: Duration) {
        if self.phase.replace(Phase::Stopping) != Phase::Running {
            return;
        }
        self.grace.set(grace);
        self.shared.inbox.close();
        let seats = self.sessions.borrow_mut().lose_all();
        info!(sessions = seats.len(), "scene stops");
        for seat in seats {
            self.run_jobs(py, seat);
        }
        let out_of_time = PyCFunction::new_closure(py, None, None, |arguments, _| {
            warn!("handlers are still under way at the end of the grace period");
            current()?.stop_loop(arguments.py());
            PyResult::Ok(())
        });
        let event_loop = self.python.create_task.bind(py).getattr("__self__");
        let scheduled = out_of_time.and_then(|stop| {
            event_loop?.call_method1(
                "call_later",
                (grace.mul_f64(HANDLERS_SHARE).as_secs_f64(), stop),
            )
        });
        if scheduled.is_err() {
            self.stop_loop(py);
        }
    }

    /// Ends the loop if that is wanted and nothing is under way any more.
    pub(crate) fn stop_when_idle(&self, py: Python<'_>) {
        if self.phase.get() == Phase::Stopping
            && self.sessions.borrow().is_idle()
            && self.backlog.borrow().is_empty()
        {
            self.stop_loop(py);
        }
    }

    fn stop_loop(&self, py: Python<'_>) {
        self.flush();
        if let Err(error) = self.python.host.bind(py).call_method0("stop") {
            self.report(py, "loop", "stop", "", &error);
        }
    }
}
