//! Coroutines of the script that the host waits for.
//!
//! A function that returns something to be awaited, and that has not ended with its
//! first step, goes on as a task of the event loop. It has a ticket until it ends,
//! or until its time is over: then it is cancelled, and what waits behind it goes
//! on whether it obeys or not.

use std::{rc::Rc, time::Instant};

use metrics::counter;
use protocol::{Login, NodeId, SessionId};
use pyo3::{intern, prelude::*};
use session::scene::SeatId;
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::{
    Verdict,
    observe::activity::Label,
    observe::report::is_news,
    script::handlers::Callback,
    script::host::{Host, current},
    script::leaves::read_extra,
    script::services::Reply,
    script::verdict::verdict as make_verdict,
    state::snapshot::Loaded,
};

/// A coroutine that the host waits for; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

/// What a task calls when it has ended.
#[pyclass(module = "ffext", frozen)]
struct Ended(Ticket);

/// A coroutine that the host waits for.
pub(crate) struct Pending {
    task: Py<PyAny>,
    deadline: Instant,
    work: Work,
}

/// What the script does, and what is owed when it is done.
pub(crate) struct Work {
    pub(crate) label: Label,
    pub(crate) owed: Owed,
}

/// What is owed to others when the script is done with something.
pub(crate) enum Owed {
    /// The gate wants its verdict.
    Verdict(oneshot::Sender<Verdict>),
    /// The session's next job waits.
    Turn {
        session: SessionId,
        seat: SeatId,
        callback: Callback,
    },
    /// The gate counts the frame as under way; and the session's next job waits,
    /// unless the handler is concurrent.
    Frame {
        session: SessionId,
        seat: Option<SeatId>,
        gate: NodeId,
        login: Login,
        holding: u32,
    },
    /// Another node waits for its answer.
    Reply(Reply),
    /// Whatever has arrived waits until the script has its state again.
    Restored(Box<Loaded>),
}

impl Pending {
    /// Whose this task is, if it is this one.
    pub(super) fn session_of(&self, task: &Bound<'_, PyAny>) -> Option<&str> {
        self.task.is(task).then(|| self.work.owed.session())
    }
}

#[pymethods]
impl Ended {
    fn __call__(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        current()?.task_ended(self.0, task);
        Ok(())
    }
}

impl Owed {
    /// As logs and metrics say it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Owed::Verdict(_) => "verify",
            Owed::Turn { callback, .. } => callback.as_str(),
            Owed::Frame { .. } => "call",
            Owed::Reply(_) => "service",
            Owed::Restored(_) => "restore",
        }
    }

    /// Whose it is.
    pub(crate) fn session(&self) -> &str {
        match self {
            Owed::Verdict(_) | Owed::Reply(_) | Owed::Restored(_) => "",
            Owed::Turn { session, .. } | Owed::Frame { session, .. } => session.as_str(),
        }
    }
}

impl Host {
    /// Waits for a task. What is owed is paid when it ends.
    pub(crate) fn wait_for(
        self: &Rc<Self>,
        task: &Bound<'_, PyAny>,
        deadline: Instant,
        work: Work,
    ) {
        let py = task.py();
        let ticket = Ticket(self.next_ticket.get());
        self.next_ticket.set(ticket.0 + 1);
        let told = Py::new(py, Ended(ticket))
            .and_then(|ended| task.call_method1(intern!(py, "add_done_callback"), (ended,)));
        if let Err(error) = told {
            self.settle(py, work, Err(error));
            return;
        }
        self.deadlines.borrow_mut().insert((deadline, ticket));
        let task = task.clone().unbind();
        self.pending.borrow_mut().insert(
            ticket,
            Pending {
                task,
                deadline,
                work,
            },
        );
    }

    /// A task has ended, in time or not.
    fn task_ended(self: &Rc<Self>, ticket: Ticket, task: &Bound<'_, PyAny>) {
        let py = task.py();
        // Asking a cancelled one raises; and asking marks errors as seen.
        let result = task.call_method0("result");
        let Some(pending) = self.pending.borrow_mut().remove(&ticket) else {
            return;
        };
        self.deadlines
            .borrow_mut()
            .remove(&(pending.deadline, ticket));
        self.settle(py, pending.work, result);
    }

    /// Ends the wait for every task whose time is over.
    pub(crate) fn expire(self: &Rc<Self>, py: Python<'_>) {
        let now = Instant::now();
        loop {
            let Some(ticket) = self.take_expired(now) else {
                return;
            };
            let Some(Pending { task, work, .. }) = self.pending.borrow_mut().remove(&ticket) else {
                continue;
            };
            let kind = work.owed.kind();
            counter!("redrabbit_handler_timeouts_total", "kind" => kind).increment(1);
            // A caller may give as little time as it likes, and as often.
            if is_news(kind, &work.label, "time limit") {
                error!(
                    target: "script",
                    kind,
                    handler = %work.label,
                    session_id = work.owed.session(),
                    stack = %stack_of(task.bind(py)),
                    "handler cancelled after its time limit"
                );
            }
            if let Err(error) = task.call_method0(py, "cancel") {
                warn!(target: "script", %error, "handler cannot be cancelled");
            }
            self.pay(py, work, None);
        }
    }

    fn take_expired(&self, now: Instant) -> Option<Ticket> {
        let mut deadlines = self.deadlines.borrow_mut();
        let first = deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        let ticket = first.1;
        deadlines.pop_first();
        Some(ticket)
    }

    /// The script has done its work, well or not.
    pub(crate) fn settle(
        self: &Rc<Self>,
        py: Python<'_>,
        work: Work,
        result: PyResult<Bound<'_, PyAny>>,
    ) {
        match result {
            Ok(value) => self.pay(py, work, Some(&value)),
            Err(error) => {
                if let Owed::Reply(reply) = work.owed {
                    return self.refuse(py, &work.label, reply, &error);
                }
                self.report(
                    py,
                    work.owed.kind(),
                    &work.label.to_string(),
                    work.owed.session(),
                    &error,
                );
                self.pay(py, work, None);
            }
        }
    }

    /// Pays what is owed; `value` is what the script returned, if it did.
    fn pay(self: &Rc<Self>, py: Python<'_>, work: Work, value: Option<&Bound<'_, PyAny>>) {
        match work.owed {
            Owed::Verdict(verdict) => {
                let made = make_verdict(&work.label, value);
                // The gate may have stopped waiting.
                let _ = verdict.send(made);
            }
            Owed::Reply(reply) => self.reply(py, &work.label, reply, value),
            Owed::Restored(loaded) => self.restored(*loaded, value.is_some()),
            Owed::Turn { seat, callback, .. } => {
                let extra_data = value
                    .filter(|_| callback == Callback::Leave)
                    .and_then(|value| read_extra(&work.label, value));
                self.end_job(py, seat, extra_data);
            }
            Owed::Frame {
                seat: Some(seat),
                gate,
                login,
                holding,
                ..
            } => {
                self.sessions.borrow_mut().finish(gate, login, holding);
                self.end_job(py, seat, None);
            }
            Owed::Frame {
                seat: None,
                gate,
                login,
                holding,
                ..
            } => {
                let waiting = {
                    let mut sessions = self.sessions.borrow_mut();
                    sessions.finish_detached(gate, login, holding)
                };
                if let Some(seat) = waiting {
                    self.run_jobs(py, seat);
                }
                self.owe_news(py);
                self.stop_when_idle(py);
            }
        }
    }
}

/// Whether `value` is what an `async def` function returns.
pub(crate) fn is_coroutine(value: &Bound<'_, PyAny>) -> bool {
    // SAFETY: looks at the type of a live object.
    unsafe { pyo3::ffi::PyCoro_CheckExact(value.as_ptr()) != 0 }
}

/// Where a task waits, in a few lines.
fn stack_of(task: &Bound<'_, PyAny>) -> String {
    let frames = || -> PyResult<String> {
        let mut lines = Vec::new();
        for frame in task.call_method0("get_stack")?.try_iter()? {
            let frame = frame?;
            let code = frame.getattr("f_code")?;
            lines.push(format!(
                "{}:{} in {}",
                code.getattr("co_filename")?,
                frame.getattr("f_lineno")?,
                code.getattr("co_name")?
            ));
        }
        Ok(lines.join("\n"))
    };
    frames().unwrap_or_default()
}
