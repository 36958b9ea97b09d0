//! Who is told how a call ends.

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};

use crate::{metrics::CallTimes, services::guarded, shared::Outcome};

/// Who is told how a call ends; once, since telling it uses it up.
pub(crate) struct Waiter {
    teller: Teller,
    /// When the call began.
    begun: Instant,
    /// How it is known further away; empty where its number says it.
    trace: Bytes,
}

enum Teller {
    /// A future that waits.
    Future(oneshot::Sender<Outcome>),
    /// A function. It runs on the task that finds out, outside of every lock.
    Function(Box<dyn FnOnce(Outcome) + Send>),
}

impl Waiter {
    /// A future, for a call that begins now.
    pub(crate) fn future(outcome_tx: oneshot::Sender<Outcome>) -> Self {
        Waiter {
            teller: Teller::Future(outcome_tx),
            begun: Instant::now(),
            trace: Bytes::new(),
        }
    }

    /// A function, for a call that begins now.
    pub(crate) fn function(then: Box<dyn FnOnce(Outcome) + Send>) -> Self {
        Waiter {
            teller: Teller::Function(then),
            begun: Instant::now(),
            trace: Bytes::new(),
        }
    }

    /// The call is known by this, further away.
    pub(crate) fn traced(mut self, trace: Bytes) -> Self {
        self.trace = trace;
        self
    }

    /// How it is known further away.
    pub(crate) fn trace(&self) -> &Bytes {
        &self.trace
    }

    /// When the call began.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Whether it is left to others to take back what is not acknowledged, where the
    /// call ends without an answer. A future does that itself.
    pub(crate) fn leaves_its_request(&self) -> bool {
        matches!(self.teller, Teller::Function(_))
    }

    /// Tells it. No lock may be held.
    pub(crate) fn end(self, times: &CallTimes, outcome: Outcome) {
        times.ended(self.begun, &outcome);
        match self.teller {
            // Whoever has given the call up in this moment is not told.
            Teller::Future(waiting) => drop(waiting.send(outcome)),
            Teller::Function(then) => guarded("outcome", || then(outcome)),
        }
    }

    /// The call has no end that anybody waits for.
    pub(crate) fn given_up(self, times: &CallTimes) {
        times.given_up(self.begun);
    }
}
