//! Clients that other gates have sent here, and that have yet to come.
//!
//! A ticket is a random number, and this gate alone knows what it is good for: so there is
//! no key that gates would have to share, and nothing to be forged. It is told of the
//! client before the client is, so that the client counts here at once, for every gate that
//! sends some.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use protocol::{CallError, ErrorKind, Login, SessionId, client::redirect::Ticket};
use tokio::time::Instant;
use topology::{GateMode, Limits};

use crate::{
    live::{Amount, Span},
    owner::Authority,
    shared::GateConfig,
};

/// The tickets of a gate that have not been used.
#[derive(Debug)]
pub(crate) struct Tickets {
    holds_sessions: bool,
    most: Amount,
    time: Span,
    /// Held for an instruction or two.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reserved: HashMap<Ticket, Reserved>,
    by_login: HashMap<Login, Ticket>,
    /// When they lapse, the used ones among them.
    lapses: VecDeque<(Instant, Ticket)>,
    is_closed: bool,
}

/// What a ticket is good for.
#[derive(Clone, Debug)]
pub(crate) struct Reserved {
    pub(crate) session_id: SessionId,
    pub(crate) login: Login,
    pub(crate) authority: Authority,
}

impl Tickets {
    /// None yet.
    pub(crate) fn new(config: &GateConfig) -> Self {
        Tickets {
            holds_sessions: config.mode == GateMode::Game,
            most: Amount::new(config.limits.sessions_per_gate),
            time: Span::new(config.limits.verify_timeout),
            state: Mutex::default(),
        }
    }

    pub(crate) fn set_limits(&self, limits: &Limits) {
        self.most.set(limits.sessions_per_gate);
        self.time.set(limits.verify_timeout);
    }

    /// How many are out.
    pub(crate) fn len(&self) -> usize {
        self.lock().reserved.len()
    }

    /// Whether another client would be taken, beside so many sessions; else why not.
    pub(crate) fn room(&self, sessions: usize) -> Result<(), CallError> {
        self.check(&self.lock(), sessions)
    }

    /// Expects a client, beside so many sessions.
    pub(crate) fn reserve(
        &self,
        reserved: Reserved,
        sessions: usize,
        now: Instant,
    ) -> Result<Ticket, CallError> {
        let ticket = Ticket(rand::random());
        let mut state = self.lock();
        self.check(&state, sessions)?;
        if let Some(before) = state.by_login.insert(reserved.login, ticket) {
            state.reserved.remove(&before);
        }
        state.reserved.insert(ticket, reserved);
        state.lapses.push_back((now + self.time.get(), ticket));
        Ok(ticket)
    }

    /// The client has come.
    pub(crate) fn take(&self, ticket: &Ticket) -> Option<Reserved> {
        let mut state = self.lock();
        let reserved = state.reserved.remove(ticket)?;
        state.by_login.remove(&reserved.login);
        Some(reserved)
    }

    /// The login is over before its client has come.
    pub(crate) fn cancel(&self, login: Login) {
        let mut state = self.lock();
        if let Some(ticket) = state.by_login.remove(&login) {
            state.reserved.remove(&ticket);
        }
    }

    /// Those whose clients have not come in time. They are over.
    pub(crate) fn lapsed(&self, now: Instant) -> Vec<Reserved> {
        let mut state = self.lock();
        let mut lapsed = Vec::new();
        while let Some((at, ticket)) = state.lapses.front().copied() {
            let is_out = state.reserved.contains_key(&ticket);
            if is_out && now < at {
                break;
            }
            state.lapses.pop_front();
            if let Some(reserved) = state.reserved.remove(&ticket) {
                state.by_login.remove(&reserved.login);
                lapsed.push(reserved);
            }
        }
        lapsed
    }

    /// Nobody is expected any more: who let them in is not there.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        *state = State {
            is_closed: state.is_closed,
            ..State::default()
        };
    }

    /// Nobody is expected from now on.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    fn check(&self, state: &State, sessions: usize) -> Result<(), CallError> {
        let refuse = |kind, message: &str| Err(CallError::new(kind, message));
        if !self.holds_sessions {
            refuse(ErrorKind::Unavailable, "a login gate holds no sessions")
        } else if state.is_closed {
            refuse(ErrorKind::Unavailable, "the gate drains")
        } else if sessions + state.reserved.len() >= self.most.get() {
            refuse(ErrorKind::Overloaded, "the gate is full")
        } else {
            Ok(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::NodeId;

    use super::*;
    use crate::{owner::Owner, tests};

    fn tickets(most: usize) -> Tickets {
        let limits = Limits {
            sessions_per_gate: most,
            ..tests::limits()
        };
        Tickets::new(&tests::config(limits))
    }

    fn reserved(login: u64) -> Reserved {
        Reserved {
            session_id: "alice".parse().unwrap(),
            login: Login(login),
            authority: Owner::default().authority(NodeId::new(1, 1)),
        }
    }

    #[test]
    fn ticket_is_good_once_and_for_a_while() {
        let (tickets, now) = (tickets(9), Instant::now());
        let first = tickets.reserve(reserved(1), 0, now).unwrap();
        let second = tickets.reserve(reserved(2), 0, now).unwrap();
        assert_eq!(tickets.take(&first).unwrap().login, Login(1));
        assert!(tickets.take(&first).is_none());
        assert!(tickets.take(&Ticket([7; 16])).is_none());
        assert!(tickets.lapsed(now + Duration::from_secs(9)).is_empty());
        let lapsed = tickets.lapsed(now + Duration::from_secs(11));
        assert_eq!(lapsed.len(), 1);
        assert!(tickets.take(&second).is_none());
        assert!(tickets.lock().lapses.is_empty());
    }

    #[test]
    fn login_that_is_over_has_no_ticket() {
        let (tickets, now) = (tickets(9), Instant::now());
        let ticket = tickets.reserve(reserved(1), 0, now).unwrap();
        tickets.cancel(Login(1));
        assert!(tickets.take(&ticket).is_none());
        let ticket = tickets.reserve(reserved(2), 0, now).unwrap();
        tickets.clear();
        assert!(tickets.take(&ticket).is_none() && tickets.len() == 0);
    }

    #[test]
    fn gate_that_is_full_or_drains_expects_nobody() {
        let (tickets, now) = (tickets(3), Instant::now());
        tickets.reserve(reserved(1), 1, now).unwrap();
        tickets.reserve(reserved(2), 1, now).unwrap();
        let full = tickets.reserve(reserved(3), 1, now).unwrap_err();
        assert_eq!(full.kind, ErrorKind::Overloaded);
        assert!(tickets.room(0).is_ok());
        tickets.close();
        assert_eq!(tickets.room(0).unwrap_err().kind, ErrorKind::Unavailable);
    }
}
