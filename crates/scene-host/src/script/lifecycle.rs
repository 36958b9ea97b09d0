//! Loads of the script, and the end of its thread's work.

use std::{
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use metrics::counter;
use protocol::NodeName;
use pyo3::{prelude::*, types::PyCFunction};
use session::scene::Held;
use tracing::{error, info, warn};

use crate::{
    Action, ReloadOutcome, SyntaxProblem,
    observe::masked::masked,
    script::host::{Host, Phase, current},
};

/// Of the time that an end may take, by when every session shall have left.
const LEAVES_SHARE: f64 = 0.45;

/// By when the handlers shall be done that are under way, and the offlines of
/// those who have not left.
const HANDLERS_SHARE: f64 = 0.65;

impl Host {
    /// Loads the script with all that has changed, or one module of it, anew.
    pub(crate) fn reload(&self, py: Python<'_>, module: Option<&str>) -> ReloadOutcome {
        let loaded = self.load(py, module, |loading| {
            loading.call_method1("reload", (module,))
        });
        loaded.unwrap_or_else(|| self.not_loaded(module, "nothing was loaded"))
    }

    /// Loads the script if something of it has changed.
    pub(crate) fn load_changed(&self, py: Python<'_>) -> Option<ReloadOutcome> {
        self.load(py, None, |loading| loading.call_method0("reload_changed"))
    }

    /// `None` if there was nothing to load.
    fn load(
        &self,
        py: Python<'_>,
        module: Option<&str>,
        load: impl for<'py> FnOnce(&Bound<'py, PyModule>) -> PyResult<Bound<'py, PyAny>>,
    ) -> Option<ReloadOutcome> {
        let label = self.shared.activity.label("loading of the script");
        self.shared.activity.enter(&label);
        let loading = self.python.loading.bind(py);
        let result = self.python.context.run(py, || load(loading));
        self.callers.forget();
        self.shared.activity.leave();
        let outcome = result.and_then(|result| {
            if result.is_none() {
                return Ok(None);
            }
            Ok(Some(ReloadOutcome {
                ok: result.is_truthy()?,
                module: result.getattr("module")?.extract()?,
                version: result.getattr("version")?.extract()?,
                hash: result.getattr("hash")?.extract()?,
                kept: result.getattr("kept")?.extract()?,
                text: masked(&result.str()?.to_string()).into_owned(),
            }))
        });
        outcome.unwrap_or_else(|error| {
            self.report(py, "loop", "reload", "", &error);
            Some(self.not_loaded(module, &error.to_string()))
        })
    }

    fn not_loaded(&self, module: Option<&str>, reason: &str) -> ReloadOutcome {
        let status = self.shared.status.borrow().clone();
        ReloadOutcome {
            ok: false,
            module: module.unwrap_or_default().to_owned(),
            version: status.version,
            hash: status.hash,
            kept: Vec::new(),
            text: format!("error: {reason}"),
        }
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
        let (reason, traceback) = (&*masked(reason), &*masked(traceback.trim_end()));
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

    /// Nobody is let in any more, and every session is handed over: to another
    /// scene, or to its gate, which holds it for this one's return. The loop ends
    /// when all have left. Those who have not within a part of `grace` are told to
    /// be offline, and the loop ends when they have dealt with that, or soon.
    pub(crate) fn begin_stop(
        self: &Rc<Self>,
        py: Python<'_>,
        grace: Duration,
        to_scene: Option<NodeName>,
    ) {
        if self.phase.get() != Phase::Running {
            return;
        }
        self.phase.set(Phase::Stopping);
        self.grace.set(grace);
        self.stopped_at.set(Some(Instant::now()));
        self.shared.inbox.refuse_clients();
        self.heir.replace(to_scene);
        let all = self.sessions.borrow_mut().ask_all();
        info!(
            sessions = all.len(),
            to_scene = self.heir_name(),
            "scene stops"
        );
        for held in all {
            self.ask_to_change(py, held);
        }
        let scheduled = self
            .call_later(py, grace.mul_f64(LEAVES_SHARE), Self::give_up_leaves)
            .and_then(|()| {
                self.call_later(py, grace.mul_f64(HANDLERS_SHARE), |host, py| {
                    if host.phase.get() == Phase::Ended {
                        return;
                    }
                    warn!("handlers are still under way at the end of the grace period");
                    host.stop_loop(py);
                })
            });
        if scheduled.is_err() {
            self.stop_loop(py);
        }
    }

    /// Hands a session over, at the end of the scene.
    pub(crate) fn hand_on(&self, py: Python<'_>, session: &str) {
        let held = self.sessions.borrow_mut().ask(session);
        if let Some(held) = held {
            self.ask_to_change(py, held);
        }
    }

    fn ask_to_change(&self, py: Python<'_>, held: Held) {
        let change = Action::Change {
            gate: held.gate,
            login: held.login,
            holding: held.holding,
            to_scene: self.heir_name(),
            extra_data: Bytes::new(),
        };
        // One for each session, so that they are not refused.
        let length = change.message_bytes().unwrap_or(0);
        self.shared.outbox.charge(length);
        self.act(py, change);
    }

    /// Where sessions go at the end.
    fn heir_name(&self) -> String {
        let heir = self.heir.borrow();
        heir.as_ref().unwrap_or(&self.name).to_string()
    }

    /// Whoever has not left by now is told to be offline.
    fn give_up_leaves(self: &Rc<Self>, py: Python<'_>) {
        if self.phase.get() != Phase::Stopping {
            return;
        }
        self.phase.set(Phase::Ending);
        self.shared.inbox.close();
        let seats = self.sessions.borrow_mut().abandon_all();
        if !seats.is_empty() {
            let sessions = seats.len();
            warn!(sessions, "sessions have not left in time, and are offline");
        }
        self.run_all_jobs(py, seats);
        self.owe_news(py);
        self.stop_when_idle(py);
    }

    fn call_later(
        &self,
        py: Python<'_>,
        delay: Duration,
        what: fn(&Rc<Self>, Python<'_>),
    ) -> PyResult<()> {
        let call = PyCFunction::new_closure(py, None, None, move |arguments, _| {
            what(&current()?, arguments.py());
            PyResult::Ok(())
        })?;
        let event_loop = self.python.create_task.bind(py).getattr("__self__")?;
        event_loop.call_method1("call_later", (delay.as_secs_f64(), call))?;
        Ok(())
    }

    /// Ends the loop if that is wanted and nothing is under way any more.
    pub(crate) fn stop_when_idle(&self, py: Python<'_>) {
        if matches!(self.phase.get(), Phase::Stopping | Phase::Ending)
            && self.sessions.borrow().is_idle()
            && !self.is_serving()
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
