//! A session's turns: its enter, its frames, its leave or offline, one at a time.

use std::{rc::Rc, time::Instant};

use bytes::Bytes;
use metrics::counter;
use protocol::{Login, NodeId, SessionId};
use pyo3::{
    call::PyCallArgs,
    prelude::*,
    types::{PyBytes, PyCFunction, PyString},
};
use session::scene::{Arrived, Complaint, Job, SeatId};
use tracing::{debug, warn};

use crate::{
    script::handlers::{Callback, Handler},
    script::host::{Host, Phase, current},
    script::jobs::{Owed, Work, is_coroutine},
    script::leaves::read_extra,
    script::steps::Outcome,
};

/// How a turn has gone.
enum Turn {
    /// It waits for something.
    Waits,
    /// It is done; a leave may have said what goes along.
    Done(Option<Bytes>),
}

impl Host {
    pub(crate) fn run_all_jobs(self: &Rc<Self>, py: Python<'_>, seats: Vec<SeatId>) {
        for seat in seats {
            self.run_jobs(py, seat);
        }
    }

    /// A frame has come. If nothing is before it, its turn is now.
    pub(crate) fn frame(
        self: &Rc<Self>,
        py: Python<'_>,
        (gate, login): (NodeId, Login),
        cmd: u16,
        body: Bytes,
    ) {
        let (held, name, body) = {
            let mut sessions = self.sessions.borrow_mut();
            match sessions.begin_frame(gate, login, cmd, body) {
                Arrived::Begun { held, name, body } => (held, name.clone_ref(py), body),
                Arrived::Waits(seat) => {
                    drop(sessions);
                    return self.run_jobs(py, seat);
                }
                Arrived::Stale => {
                    counter!("redrabbit_stale_frames_total").increment(1);
                    debug!(peer_id = %gate, %login, "frame of a session that is not here");
                    return;
                }
            }
        };
        let (seat, sender) = (held.seat, (gate, login, held.holding));
        self.turn.set(Some((name.as_ptr().addr(), held)));
        let before = self.speaking.replace(Some(seat));
        let is_done = self
            .python
            .context
            .run_in_copy(py, || self.run_frame(py, seat, &name, sender, cmd, &body));
        self.turn.set(None);
        self.speaking.set(before);
        if is_done {
            let has_more = self.sessions.borrow_mut().end_frame(seat);
            if has_more {
                self.run_jobs(py, seat);
            }
        }
    }

    /// Does what a session waits for, until something has to wait itself.
    pub(crate) fn run_jobs(self: &Rc<Self>, py: Python<'_>, seat: SeatId) {
        while self.phase.get() != Phase::Ended {
            let (job, session, name) = {
                let mut sessions = self.sessions.borrow_mut();
                let Some((job, session, name)) = sessions.begin(seat) else {
                    return;
                };
                (job, session.clone(), name.clone_ref(py))
            };
            let before = self.speaking.replace(Some(seat));
            let turn = self.python.context.run_in_copy(py, || match job {
                Job::Frame {
                    gate,
                    login,
                    holding,
                    cmd,
                    body,
                } => {
                    let sender = (gate, login, holding);
                    if self.run_frame(py, seat, &name, sender, cmd, &body) {
                        Turn::Done(None)
                    } else {
                        Turn::Waits
                    }
                }
                Job::Enter {
                    from_scene,
                    extra_data,
                } => {
                    let extra_data = PyBytes::new(py, &extra_data);
                    let arguments = (&name, from_scene, extra_data);
                    self.run_callback(py, seat, session, Callback::Enter, arguments)
                }
                Job::Leave {
                    to_scene,
                    extra_data,
                    ..
                } => {
                    let extra_data = PyBytes::new(py, &extra_data);
                    let arguments = (&name, to_scene, extra_data);
                    self.run_callback(py, seat, session, Callback::Leave, arguments)
                }
                Job::Offline { online_time, .. } => {
                    let arguments = (&name, online_time);
                    self.run_callback(py, seat, session, Callback::Offline, arguments)
                }
            });
            self.speaking.set(before);
            let Turn::Done(extra_data) = turn else {
                return;
            };
            self.sessions.borrow_mut().end_with(seat, extra_data);
        }
    }

    /// A job that had to wait is done.
    pub(crate) fn end_job(
        self: &Rc<Self>,
        py: Python<'_>,
        seat: SeatId,
        extra_data: Option<Bytes>,
    ) {
        self.sessions.borrow_mut().end_with(seat, extra_data);
        self.run_jobs(py, seat);
        self.owe_news(py);
        self.stop_when_idle(py);
    }

    /// Ends a job when the tasks that were made so far have begun. Returns false
    /// if there is no such time.
    fn end_job_soon(&self, py: Python<'_>, seat: SeatId) -> bool {
        let end = PyCFunction::new_closure(py, None, None, move |arguments, _| {
            current()?.end_job(arguments.py(), seat, None);
            PyResult::Ok(())
        });
        end.and_then(|end| self.python.call_soon.bind(py).call1((end,)))
            .is_ok()
    }

    fn run_callback<'py>(
        self: &Rc<Self>,
        py: Python<'py>,
        seat: SeatId,
        session: SessionId,
        callback: Callback,
        arguments: impl PyCallArgs<'py>,
    ) -> Turn {
        let Some(handler) = self.handlers.borrow().callback(callback) else {
            return Turn::Done(None);
        };
        let result = self.call(py, &handler, arguments);
        match self.follow_up(py, result, &handler.label) {
            Outcome::Done(Ok(value)) if callback == Callback::Leave => {
                Turn::Done(read_extra(&handler.label, &value))
            }
            Outcome::Done(Ok(_)) => Turn::Done(None),
            Outcome::Done(Err(error)) => {
                let label = handler.label.to_string();
                self.report(py, callback.as_str(), &label, session.as_str(), &error);
                Turn::Done(None)
            }
            Outcome::Goes(task) | Outcome::Follows(task) => {
                let work = Work {
                    label: handler.label.clone(),
                    owed: Owed::Turn {
                        session,
                        seat,
                        callback,
                    },
                };
                let deadline = Instant::now() + self.times.handler_timeout();
                self.wait_for(&task, deadline, work);
                Turn::Waits
            }
        }
    }

    /// Returns whether the session's next job may begin.
    #[allow(clippy::too_many_arguments, reason = "the parts of one job")]
    fn run_frame(
        self: &Rc<Self>,
        py: Python<'_>,
        seat: SeatId,
        name: &Py<PyString>,
        (gate, login, holding): (NodeId, Login, u32),
        cmd: u16,
        body: &Bytes,
    ) -> bool {
        let handled = self.handle(py, seat, name, cmd, body);
        let Some((handler, outcome)) = handled else {
            self.sessions.borrow_mut().finish(gate, login, holding);
            return true;
        };
        let (task, has_begun) = match outcome {
            Outcome::Goes(task) => (task, true),
            Outcome::Follows(task) => (task, false),
            Outcome::Done(result) => {
                self.sessions.borrow_mut().finish(gate, login, holding);
                if let Err(error) = result {
                    let label = handler.label.to_string();
                    let session = text(py, name);
                    self.report(py, "call", &label, session, &error);
                }
                return true;
            }
        };
        // It is there: its job is under way.
        let session = self.sessions.borrow().session(seat).cloned();
        let Some(session) = session else {
            self.sessions.borrow_mut().finish(gate, login, holding);
            return true;
        };
        let work = Work {
            label: handler.label.clone(),
            owed: Owed::Frame {
                session,
                seat: (!handler.concurrent).then_some(seat),
                gate,
                login,
                holding,
            },
        };
        if handler.concurrent {
            self.sessions.borrow_mut().detach(login, holding);
        }
        let deadline = Instant::now() + self.times.handler_timeout();
        self.wait_for(&task, deadline, work);
        // The session's next frame may begin, but not before this one has begun.
        handler.concurrent && (has_begun || !self.end_job_soon(py, seat))
    }

    /// Gives a frame to its handler. Returns what has become of that, if it has one.
    fn handle<'py>(
        self: &Rc<Self>,
        py: Python<'py>,
        seat: SeatId,
        name: &Py<PyString>,
        cmd: u16,
        body: &Bytes,
    ) -> Option<(Rc<Handler>, Outcome<'py>)> {
        let Some(handler) = self.handlers.borrow().call(cmd) else {
            counter!("redrabbit_unknown_cmds_total").increment(1);
            if self.is_new_complaint(seat, Complaint::UnknownCmd) {
                let session_id = text(py, name);
                warn!(target: "script", session_id, cmd, "no handler for the cmd of a frame");
            }
            return None;
        };
        let value = match handler.body.read(py, body, &self.keys) {
            Ok(value) => value,
            Err(error) => {
                counter!("redrabbit_bad_bodies_total").increment(1);
                if self.is_new_complaint(seat, Complaint::BadBody) {
                    let session_id = text(py, name);
                    warn!(target: "script", session_id, cmd, error, "frame cannot be read");
                }
                return None;
            }
        };
        let result = self.call(py, &handler, (name, value));
        let outcome = self.follow_up(py, result, &handler.label);
        Some((handler, outcome))
    }

    fn is_new_complaint(&self, seat: SeatId, complaint: Complaint) -> bool {
        self.sessions.borrow_mut().complain(seat, complaint)
    }

    /// Calls a function of the script, under the watchdog's eyes. What it has
    /// returned is to be [followed up](Host::follow_up).
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
        handler: &Handler,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.begin_step();
        handler.label.meter.called();
        self.shared.activity.enter(&handler.label);
        let result = handler.function.bind(py).call1(arguments);
        self.shared.activity.leave();
        result
    }
}

/// A session's id, as the script has it.
fn text<'a>(py: Python<'_>, name: &'a Py<PyString>) -> &'a str {
    // It was made of a text.
    name.to_str(py).unwrap_or_default()
}

/// Whether what a function has returned is to be awaited.
pub(crate) fn is_awaitable(value: &Bound<'_, PyAny>) -> bool {
    !value.is_none()
        && (is_coroutine(value) || value.get_type().hasattr("__await__").unwrap_or(false))
}
