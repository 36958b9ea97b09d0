//! When a script's state is taken, and when it is given back.
//!
//! It is taken when the scene's loop has ended: nothing changes it any more. It is
//! given back when the first script of the next process has loaded, before anything
//! else is done: what arrives meanwhile is held.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use metrics::counter;
use pyo3::{prelude::*, types::PyBytes};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::Snapshot;
use crate::{
    Event, ReloadOutcome,
    script::host::{Host, Phase},
    script::jobs::{Owed, Work},
};

/// The files: what the next process begins with, what it has begun with, and what
/// could not be used.
const NEXT: &str = "snapshot";
const RESTORED: &str = "snapshot.restored";
const FAILED: &str = "snapshot.failed";

/// Of the time that an end may take, by when a snapshot is to be made, and what it
/// has at least.
const BY: f64 = 0.7;
const AT_LEAST: f64 = 0.2;

/// How far the return of the state has come.
#[derive(Debug, Default)]
pub(crate) struct Restoring {
    /// Whether a script has loaded: what happens then happens once.
    has_loaded: Cell<bool>,
    /// Whether the script is at it.
    is_under_way: Cell<bool>,
    /// What has arrived meanwhile.
    held: RefCell<VecDeque<Event>>,
}

/// Who waits for the first load.
pub(crate) struct Loaded {
    outcome: ReloadOutcome,
    told: Option<oneshot::Sender<ReloadOutcome>>,
}

impl Loaded {
    fn tell(self) {
        if let Some(told) = self.told {
            // Whoever asked may have stopped waiting.
            let _ = told.send(self.outcome);
        }
    }
}

impl Host {
    /// A load has ended. The first that is good gives the script its state back,
    /// and who has asked for it hears of it then.
    pub(crate) fn after_load(
        self: &Rc<Self>,
        py: Python<'_>,
        outcome: ReloadOutcome,
        told: Option<oneshot::Sender<ReloadOutcome>>,
    ) {
        let is_first = outcome.ok && !self.restoring.has_loaded.replace(true);
        let loaded = Loaded { outcome, told };
        match is_first.then(|| self.find()).flatten() {
            Some(snapshot) => self.restore(py, &snapshot, loaded),
            None => loaded.tell(),
        }
    }

    /// What an earlier process has left for this one.
    fn find(&self) -> Option<Snapshot> {
        let content = match self.state.read(NEXT) {
            Ok(content) => content?,
            Err(error) => {
                self.set_aside(&error);
                return None;
            }
        };
        Snapshot::read(&content)
            .inspect_err(|error| self.set_aside(error))
            .ok()
    }

    fn restore(self: &Rc<Self>, py: Python<'_>, snapshot: &Snapshot, loaded: Loaded) {
        let restorer = py
            .import("ffext.snapshots")
            .and_then(|module| module.call_method0("restorer"))
            .and_then(|found| found.extract::<Option<(Py<PyAny>, String)>>());
        let (restorer, name) = match restorer {
            Ok(Some(found)) => found,
            Ok(None) => {
                warn!(
                    file = %self.file(NEXT),
                    "a snapshot is there, and the script has no ffext.restore for it: it is left"
                );
                return loaded.tell();
            }
            Err(error) => {
                self.report(py, "restore", "ffext.restore", "", &error);
                return loaded.tell();
            }
        };
        let label = self.shared.activity.label(&name);
        self.restoring.is_under_way.set(true);
        let work = Work {
            label: label.clone(),
            owed: Owed::Restored(Box::new(loaded)),
        };
        let deadline = Instant::now() + self.times.handler_timeout();
        self.python.context.run_in_copy(py, || {
            self.shared.activity.enter(&label);
            let value = PyBytes::new(py, &snapshot.value);
            let head = &snapshot.head;
            let result = restorer.bind(py).call1((&head.kind, value, head.version));
            self.shared.activity.leave();
            self.follow(py, result, deadline, work);
        });
    }

    /// The script has taken its state back, or has failed to.
    pub(crate) fn restored(&self, loaded: Loaded, is_good: bool) {
        if !is_good && self.phase.get() == Phase::Ended {
            // It was not let finish: the next process begins with it.
            return;
        }
        if is_good {
            counter!("redrabbit_snapshots_total", "outcome" => "restored").increment(1);
            match self.state.rename(NEXT, RESTORED) {
                Ok(()) => info!(file = %self.file(RESTORED), "state restored"),
                // It would be used once more, when the world has moved on.
                Err(error) => error!(
                    file = %self.file(NEXT),
                    %error,
                    "state restored, but its snapshot cannot be put aside: remove it"
                ),
            }
        } else {
            self.set_aside(&"the script has failed to restore it");
        }
        loaded.tell();
        self.restoring.is_under_way.set(false);
        let mut held = self.restoring.held.take();
        let mut backlog = self.backlog.borrow_mut();
        held.append(&mut backlog);
        *backlog = held;
        self.shared.inbox.wake();
    }

    /// Leaves what has arrived for when the script has its state again: all but
    /// what it waits for to have it, and the end.
    pub(crate) fn hold_back(&self) {
        if !self.restoring.is_under_way.get() {
            return;
        }
        let mut backlog = self.backlog.borrow_mut();
        let (now, later): (VecDeque<_>, VecDeque<_>) = backlog
            .drain(..)
            .partition(|event| matches!(event, Event::Answer { .. } | Event::Stop { .. }));
        *backlog = now;
        self.restoring.held.borrow_mut().extend(later);
    }

    /// Takes the script's state, at the end, and writes it down for the next
    /// process. `elapsed` of the time for the end is over.
    pub(crate) fn take_snapshot(&self, py: Python<'_>, elapsed: Duration) {
        if !self.restoring.has_loaded.get() {
            return;
        }
        if self.restoring.is_under_way.get() {
            warn!("no snapshot is taken: the one before was not restored yet, and stays");
            return;
        }
        let grace = self.grace.get();
        let limit = grace.mul_f64(BY).saturating_sub(elapsed);
        let limit = limit.max(grace.mul_f64(AT_LEAST));
        let context = &self.python.context;
        let taken = context.run(py, || {
            let host = self.python.host.bind(py);
            host.call_method1("snapshot", (limit.as_secs_f64(),))?
                .extract::<Option<(String, Vec<u8>, Option<i64>)>>()
        });
        let failed = || counter!("redrabbit_snapshots_total", "outcome" => "failed").increment(1);
        let (kind, value, version) = match taken {
            Ok(Some(taken)) => taken,
            Ok(None) => return,
            Err(error) => {
                failed();
                error!("no snapshot is written: the script has failed to make one");
                return self.report(py, "snapshot", "ffext.snapshot", "", &error);
            }
        };
        let script = self.shared.status.borrow().hash.clone();
        let snapshot = Snapshot::new(kind, version, script, value);
        let file = self.file(NEXT);
        match self
            .state
            .replace(NEXT, &[&snapshot.preamble(), &snapshot.value])
        {
            Ok(()) => {
                counter!("redrabbit_snapshots_total", "outcome" => "written").increment(1);
                info!(file, bytes = snapshot.value.len(), "snapshot written");
            }
            Err(error) => {
                failed();
                error!(file, %error, "snapshot not written: the next process begins without");
            }
        }
    }

    fn set_aside(&self, reason: &dyn std::fmt::Display) {
        counter!("redrabbit_snapshots_total", "outcome" => "unused").increment(1);
        let kept = match self.state.rename(NEXT, FAILED) {
            Ok(()) => self.file(FAILED),
            Err(_) => self.file(NEXT),
        };
        error!(file = kept, %reason, "snapshot not used: the scene begins without");
    }

    fn file(&self, name: &str) -> String {
        let folder = self.state.path().map(|folder| folder.join(name));
        folder.map_or_else(String::new, |file| file.display().to_string())
    }
}
