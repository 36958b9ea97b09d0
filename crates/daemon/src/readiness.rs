//! Whether the daemon takes work, for whoever sends it some.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether the daemon takes work. `/readyz` follows it. Clones are the same
/// one; it begins as "starting".
#[derive(Clone, Debug)]
pub struct Readiness {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    NotReady(&'static str),
}

impl Readiness {
    /// Not ready, because it is starting.
    pub fn starting() -> Readiness {
        let (state, _) = watch::channel(State::NotReady("starting"));
        Readiness {
            state: Arc::new(state),
        }
    }

    /// Takes work from now on.
    pub fn set_ready(&self) {
        self.state.send_replace(State::Ready);
    }

    /// Takes no work for now, and why in a few words ("draining").
    pub fn set_not_ready(&self, reason: &'static str) {
        self.state.send_replace(State::NotReady(reason));
    }

    /// Whether it takes work.
    pub fn is_ready(&self) -> bool {
        *self.state.borrow() == State::Ready
    }

    /// "ready", or why not.
    pub fn as_str(&self) -> &'static str {
        match *self.state.borrow() {
            State::Ready => "ready",
            State::NotReady(reason) => reason,
        }
    }
}
