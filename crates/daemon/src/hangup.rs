//! SIGHUP, which means one of two things.

use std::{fs::File, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// An operator, or a service manager: read the files again.
    Reload,
    /// The terminal in which the process was started has been closed.
    TerminalGone,
}

/// The SIGHUPs of this process.
#[derive(Debug)]
pub struct Hangups {
    signals: Signal,
    had_terminal: bool,
}

impl Hangups {
    /// Listens for them from now on, for as long as the process lives. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses to tell of signals.
    pub fn listen() -> io::Result<Hangups> {
        Ok(Hangups {
            signals: signal(SignalKind::hangup())?,
            had_terminal: has_terminal(),
        })
    }

    /// Waits for the next one. Some that come at once are one.
    pub async fn next(&mut self) -> Option<Hangup> {
        self.signals.recv().await?;
        Some(match self.had_terminal && !has_terminal() {
            true => Hangup::TerminalGone,
            false => Hangup::Reload,
        })
    }
}

/// Whether the process has a terminal that could be closed: the system takes it away
/// before it tells of that.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}
