//! What the script asks of the network.

use bytes::Bytes;
use protocol::{Login, NodeId, v1::CloseReason};
pub use session::scene::{Finished, Left};

use crate::delivery::LOGIN_BYTES;

/// Something for the network to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a client a message.
    Send {
        /// The gate.
        gate: NodeId,
        /// The client, by its login.
        login: Login,
        /// What it is sent.
        parcel: Parcel,
    },
    /// Send clients of a gate a message.
    Deliver {
        /// The gate.
        gate: NodeId,
        /// The clients, by their logins.
        logins: Vec<Login>,
        /// What they are sent.
        parcel: Parcel,
    },
    /// Send everybody who belongs somewhere a message.
    Broadcast {
        /// Who that is.
        audience: Audience,
        /// What they are sent.
        parcel: Parcel,
    },
    /// Have a client join a channel, or leave one.
    Membership {
        /// The gate that it is connected to.
        gate: NodeId,
        /// Its login.
        login: Login,
        /// The channel.
        channel: String,
        /// Whether it leaves.
        leaves: bool,
    },
    /// Send a session to another scene.
    Change {
        /// The gate that it is connected to.
        gate: NodeId,
        /// Its login.
        login: Login,
        /// The holding that is to end.
        holding: u32,
        /// Where it is to go.
        to_scene: String,
        /// What goes along.
        extra_data: Bytes,
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
    /// Tell a gate that a session is not here any more.
    Left(Left),
    /// The script's thread has heard that the group was lost: what comes behind
    /// this was done in the knowledge of it.
    GroupLost,
}

/// A message for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it is, in the game's own numbers.
    pub cmd: u16,
    /// The message.
    pub body: Bytes,
    /// It takes the place of an older one of its cmd that still waits.
    pub latest: bool,
}

/// Clients that are not named one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every client of the group.
    Group,
    /// Every client of a gate.
    Gate(NodeId),
    /// Who has joined this channel, at whatever gate.
    Channel(String),
}

impl Action {
    /// How many bytes the message has that it sends, with the logins of those
    /// that it is for, if it sends one.
    pub fn message_bytes(&self) -> Option<usize> {
        match self {
            Action::Send { parcel, .. } => Some(LOGIN_BYTES + parcel.body.len()),
            Action::Deliver { logins, parcel, .. } => {
                Some(logins.len() * LOGIN_BYTES + parcel.body.len())
            }
            Action::Broadcast { parcel, .. } => Some(parcel.body.len()),
            Action::Membership { channel, .. } => Some(channel.len()),
            Action::Change { extra_data, .. } => Some(extra_data.len()),
            Action::Close { .. } => Some(0),
            Action::Finished(_) | Action::Left(_) | Action::GroupLost => None,
        }
    }
}
