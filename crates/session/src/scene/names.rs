//! Seats by the names of their sessions, found without making a name first.

use std::{borrow::Borrow, collections::HashMap};

use protocol::SessionId;

use super::SeatId;

#[derive(Debug, Default)]
pub(super) struct ByName(HashMap<Name, SeatId>);

/// A session id that can be looked up as text: it hashes and compares as that.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Name(SessionId);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

impl ByName {
    pub(super) fn find(&self, session: &str) -> Option<SeatId> {
        self.0.get(session).copied()
    }

    pub(super) fn insert(&mut self, session: SessionId, seat: SeatId) {
        self.0.insert(Name(session), seat);
    }

    pub(super) fn remove(&mut self, session: &str) {
        self.0.remove(session);
    }
}
