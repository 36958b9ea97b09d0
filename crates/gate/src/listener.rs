//! Accepting connections, whatever the system says about it.

use std::{io, sync::Arc, time::Duration};

use daemon::LogPace;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, debug_span, info, warn};

use crate::{arrival, shared::Shared, transport::Kind};

/// The pause after the first failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts the connections of one socket.
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    pub(crate) kind: Kind,
    pub(crate) shared: Arc<Shared>,
    pub(crate) connections: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// What to do after a connection could not be accepted.
#[derive(Debug, Default)]
struct Backoff {
    pause: Option<Duration>,
}

impl Acceptor {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::default();
        let log = LogPace::default();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    if backoff.succeeded() {
                        info!(
                            transport = self.kind.as_str(),
                            "connections are accepted again"
                        );
                    }
                    self.spawn(socket, peer);
                }
                Err(error) => {
                    self.shared.sessions.metrics.accept_errors.increment(1);
                    let Some(pause) = backoff.failed(&error) else {
                        continue;
                    };
                    if let Some(withheld) = log.turn(Instant::now()) {
                        warn!(
                            %error, withheld, transport = self.kind.as_str(),
                            "connection not accepted"
                        );
                    }
                    sleep(pause).await;
                }
            }
        }
    }

    fn spawn(&self, socket: TcpStream, peer: std::net::SocketAddr) {
        let serve = arrival::serve(Arc::clone(&self.shared), socket, self.kind, peer.ip());
        self.connections
            .spawn(serve.instrument(debug_span!("connection", remote = %peer)));
    }
}

impl Backoff {
    /// How long to pause. A connection that its client has given up already is
    /// no reason to; everything else is (no file left, no memory left), since
    /// the listener stays ready and would spin.
    fn failed(&mut self, error: &io::Error) -> Option<Duration> {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(
            error.kind(),
            ConnectionAborted | ConnectionReset | Interrupted
        ) {
            return None;
        }
        let pause = match self.pause {
            None => FIRST_PAUSE,
            Some(pause) => (pause * 2).min(LONGEST_PAUSE),
        };
        self.pause = Some(pause);
        Some(pause)
    }

    /// Whether it had failed before.
    fn succeeded(&mut self) -> bool {
        self.pause.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMFILE: i32 = 24;
    const ECONNABORTED: i32 = 103;

    #[test]
    fn pause_grows_while_no_file_is_left_and_ends_with_the_first_success() {
        let mut backoff = Backoff::default();
        let error = io::Error::from_raw_os_error(EMFILE);
        let pauses: Vec<_> = (0..12).filter_map(|_| backoff.failed(&error)).collect();
        assert_eq!(pauses.len(), 12);
        assert_eq!(pauses[..2], [FIRST_PAUSE, 2 * FIRST_PAUSE]);
        assert_eq!(pauses[11], LONGEST_PAUSE);
        assert!(backoff.succeeded());
        assert!(!backoff.succeeded());
        assert_eq!(backoff.failed(&error), Some(FIRST_PAUSE));
    }

    #[test]
    fn client_that_gave_up_delays_nobody() {
        let error = io::Error::from_raw_os_error(ECONNABORTED);
        assert_eq!(Backoff::default().failed(&error), None);
    }
}
