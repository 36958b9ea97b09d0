//! What the script asks of the network.

use bytes::Bytes;
use protocol::{Login, NodeId, v1::CloseReason};

use crate::delivery::LOGIN_BYTES;

/// Something for the network to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send clients of a gate a message.
    Deliver {
        /// The gate.
        gate: NodeId,
        /// The clients, by their logins.
        logins: Vec<Login>,
        /// What the message is, in the game's own numbers.
        cmd: u16,
        /// The message.
        body: Bytes,
    },
    /// Send every client of the group a message.
    Broadcast {
        /// What the message is, in the game's own numbers.
        cmd: u16,
        /// The message.
        body: Bytes,
    },
    /// End a client's connection.
    Close {
        /// The gate that it is connected to.
        gate: NodeId,
        /// Its login.
        login: Login,
        /// Why; the client is told.
        reason: CloseReason,
    },
    /// Tell a gate which frames have been handled.
    Finished(Finished),
}

/// Frames that have been handled: how many of which login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The gate that sent them.
    pub gate: NodeId,
    /// The logins.
    pub logins: Vec<Login>,
    /// How many of each, in the same order.
    pub frames: Vec<u32>,
}

impl Action {
    /// How many bytes the message has that it sends, with the logins of those
    /// that it is for, if it sends one.
    pub fn message_bytes(&self) -> Option<usize> {
        match self {
            Action::Deliver { logins, body, .. } => Some(logins.len() * LOGIN_BYTES + body.len()),
            Action::Broadcast { body, .. } => Some(body.len()),
            Action::Close { .. } | Action::Finished(_) => None,
        }
    }
}
