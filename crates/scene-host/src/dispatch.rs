//! From an event to the function of the script that takes it.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use metrics::counter;
use protocol::{Login, NodeId, SessionId, v1::CloseReason};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyCFunction, PyString},
};
use tracing::{debug, info, warn};

use crate::{
    Action, Enter, Event, Verdict, Verify,
    handlers::{Callback, Handler},
    host::{Host, Phase, current},
    jobs::{Owed, Work, is_coroutine},
    json,
    sessions::{Complaint, Entered, Job, SeatId},
};

/// How long the script's thread dispatches before timers and tasks have a turn.
const ROUND: Duration = Duration::from_millis(5);

impl Host {
    /// A round: everything that has arrived, or what fits in [`ROUND`].
    pub(crate) fn wake(self: &Rc<Self>, py: Python<'_>) {
        self.shared.activity.answer();
        self.shared.inbox.refill(&mut self.backlog.borrow_mut());
        self.begin_batch();
        let until = Instant::now() + ROUND;
        let mut events: u64 = 0;
        loop {
            let Some(event) = self.backlog.borrow_mut().pop_front() else {
                break;
            };
            events += 1;
            self.dispatch(py, event);
            if Instant::now() >= until {
                break;
            }
        }
        self.expire(py);
        self.flush();
        self.shared.inbox.rearm(&self.backlog.borrow());
        counter!("redrabbit_scene_events_total").increment(events);
        self.stop_when_idle(py);
    }

    fn dispatch(self: &Rc<Self>, py: Python<'_>, event: Event) {
        match event {
            Event::Frame {
                gate,
                login,
                cmd,
                body,
            } => {
                let seat = self.sessions.borrow_mut().frame(gate, login, cmd, body);
                match seat {
                    Some(seat) => self.run_jobs(py, seat),
                    None => {
                        counter!("redrabbit_stale_frames_total").increment(1);
                        debug!(%gate, %login, "frame of a session that is not here");
                    }
                }
            }
            Event::Verify(verify) => self.verify(py, *verify),
            Event::Enter(enter) => self.enter(py, *enter),
            Event::Offline { gate, login } => {
                let seat = self.sessions.borrow_mut().offline(gate, login);
                match seat {
                    Some(seat) => self.run_jobs(py, seat),
                    None => debug!(%gate, %login, "offline of a session that is not here"),
                }
            }
            Event::GateGone(gate) => {
                let seats = self.sessions.borrow_mut().lose_gate(gate);
                if !seats.is_empty() {
                    warn!(%gate, sessions = seats.len(), "gate is gone with its sessions");
                }
                self.run_all_jobs(py, seats);
            }
            Event::GroupLost => {
                let seats = self.sessions.borrow_mut().lose_all();
                if !seats.is_empty() {
                    warn!(sessions = seats.len(), "group is lost with all sessions");
                }
                self.run_all_jobs(py, seats);
            }
            Event::Reload { module, outcome } => {
                // Whoever asked may have stopped waiting.
                let _ = outcome.send(self.reload(py, module.as_deref()));
            }
            Event::Check {
                source,
                file_name,
                outcome,
            } => {
                let _ = outcome.send(self.check(py, &source, &file_name));
            }
            Event::Stop(grace) => self.begin_stop(py, grace),
        }
    }

    fn verify(self: &Rc<Self>, py: Python<'_>, verify: Verify) {
        if verify.verdict.is_closed() {
            return;
        }
        let refuse = |reason: &str| {
            counter!("redrabbit_verifications_total", "outcome" => "refused").increment(1);
            Verdict::Refused(reason.to_owned())
        };
        if self.shared.status.borrow().version == 0 {
            let _ = verify
                .verdict
                .send(refuse("the server's script has not loaded"));
            return;
        }
        let Some(handler) = self.handlers.borrow().callback(Callback::Verify) else {
            warn!(target: "script", "no session_verify_callback: every client is refused");
            let _ = verify.verdict.send(refuse("nobody verifies clients here"));
            return;
        };
        let result = self.call(
            py,
            &handler,
            (
                verify.session_key,
                verify.online_time,
                verify.ip,
                verify.gate_name,
            ),
        );
        // Nobody waits for the answer longer than the gate does.
        let deadline = verify
            .deadline
            .min(Instant::now() + self.limits.handler_timeout);
        self.follow(
            py,
            result,
            deadline,
            Work {
                label: handler.label.clone(),
                owed: Owed::Verdict(verify.verdict),
            },
        );
    }

    fn enter(self: &Rc<Self>, py: Python<'_>, enter: Enter) {
        let (gate, login, session) = (enter.gate, enter.login, enter.session.clone());
        let older = self.sessions.borrow_mut().supersede(&session, login);
        if let Some(older) = older {
            info!(%session, older = %older.login, newer = %login, "session replaced");
            self.run_jobs(py, older.seat);
            self.close(py, older.gate, older.login, CloseReason::Replaced);
        }
        let entered = self.sessions.borrow_mut().enter(enter, |session| {
            PyString::new(py, session.as_str()).unbind()
        });
        match entered {
            Entered::Seated(seat) => self.run_jobs(py, seat),
            Entered::Stale => {
                info!(%session, %login, "session is held by a newer login");
                self.close(py, gate, login, CloseReason::Replaced);
            }
            Entered::Again => warn!(%session, %login, "session entered twice"),
        }
    }

    /// Has a gate end a client's connection.
    pub(crate) fn close(&self, py: Python<'_>, gate: NodeId, login: Login, reason: CloseReason) {
        self.act(
            py,
            Action::Close {
                gate,
                login,
                reason,
            },
        );
    }

    fn run_all_jobs(self: &Rc<Self>, py: Python<'_>, seats: Vec<SeatId>) {
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
            let is_done = match job {
                Job::Frame {
                    gate,
                    login,
                    cmd,
                    body,
                } => self.run_frame(py, seat, session, &name, gate, login, cmd, &body),
                Job::Enter {
                    from_scene,
                    extra_data,
                } => {
                    let extra_data = PyBytes::new(py, &extra_data);
                    let arguments = (&name, from_scene, extra_data);
                    self.run_callback(py, seat, session, Callback::Enter, arguments)
                }
                Job::Offline { online_time } => {
                    let arguments = (&name, online_time);
                    self.run_callback(py, seat, session, Callback::Offline, arguments)
                }
            };
            if !is_done {
                return;
            }
            self.sessions.borrow_mut().end(seat);
        }
    }

    /// A job that had to wait is done.
    pub(crate) fn end_job(self: &Rc<Self>, py: Python<'_>, seat: SeatId) {
        self.sessions.borrow_mut().end(seat);
        self.run_jobs(py, seat);
        self.stop_when_idle(py);
    }

    /// Ends a job when the tasks that were made so far have begun. Returns false
    /// if there is no such time.
    fn end_job_soon(&self, py: Python<'_>, seat: SeatId) -> bool {
        let end = PyCFunction::new_closure(py, None, None, move |arguments, _| {
            current()?.end_job(arguments.py(), seat);
            PyResult::Ok(())
        });
        end.and_then(|end| self.python.call_soon.bind(py).call1((end,)))
            .is_ok()
    }

    /// Returns whether it is done, and not waiting for something.
    fn run_callback<'py>(
        self: &Rc<Self>,
        py: Python<'py>,
        seat: SeatId,
        session: SessionId,
        callback: Callback,
        arguments: impl pyo3::call::PyCallArgs<'py>,
    ) -> bool {
        let Some(handler) = self.handlers.borrow().callback(callback) else {
            return true;
        };
        let result = self.call(py, &handler, arguments);
        if let Ok(value) = &result
            && is_awaitable(value)
        {
            let work = Work {
                label: handler.label.clone(),
                owed: Owed::Turn {
                    session,
                    seat,
                    callback,
                },
            };
            let deadline = Instant::now() + self.limits.handler_timeout;
            self.wait_for(value, deadline, work);
            return false;
        }
        if let Err(error) = result {
            let label = handler.label.to_string();
            self.report(py, callback.as_str(), &label, session.as_str(), &error);
        }
        true
    }

    /// Returns whether the session's next job may begin.
    #[allow(clippy::too_many_arguments, reason = "the parts of one job")]
    fn run_frame(
        self: &Rc<Self>,
        py: Python<'_>,
        seat: SeatId,
        session: SessionId,
        name: &Py<PyString>,
        gate: NodeId,
        login: Login,
        cmd: u16,
        body: &Bytes,
    ) -> bool {
        let handled = self.handle(py, seat, &session, name, cmd, body);
        let Some((handler, awaitable)) = handled else {
            self.sessions.borrow_mut().finish(gate, login);
            return true;
        };
        let work = Work {
            label: handler.label.clone(),
            owed: Owed::Frame {
                session,
                seat: (!handler.concurrent).then_some(seat),
                gate,
                login,
            },
        };
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
    fn call<'py>(
        &self,
        py: Python<'py>,
        handler: &Handler,
        arguments: impl pyo3::call::PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.shared.activity.enter(&handler.label);
        let result = handler.function.bind(py).call1(arguments);
        self.shared.activity.leave();
        result
    }

    /// Waits for what a function has returned, if that is to be awaited, and
    /// pays what is owed.
    fn follow(
        self: &Rc<Self>,
        py: Python<'_>,
        result: PyResult<Bound<'_, PyAny>>,
        deadline: Instant,
        work: Work,
    ) {
        match result {
            Ok(value) if is_awaitable(&value) => self.wait_for(&value, deadline, work),
            result => self.settle(py, work, result),
        }
    }
}

/// Whether what a function has returned is to be awaited.
fn is_awaitable(value: &Bound<'_, PyAny>) -> bool {
    !value.is_none()
        && (is_coroutine(value) || value.get_type().hasattr("__await__").unwrap_or(false))
}
