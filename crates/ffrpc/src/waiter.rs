//! Who is told how a call ends.

use tokio::sync::oneshot;

use crate::{services::guarded, shared::Outcome};

/// Who is told how a call ends; once, since telling it uses it up.
pub(crate) enum Waiter {
    /// A future that waits.
    Future(oneshot::Sender<Outcome>),
    /// A function. It runs on the task that finds out, outside of every lock.
    Function(Box<dyn FnOnce(Outcome) + Send>),
}

impl Waiter {
    /// Whether it is left to others to take back what is not acknowledged, where the
    /// call ends without an answer. A future does that itself.
    pub(crate) fn leaves_its_request(&self) -> bool {
        matches!(self, Waiter::Function(_))
    }

    /// Tells it. No lock may be held.
    pub(crate) fn end(self, outcome: Outcome) {
        match self {
            // Whoever has given the call up is not told.
            Waiter::Future(waiting) => drop(waiting.send(outcome)),
            Waiter::Function(then) => guarded("outcome", || then(outcome)),
        }
    }
}
