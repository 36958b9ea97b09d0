//! From an event to the function of the script that takes it.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use metrics::counter;
use protocol::{Login, NodeId, SessionId, v1::CloseReason};
use pyo3::{prelude::*, types::PyString};
use session::scene::{Entered, SeatId};
use tracing::{Level, debug, enabled, info, warn};

use crate::{
    Action, Enter, Event, Leave, Stay, Verdict, Verify,
    script::handlers::Callback,
    script::host::{Host, Phase},
    script::jobs::{Owed, Work},
    script::steps::Outcome,
};

/// How long the script's thread dispatches before timers and tasks have a turn.
const ROUND: Duration = Duration::from_millis(5);

impl Host {
    /// A round: everything that has arrived, or what fits in [`ROUND`].
    pub(crate) fn wake(self: &Rc<Self>, py: Python<'_>) {
        self.shared.activity.answer();
        self.shared.inbox.refill(&mut self.backlog.borrow_mut());
        self.hold_back();
        self.begin_batch();
        self.begin_round();
        let until = self.clock.get() + ROUND;
        let mut events: u64 = 0;
        loop {
            // By turns, so that neither waits for all of the other.
            let event = self.backlog.borrow_mut().pop_front();
            let seat = self.due.borrow_mut().pop_front();
            if event.is_none() && seat.is_none() {
                break;
            }
            let before = self.clock.get();
            if let Some(event) = event {
                events += 1;
                self.dispatch(py, event);
                self.hold_back();
            }
            if let Some(seat) = seat {
                self.run_jobs(py, seat);
            }
            if self.clock.get() == before {
                self.clock.set(Instant::now());
            }
            if self.clock.get() >= until {
                break;
            }
        }
        self.in_round.set(false);
        self.events.set(self.events.get() + events);
        self.do_chores(py);
        self.expire(py);
        self.flush();
        let is_done = self.backlog.borrow().is_empty() && self.due.borrow().is_empty();
        self.shared.inbox.rearm(is_done);
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
            } => self.frame(py, (gate, login), cmd, body),
            Event::Verify(verify) => self.verify(py, *verify),
            Event::Enter(enter) => self.enter(py, *enter),
            Event::Offline {
                gate,
                login,
                holding,
            } => {
                let seat = self.sessions.borrow_mut().offline(gate, login, holding);
                self.note(seat, login, gate, "session is offline");
                self.run_jobs_of(py, seat, login, "offline");
            }
            Event::Leave(leave) => self.leave(py, *leave),
            Event::Stay(stay) => self.stay(py, &stay),
            Event::GateGone(gate) => {
                let seats = self.sessions.borrow_mut().lose_gate(gate);
                if !seats.is_empty() {
                    warn!(peer_id = %gate, sessions = seats.len(), "gate is gone with its sessions");
                }
                self.due.borrow_mut().extend(seats);
            }
            Event::GroupLost => {
                self.act(py, Action::GroupLost);
                let seats = self.sessions.borrow_mut().lose_all();
                if !seats.is_empty() {
                    warn!(sessions = seats.len(), "group is lost with all sessions");
                }
                self.due.borrow_mut().extend(seats);
            }
            Event::Request(request) => self.serve(py, *request),
            Event::Answer { ask, answer } => self.answered(py, ask, answer),
            Event::Reload { module, outcome } => {
                let loaded = self.reload(py, module.as_deref());
                self.after_load(py, loaded, Some(outcome));
            }
            Event::Changed => {
                if let Some(loaded) = self.load_changed(py) {
                    self.after_load(py, loaded, None);
                }
            }
            Event::Check {
                source,
                file_name,
                outcome,
            } => {
                if !outcome.is_closed() {
                    let _ = outcome.send(self.check(py, &source, &file_name));
                }
            }
            // Answered when the batch is handed over, or a later one.
            Event::Fence { gate, clear } => self.fences.borrow_mut().push((gate, clear)),
            Event::Stop { grace, to_scene } => self.begin_stop(py, grace, to_scene),
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
        if self.phase.get() != Phase::Running {
            // To the gate that is a scene which is not there.
            counter!("redrabbit_verifications_total", "outcome" => "unavailable").increment(1);
            return;
        }
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
        self.python.context.run_in_copy(py, || {
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
                .min(Instant::now() + self.times.handler_timeout());
            let work = Work {
                label: handler.label.clone(),
                owed: Owed::Verdict(verify.verdict),
            };
            self.follow(py, result, deadline, work);
        });
    }

    fn enter(self: &Rc<Self>, py: Python<'_>, enter: Enter) {
        let (gate, login, session) = (enter.gate, enter.login, enter.session.clone());
        if self.phase.get() == Phase::Ending {
            // Nobody waits for it to leave. The gate holds it when the scene is
            // gone.
            debug!(session_id = %session, %login, "session enters a scene that is ending");
            return;
        }
        let older = self.sessions.borrow_mut().supersede(&session, login);
        if let Some(older) = older {
            info!(session_id = %session, login = %older.login, newer_login = %login, "session replaced");
            self.run_jobs(py, older.seat);
            self.close(py, older.gate, older.login, CloseReason::Replaced);
        }
        let entered = self.sessions.borrow_mut().enter(enter, |session| {
            PyString::new(py, session.as_str()).unbind()
        });
        match entered {
            Entered::Seated(seat) => {
                self.note(Some(seat), login, gate, "session enters");
                self.run_jobs(py, seat);
                if self.phase.get() == Phase::Stopping {
                    self.hand_on(py, session.as_str());
                }
            }
            Entered::Stale => {
                info!(session_id = %session, %login, "session is held by a newer login");
                self.close(py, gate, login, CloseReason::Replaced);
            }
            Entered::Again => warn!(session_id = %session, %login, "session entered twice"),
        }
    }

    fn leave(self: &Rc<Self>, py: Python<'_>, leave: Leave) {
        let login = leave.login;
        let seat = self.sessions.borrow_mut().leave(
            leave.gate,
            login,
            leave.holding,
            leave.to_scene,
            leave.extra_data,
        );
        self.note(seat, login, leave.gate, "session leaves");
        self.run_jobs_of(py, seat, login, "leave");
    }

    fn stay(self: &Rc<Self>, py: Python<'_>, stay: &Stay) {
        let (login, to_scene, reason) = (stay.login, &stay.to_scene, &stay.reason);
        let Some(session) = self.sessions.borrow_mut().stay(stay.gate, login) else {
            debug!(%login, to_scene, reason, "session that is not here stays");
            return;
        };
        counter!("redrabbit_scene_changes_refused_total").increment(1);
        warn!(target: "script", session_id = %session, %login, to_scene, reason, "session stays");
        // Its gate always holds it for this scene's return.
        if self.phase.get() == Phase::Stopping && to_scene != self.name.as_str() {
            self.heir.take();
            self.hand_on(py, session.as_str());
        }
    }

    /// A session comes or goes, to whoever follows it.
    fn note(&self, seat: Option<SeatId>, login: Login, gate: NodeId, what: &str) {
        if enabled!(Level::DEBUG) {
            let sessions = self.sessions.borrow();
            let session = seat.and_then(|seat| sessions.session(seat));
            let session_id = session.map(SessionId::as_str);
            debug!(session_id, %login, peer_id = %gate, "{what}");
        }
    }

    fn run_jobs_of(
        self: &Rc<Self>,
        py: Python<'_>,
        seat: Option<SeatId>,
        login: Login,
        what: &'static str,
    ) {
        match seat {
            Some(seat) => self.run_jobs(py, seat),
            None => debug!(%login, what, "said of a session that is not here or is going"),
        }
    }

    /// Has a gate end a client's connection.
    pub(crate) fn close(&self, py: Python<'_>, gate: NodeId, login: Login, reason: CloseReason) {
        // Never refused; but scripts that close much can send less beside it.
        self.shared.outbox.charge(0);
        self.act(
            py,
            Action::Close {
                gate,
                login,
                reason,
            },
        );
    }

    /// Waits for what a function has returned, if that is to be awaited, and
    /// pays what is owed.
    pub(crate) fn follow(
        self: &Rc<Self>,
        py: Python<'_>,
        result: PyResult<Bound<'_, PyAny>>,
        deadline: Instant,
        work: Work,
    ) {
        match self.follow_up(py, result, &work.label) {
            Outcome::Done(result) => self.settle(py, work, result),
            Outcome::Goes(task) | Outcome::Follows(task) => self.wait_for(&task, deadline, work),
        }
    }
}
