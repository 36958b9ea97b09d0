//! How a call begins, and what is kept until it ends.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId, NodeName,
    envelope::{EnvelopeKind, MAX_METHOD_BYTES, Text},
};
use tokio::sync::oneshot;

use crate::{
    calls::{CallId, Ended},
    dispatch::check_size,
    pairs::{NotTaken, Slot},
    shared::{Outcome, Shared, gone, lost},
    waiter::Waiter,
};

/// What is called.
pub(crate) struct Asking {
    pub(crate) destination: NodeId,
    pub(crate) method: Text,
    pub(crate) body: Bytes,
    pub(crate) wait: Duration,
    /// The way between groups, encoded; empty within one.
    pub(crate) crossing: Bytes,
    /// How the call is known further away; empty for by its number.
    pub(crate) trace: Bytes,
    /// The destination's name, where it is a bridge that shall pass the call on.
    pub(crate) bridge: Option<NodeName>,
}

/// A call in the table. However its future ends, the entry goes with it; one that was
/// given up is taken back from the pair, too.
struct PendingCall<'a> {
    shared: &'a Shared,
    begun: Begun,
}

/// Where a call stands that has begun.
struct Begun {
    slot: Arc<Slot>,
    id: CallId,
    /// Its number in its pair, until it has ended.
    sequence: Option<u64>,
}

/// Later than anything that is waited for.
const FAR_FUTURE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Shared {
    /// Calls, and waits for the end.
    pub(crate) async fn call(&self, asking: Asking) -> Outcome {
        let (outcome_tx, outcome_rx) = oneshot::channel();
        let begun = self.begin(asking, Waiter::future(outcome_tx));
        // The call is in the table; whichever way this function ends, it is taken out.
        let mut pending = begun.map(|begun| PendingCall {
            shared: self,
            begun,
        });
        let outcome = outcome_rx.await.unwrap_or_else(|_| Err(lost()));
        if let (Ok(_), Some(pending)) = (&outcome, &mut pending) {
            // What was answered has arrived: there is nothing to take back.
            pending.begun.sequence = None;
        }
        outcome
    }

    /// Calls; `then` is told of the end.
    pub(crate) fn call_then(&self, asking: Asking, then: Box<dyn FnOnce(Outcome) + Send>) {
        // Whoever was not begun has been told.
        let _ = self.begin(asking, Waiter::function(then));
    }

    /// Begins a call, whose end the waiter is told: here already, if it cannot begin.
    fn begin(&self, asking: Asking, waiter: Waiter) -> Option<Begun> {
        let Asking {
            destination,
            method,
            body,
            wait,
            crossing,
            trace,
            bridge,
        } = asking;
        let waiter = waiter.traced(trace.clone());
        let ready = check_size(&body)
            .and_then(|()| check_method(&method))
            .and_then(|()| self.slot_of_destination(destination));
        let (own, slot) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                waiter.end(&self.call_times, Err(error));
                return None;
            }
        };
        let now = waiter.begun();
        let deadline = now.checked_add(wait).unwrap_or(now + FAR_FUTURE);
        let id = self.calls().begin(destination, deadline, waiter);
        let call_id = self.call_id(&trace, own, id.0);
        self.note_begun(call_id.as_deref(), destination, &method);
        let envelope = Envelope {
            call_id: id.0,
            trace_context: trace,
            method,
            deadline_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1),
            crossing,
            body,
            ..Envelope::new(destination, own, EnvelopeKind::Request)
        };
        match self.pairs.send(&slot, envelope) {
            Ok(sequence) => {
                // Only now: whoever looks at the bridge finds the call in the table.
                if let Some(name) = bridge {
                    self.bridges.called(destination, &name);
                }
                Some(Begun {
                    slot,
                    id,
                    sequence: Some(sequence),
                })
            }
            Err(reason) => {
                let waiter = self.calls().end(id);
                if let Some(waiter) = waiter {
                    let outcome = Err(not_taken(reason, destination));
                    self.note_ended(waiter.trace(), id.0, destination, &outcome);
                    waiter.end(&self.call_times, outcome);
                }
                None
            }
        }
    }

    /// Tells whoever waits for these calls that they have ended, and takes back those
    /// requests that nobody else does: what is executed later has nobody to hear of it.
    pub(crate) fn end_calls(&self, ended: Vec<Ended<Waiter>>, error: &CallError) {
        let mut left = HashMap::<NodeId, HashSet<u64>>::new();
        for call in ended.iter().filter(|call| call.waiter.leaves_its_request()) {
            left.entry(call.destination).or_default().insert(call.id.0);
        }
        for (destination, calls) in &left {
            self.pairs.cancel_calls(*destination, calls);
        }
        for call in ended {
            let outcome = Err(error.clone());
            self.note_ended(call.waiter.trace(), call.id.0, call.destination, &outcome);
            call.waiter.end(&self.call_times, outcome);
        }
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        let waiter = self.shared.calls().end(self.begun.id);
        if let Some(waiter) = waiter {
            let Begun { id, .. } = self.begun;
            self.shared.note_given_up(waiter.trace(), id.0);
            waiter.given_up(&self.shared.call_times);
        }
        if let Some(sequence) = self.begun.sequence {
            self.shared.pairs.cancel(&self.begun.slot, sequence);
        }
    }
}

pub(crate) fn check_method(method: &Text) -> Result<(), CallError> {
    match method.as_str().len() {
        ..=MAX_METHOD_BYTES => Ok(()),
        length => Err(CallError::new(
            ErrorKind::TooLarge,
            format!("a method's name of {length} bytes, at most {MAX_METHOD_BYTES} are allowed"),
        )),
    }
}

pub(crate) fn not_taken(reason: NotTaken, destination: NodeId) -> CallError {
    match reason {
        NotTaken::Ended => gone(destination),
        NotTaken::Full => CallError::new(
            ErrorKind::Overloaded,
            format!("as much as may be is on its way to node {destination}"),
        ),
        NotTaken::CutOff => CallError::new(
            ErrorKind::Unavailable,
            "no broker of the group can be reached",
        ),
    }
}
