//! What the script asks of the network.

use std::{fmt, time::Duration};

use bytes::Bytes;
use protocol::{GroupName, Login, NodeId, NodeName, v1::CloseReason};
pub use session::scene::{Finished, Left};

use crate::{Asked, network::delivery::LOGIN_BYTES};

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
    /// Call a service of another node, of this one, or of another group.
    Call(Call),
    /// Say what the directory has of a node.
    Find {
        /// Which one.
        wanted: Wanted,
        /// What is to be answered.
        asked: Asked,
    },
    /// Tell a gate which frames have been handled.
    Finished(Finished),
    /// Tell a gate that a session is not here any more.
    Left(Left),
    /// The script's thread has heard that the group was lost: what comes behind
    /// this was done in the knowledge of it.
    GroupLost,
}

/// A call of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who offers it.
    pub callee: Callee,
    /// Which service.
    pub cmd: u16,
    /// What it is told.
    pub body: Bytes,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How many bridges the calls have crossed because of which this one is made.
    pub hops: u32,
    /// What is to be answered.
    pub asked: Asked,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A node of the scene's own group.
    Node(NodeName),
    /// A node of another group; of none in particular the one that offers the service
    /// and carries least.
    Group(GroupName, Option<NodeName>),
}

/// A node that is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one of this name.
    Named(NodeName),
    /// Of those whose names begin with this and an `@`, the one that carries least.
    OfRole(String),
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

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Callee::Node(name) => name.fmt(f),
            Callee::Group(group, None) => group.fmt(f),
            Callee::Group(group, Some(name)) => write!(f, "{name} of {group}"),
        }
    }
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
            Action::Call(call) => Some(call.body.len()),
            Action::Close { .. } | Action::Find { .. } => Some(0),
            Action::Finished(_) | Action::Left(_) | Action::GroupLost => None,
        }
    }
}
