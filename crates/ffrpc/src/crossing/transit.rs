//! What a bridge is given: a request for another group, and the way to answer it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use protocol::{CallError, ErrorKind, NodeId, envelope::Text, v1::Crossing};
use tokio::time::Instant;

use crate::{
    dispatch::checked,
    pairs::Slot,
    shared::{Outcome, RequestPlace, Shared},
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
    /// Where it goes.
    pub crossing: Crossing,
}

/// Answers one request, once: with [`respond`](Self::respond), or with
/// `Unavailable` when it is dropped without. It may be kept and used anywhere.
pub struct Responder {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    caller: NodeId,
    call_id: u64,
    open: bool,
    /// One of the requests that the node may have under way.
    _place: RequestPlace,
}

impl Responder {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        slot: &Arc<Slot>,
        caller: NodeId,
        call_id: u64,
        place: RequestPlace,
    ) -> Self {
        Responder {
            shared: Arc::clone(shared),
            slot: Arc::clone(slot),
            caller,
            call_id,
            open: true,
            _place: place,
        }
    }

    /// Answers. Whoever has gone meanwhile is not told.
    pub fn respond(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.open = false;
        self.shared
            .respond(&self.slot, self.caller, self.call_id, checked(outcome));
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
