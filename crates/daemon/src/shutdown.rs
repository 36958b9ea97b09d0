//! The wish that the process ends: asked for once, insisted on twice.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Tells when to stop. The first signal asks: what runs is drained. The second
/// insists: whatever is left is dropped. The daemon's own work may ask as well,
/// and then the first signal insists. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: CancellationToken,
    forced: CancellationToken,
}

/// Stands in for the signals: where tests and embedding programs ask a
/// [`Shutdown`] to happen.
#[derive(Clone, Debug)]
pub struct Trigger {
    shutdown: Shutdown,
}

impl Shutdown {
    /// Listens for SIGTERM and SIGINT from now on, for as long as the process
    /// lives. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses to tell of signals.
    pub fn on_signals() -> io::Result<Shutdown> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (trigger, shutdown) = Shutdown::manual();
        tokio::spawn(async move {
            while !trigger.is_forced() {
                let name = tokio::select! {
                    Some(()) = terminate.recv() => "SIGTERM",
                    Some(()) = interrupt.recv() => "SIGINT",
                    else => return,
                };
                if trigger.is_requested() {
                    warn!(signal = name, "told to stop at once");
                } else {
                    info!(signal = name, "told to stop");
                }
                trigger.advance();
            }
        });
        Ok(shutdown)
    }

    /// One that hears no signals and happens when its trigger says so.
    pub fn manual() -> (Trigger, Shutdown) {
        let shutdown = Shutdown {
            requested: CancellationToken::new(),
            forced: CancellationToken::new(),
        };
        let trigger = Trigger {
            shutdown: shutdown.clone(),
        };
        (trigger, shutdown)
    }

    /// Asks the process to stop, as the first signal does: for work that has been
    /// told so by other means, such as a request of an operator. Asking again
    /// changes nothing, and a signal that follows insists.
    pub fn request(&self) {
        self.requested.cancel();
    }

    /// Waits until the process is asked to stop.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Waits until the process is told to stop at once.
    pub async fn forced(&self) {
        self.forced.cancelled().await;
    }

    /// Whether the process has been asked to stop.
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Whether the process has been told to stop at once.
    pub fn is_forced(&self) -> bool {
        self.forced.is_cancelled()
    }
}

impl Trigger {
    /// Asks to stop. Asking again changes nothing.
    pub fn request(&self) {
        self.shutdown.request();
    }

    /// Tells to stop at once.
    pub fn force(&self) {
        self.shutdown.request();
        self.shutdown.forced.cancel();
    }

    /// Whether it has asked.
    pub fn is_requested(&self) -> bool {
        self.shutdown.is_requested()
    }

    /// Whether it has insisted.
    pub fn is_forced(&self) -> bool {
        self.shutdown.is_forced()
    }

    /// What a signal does: asks the first time, insists the second.
    pub fn advance(&self) {
        if self.shutdown.is_requested() {
            self.force();
        } else {
            self.request();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_asks_and_the_second_insists() {
        let (trigger, shutdown) = Shutdown::manual();
        assert!(!shutdown.is_requested());
        trigger.advance();
        assert!(shutdown.is_requested() && !shutdown.is_forced());
        trigger.advance();
        assert!(shutdown.is_forced());
    }

    #[test]
    fn asking_twice_is_not_insisting() {
        let (trigger, shutdown) = Shutdown::manual();
        trigger.request();
        trigger.request();
        assert!(shutdown.is_requested() && !shutdown.is_forced());
    }

    #[test]
    fn work_that_asks_is_like_a_first_signal_and_the_next_signal_insists() {
        let (trigger, shutdown) = Shutdown::manual();
        let of_the_work = shutdown.clone();
        of_the_work.request();
        of_the_work.request();
        assert!(shutdown.is_requested() && !shutdown.is_forced());
        trigger.advance();
        assert!(shutdown.is_forced());
    }

    #[tokio::test]
    async fn force_wakes_those_who_wait_for_either() {
        let (trigger, shutdown) = Shutdown::manual();
        trigger.force();
        shutdown.requested().await;
        shutdown.forced().await;
    }
}
