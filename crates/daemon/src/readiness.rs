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
    /// It will take none any more.
    Over(&'static str),
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
        self.set(State::Ready);
    }

    /// Takes no work for now, and why in a few words ("full").
    pub fn set_not_ready(&self, reason: &'static str) {
        self.set(State::NotReady(reason));
    }

    /// Takes no work any more, whatever is said from now on, and why.
    pub fn set_over(&self, reason: &'static str) {
        self.set(State::Over(reason));
    }

    /// Whether it takes work.
    pub fn is_ready(&self) -> bool {
        *self.state.borrow() == State::Ready
    }

    /// "ready", or why not.
    pub fn as_str(&self) -> &'static str {
        match *self.state.borrow() {
            State::Ready => "ready",
            State::NotReady(reason) | State::Over(reason) => reason,
        }
    }

    fn set(&self, to: State) {
        self.state.send_if_modified(|state| {
            let is_over = matches!(state, State::Over(_));
            let changes = !is_over && *state != to;
            if changes {
                *state = to;
            }
            changes
        });
    }
}
