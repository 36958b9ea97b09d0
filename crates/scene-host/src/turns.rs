//! A session's turns: its enter, its frames, its leave or offline, one at a time.

use std::{rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use metrics::counter;
use protocol::{Login, NodeId, SessionId};
use pyo3::{
    call::PyCallArgs,
    prelude::*,
    types::{PyBytes, PyCFunction, PyString},
};
use session::scene::{Complaint, Job, SeatId};
use tracing::warn;

use crate::{
    handlers::{Callback, Handler},
    host::{Host, Phase, current},
    jobs::{Owed, Work, is_coroutine},
    json,
    leaves::read_extra,
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
            let turn = self.python.context.run_in_copy(py, || match job {
                Job::Frame {
                    gate,
                    login,
                    holding,
                    cmd,
                    body,
                } => {
                    let sender = (gate, login, holding);
                    if self.run_frame(py, seat, session, &name, sender, cmd, &body) {
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
        let value = match self.call(py, &handler, arguments) {
            Ok(value) => value,
            Err(error) => {
                let label = handler.label.to_string();
                self.report(py, callback.as_str(), &label, session.as_str(), &error);
                return Turn::Done(None);
            }
        };
        if is_awaitable(&value) {
            let work = Work {
                label: handler.label.clone(),
                owed: Owed::Turn {
                    session,
                    seat,
                    callback,
                },
            };
            let deadline = Instant::now() + self.limits.handler_timeout;
            self.wait_for(&value, deadline, work);
            return Turn::Waits;
        }
        let is_leave = callback == Callback::Leave;
        Turn::Done(if is_leave {
            read_extra(&handler.label, &value)
        } else {
            None
        })
    }

    /// Returns whether the session's next job may begin.
    #[allow(clippy::too_many_arguments, reason = "the parts of one job")]
    fn run_frame(
        self: &Rc<Self>,
        py: Python<'_>,
        seat: SeatId,
        session: SessionId,
        name: &Py<PyString>,
        (gate, login, holding): (NodeId, Login, u32),
        cmd: u16,
        body: &Bytes,
    ) -> bool {
        let handled = self.handle(py, seat, &session, name, cmd, body);
        let Some((handler, awaitable)) = handled else {
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
        let deadline = Instant::now() + self.limits.handler_timeout;
        self.wait_for(&awaitable, deadline, work);
        // The session's next frame may begin, but not before this one has begun.
        handler.concurrent && !self.end_job_soon(py, seat)
    }

    /// Gives a frame to its handler. Returns what there is to wait for, if there
    /// is something.
    fn handle<'py>(
        self: &Rc<Self>,
        py: Python<'py>,
        seat: SeatId,
        session: &SessionId,
        name: &Py<PyString>,
        cmd: u16,
        body: &Bytes,
    ) -> Option<(Arc<Handler>, Bound<'py, PyAny>)> {
        let Some(handler) = self.handlers.borrow().call(cmd) else {
            counter!("redrabbit_unknown_cmds_total").increment(1);
            if self.is_new_complaint(seat, Complaint::UnknownCmd) {
                warn!(target: "script", %session, cmd, "no handler for the cmd of a frame");
            }
            return None;
        };
        let value = if handler.raw {
            PyBytes::new(py, body).into_any()
        } else {
            let decoded = json::decode(py, body, &mut self.keys.borrow_mut());
            match decoded {
                Ok(value) => value,
                Err(error) => {
                    counter!("redrabbit_bad_bodies_total").increment(1);
                    if self.is_new_complaint(seat, Complaint::BadBody) {
                        warn!(target: "script", %session, cmd, %error, "frame cannot be read");
                    }
                    return None;
                }
            }
        };
        match self.call(py, &handler, (name, value)) {
            Ok(value) if is_awaitable(&value) => Some((handler, value)),
            Ok(_) => None,
            Err(error) => {
                let label = handler.label.to_string();
                self.report(py, "call", &label, session.as_str(), &error);
                None
            }
        }
    }

    fn is_new_complaint(&self, seat: SeatId, complaint: Complaint) -> bool {
        self.sessions.borrow_mut().complain(seat, complaint)
    }

    /// Calls a function of the script, under the watchdog's eyes.
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
        handler: &Handler,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.shared.activity.enter(&handler.label);
        let result = handler.function.bind(py).call1(arguments);
        self.shared.activity.leave();
        result
    }
}

/// Whether what a function has returned is to be awaited.
pub(crate) fn is_awaitable(value: &Bound<'_, PyAny>) -> bool {
    !value.is_none()
        && (is_coroutine(value) || value.get_type().hasattr("__await__").unwrap_or(false))
}
