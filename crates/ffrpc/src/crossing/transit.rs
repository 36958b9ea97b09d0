//! What a bridge is given: a request for another group, and the way to answer it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{CallError, ErrorKind, NodeId, envelope::Text, v1::Crossing};
use tokio::time::Instant;

use crate::{
    dispatch::checked,
    pairs::Slot,
    shared::{Outcome, RequestPlace},
};

/// A request that is for another group.
#[derive(Clone, Debug)]
pub struct Transit {
    /// Who asks.
    pub source: NodeId,
    /// What is called there.
    pub method: Text,
    /// What it asks.
    pub body: Bytes,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// How long that was when the request was read, for whoever passes it on at once:
    /// the clock is not asked again.
    pub wait: Duration,
    /// Where it goes. Requests that come together and go one way share it.
    pub crossing: Arc<Crossing>,
    /// How the call is known in logs, where calls are logged.
    pub trace: Bytes,
}

/// The same as it is passed on.
#[derive(Clone, Debug)]
pub struct Onward {
    /// What is called there.
    pub method: Text,
    /// What it asks.
    pub body: Bytes,
    /// How long the caller still waits.
    pub wait: Duration,
    /// The way that it has come: a [`Crossing`], encoded, which may go with many calls.
    pub crossing: Bytes,
    /// How the call is known in logs: plain text of 128 bytes at most, or nothing.
    pub trace: Bytes,
}

/// An answer of so many bytes is kept whoever waits for it: the bound on requests
/// bounds those, too.
const SMALL: usize = 1024;

/// Answers one request, once: with [`respond`](Self::respond), or with
/// `Unavailable` when it is dropped without. It may be kept and used anywhere.
pub struct Responder {
    /// One of the requests that the node may have under way.
    place: RequestPlace,
    slot: Arc<Slot>,
    caller: NodeId,
    call_id: u64,
    /// How the call is known in logs.
    trace: Bytes,
    open: bool,
}

impl Responder {
    pub(crate) fn new(
        place: RequestPlace,
        slot: &Arc<Slot>,
        caller: NodeId,
        call_id: u64,
        trace: Bytes,
    ) -> Self {
        Responder {
            place,
            slot: Arc::clone(slot),
            caller,
            call_id,
            trace,
            open: true,
        }
    }

    /// Answers. Whoever has gone meanwhile is not told. A caller that has not
    /// acknowledged many answers yet gets `Overloaded` in the place of a large one.
    pub fn respond(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.open = false;
        let shared = self.place.shared();
        // Nobody refuses an answer for want of room: who asks for much at once and
        // stops reading would have the bridge keep all of it.
        let outcome = match outcome {
            Ok(body) if body.len() > SMALL && shared.pairs.owes_much(&self.slot) => {
                Err(CallError::new(
                    ErrorKind::Overloaded,
                    format!(
                        "{} still keeps answers that were not acknowledged; what was called was done",
                        shared.config.name
                    ),
                ))
            }
            outcome => checked(outcome),
        };
        let known_by = shared.call_id(&self.trace, self.caller, self.call_id);
        shared.note_answered(known_by.as_deref(), &outcome);
        shared.respond(&self.slot, self.caller, self.call_id, outcome);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.open {
            self.end(Err(CallError::new(
                ErrorKind::Unavailable,
                "the bridge has given the call up",
            )));
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("caller", &self.caller)
            .field("call_id", &self.call_id)
            .finish_non_exhaustive()
    }
}
