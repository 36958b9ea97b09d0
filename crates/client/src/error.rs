//! What can go wrong between a client and its gate.

use std::io;

use protocol::client::{FrameError, redirect::Redirect};
use tokio_tungstenite::tungstenite;

/// Why a client's call failed.
///
/// [`Refused`](Self::Refused) is the game's answer and worth showing to a
/// person; [`Closed`](Self::Closed) says whether it makes sense to come back
/// (`draining` yes, `replaced` no); after [`Ended`](Self::Ended) and
/// [`Io`](Self::Io) connect again. The rest are faults of one side's program.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gate did not let the client in. `reason` is what the game's script
    /// said, or the gate's own word, such as `gate_full`.
    #[error("login refused: {reason}")]
    Refused {
        /// For a person to read.
        reason: String,
    },
    /// The gate does not hold the client itself: it goes on at another gate, with a
    /// [ticket](crate::Client::redeem).
    #[error("the client goes on at {}", .0.address)]
    Redirected(Box<Redirect>),
    /// The gate closed the connection and said why.
    #[error("connection closed by the gate: {reason}")]
    Closed {
        /// The name of the reason, such as `slow_consumer`.
        reason: String,
    },
    /// The connection ended and nobody said why.
    #[error("connection ended without a reason")]
    Ended,
    /// The socket failed.
    #[error("socket failed")]
    Io(#[from] io::Error),
    /// The WebSocket underneath failed.
    #[error("websocket failed")]
    WebSocket(#[source] Box<tungstenite::Error>),
    /// What came from the gate is no frame.
    #[error("what came is no frame")]
    Frame(#[from] FrameError),
    /// What came from the gate is a frame, but not one that belongs here.
    #[error("protocol broken by the gate: {0}")]
    Protocol(&'static str),
    /// The gate's certificate is not one to believe, or it speaks no TLS.
    #[error("no TLS with the gate: {0}")]
    Tls(#[source] io::Error),
    /// Nobody could be believed.
    #[error("no authority to believe: {problem}")]
    Trust {
        /// What is wrong.
        problem: String,
    },
    /// The address is not one that the client can connect to.
    #[error(
        "`{url}` is no address of a gate: expected tcp://host:port, tls://host:port, \
         ws://host:port or wss://host"
    )]
    Address {
        /// What was given.
        url: String,
    },
}

impl From<tungstenite::Error> for ClientError {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::{Error, error::ProtocolError};
        match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => ClientError::Ended,
            Error::Io(error) => ClientError::Io(error),
            other => ClientError::WebSocket(Box::new(other)),
        }
    }
}
