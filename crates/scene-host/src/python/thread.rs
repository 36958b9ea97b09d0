//! The script's thread, from its start to its end.

use std::{ffi::OsString, rc::Rc, sync::Arc, time::Duration};

use pyo3::{prelude::*, types::PyCFunction};
use tokio::sync::oneshot;
use tracing::{debug, error, warn};

use crate::{
    Event, HostConfig, ReloadOutcome, SceneError,
    database::forget_shapes,
    observe::watchdog::{StackWriter, Target, signal_number},
    python::embedded,
    python::interpreter::{self, Claim},
    python::venv::Venv,
    script::context::Context,
    script::host::{Callables, Host, Phase, Shared, current},
    script::steps::Steps,
    state::StateFolder,
};

/// What the thread is given.
pub(crate) struct ScriptThread {
    pub(crate) shared: Shared,
    pub(crate) config: HostConfig,
    pub(crate) venv: Option<Venv>,
    pub(crate) target: Arc<Target>,
    pub(crate) stack_writer: StackWriter,
}

/// The interpreter runs.
pub(crate) struct Started {
    /// Ends with the first load of the script.
    pub(crate) loaded: oneshot::Receiver<ReloadOutcome>,
}

/// Of the time that an end may take, how much the script's own tasks and threads
/// have once its handlers are done.
const TASKS_SHARE: f64 = 0.3;

/// Of that time, by when they have to be gone in any case.
const ALL_BUT_A_BREATH: f64 = 0.95;

impl ScriptThread {
    /// The thread's work.
    pub(crate) fn run(self, claim: Claim, started: oneshot::Sender<Result<Started, SceneError>>) {
        if let Err(error) = interpreter::initialize(claim, self.venv.is_none()) {
            let _ = started.send(Err(error));
            return;
        }
        let is_clean = Python::attach(|py| {
            let is_clean = match self.set_up(py) {
                Ok(host) => {
                    let _watched = self.target.watch_this_thread();
                    self.serve(py, &host, started)
                }
                Err(error) => {
                    let _ = started.send(Err(SceneError::Python(error.to_string())));
                    true
                }
            };
            Host::uninstall();
            self.close_databases(py);
            is_clean
        });
        // What the script has sent last is not held up by the interpreter's end.
        self.close();
        if is_clean {
            // SAFETY: this is the thread that has initialized the interpreter,
            // outside of the attachment above; the script's threads have ended.
            unsafe { interpreter::finalize() };
            debug!("python finalized");
        } else {
            warn!("python is not finalized: something of the script does not end");
        }
    }

    /// Nothing is taken any more, and nothing follows.
    fn close(&self) {
        self.shared.inbox.end();
        self.shared.outbox.close();
    }

    /// The script has ended, and asks them nothing any more.
    fn close_databases(&self, py: Python<'_>) {
        forget_shapes();
        let Shared {
            databases, runtime, ..
        } = &self.shared;
        py.detach(|| databases.clone().close(runtime));
    }

    fn set_up(&self, py: Python<'_>) -> PyResult<Rc<Host>> {
        if let Some(venv) = &self.venv {
            venv.activate(py)?;
        }
        embedded::install(py)?;
        // `ffext` asks on which thread it is as soon as it is imported.
        let host_module = py.import("ffext.host")?;
        let script = std::path::absolute(&self.config.script)?;
        let own_folder = script.parent().into_iter();
        let folders: Vec<OsString> = own_folder
            .map(ToOwned::to_owned)
            .chain(self.config.python_path.iter().cloned())
            .map(Into::into)
            .collect();
        let event_loop = host_module.call_method1(
            "prepare",
            (
                script.as_os_str(),
                folders,
                self.stack_writer.raw_fd(),
                signal_number(),
            ),
        )?;
        let flush =
            PyCFunction::new_closure(py, None, None, |_, _| current().map(|host| host.flush()))?;
        let python = Callables {
            host: host_module.unbind(),
            loading: py.import("ffext.loading")?.unbind(),
            format_exception: py
                .import("traceback")?
                .getattr("format_exception")?
                .unbind(),
            call_error: py.import("ffext.errors")?.getattr("CallError")?.unbind(),
            future: py.import("ffext.asks")?.getattr("Answer")?.unbind(),
            create_task: event_loop.getattr("create_task")?.unbind(),
            chores: py.import("ffext.tasks")?.getattr("chores")?.unbind(),
            steps: Steps::new(&event_loop)?,
            call_soon: event_loop.getattr("call_soon")?.unbind(),
            flush: flush.into_any().unbind(),
            context: Context::copy_current(py)?,
        };
        let (name, group) = (self.config.name.clone(), self.config.group.clone());
        let state = StateFolder::new(self.config.state_dir.as_deref(), &name);
        Ok(Host::new((name, group), self.shared.clone(), state, python).install())
    }

    /// Runs the event loop until the scene is stopped. Returns whether nothing of
    /// the script is left.
    fn serve(
        &self,
        py: Python<'_>,
        host: &Rc<Host>,
        started: oneshot::Sender<Result<Started, SceneError>>,
    ) -> bool {
        let (loaded_tx, loaded_rx) = oneshot::channel();
        let first_load = Event::Reload {
            module: None,
            outcome: loaded_tx,
        };
        if self.shared.inbox.push(first_load).is_err() {
            return true;
        }
        let _ = started.send(Ok(Started { loaded: loaded_rx }));
        match self.run_loop(py, host) {
            Ok(is_clean) => is_clean,
            Err(error) => {
                error!(%error, "event loop failed");
                false
            }
        }
    }

    fn run_loop(&self, py: Python<'_>, host: &Rc<Host>) -> PyResult<bool> {
        let module = host.python.host.bind(py);
        let wake = PyCFunction::new_closure(py, Some(c"wake"), None, |arguments, _| {
            current()?.wake(arguments.py());
            PyResult::Ok(())
        })?;
        module.call_method1("run", (self.shared.inbox.raw_fd(), wake))?;
        host.phase.set(Phase::Ended);
        // Nothing changes what the script has any more.
        self.shared.inbox.close();
        let elapsed = || {
            host.stopped_at
                .get()
                .map(|at| at.elapsed())
                .unwrap_or_default()
        };
        host.take_snapshot(py, elapsed());
        // A snapshot may have taken some of it.
        let left = host
            .grace
            .get()
            .mul_f64(ALL_BUT_A_BREATH)
            .saturating_sub(elapsed());
        let limit = host
            .grace
            .get()
            .mul_f64(TASKS_SHARE)
            .min(left)
            .max(Duration::from_millis(100));
        module
            .call_method1("shutdown", (limit.as_secs_f64(),))?
            .extract()
    }
}

/// Whoever waits for the thread is told when it ends, also if it fails.
impl Drop for ScriptThread {
    fn drop(&mut self) {
        self.close();
    }
}
