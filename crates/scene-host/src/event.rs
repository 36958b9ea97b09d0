//! What the network, and whoever runs the scene, hands the script's thread.

use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{Login, NodeId, SessionId};
use tokio::sync::oneshot;

use crate::{ReloadOutcome, SyntaxProblem};

/// Something for the script's thread to deal with.
#[derive(Debug)]
pub enum Event {
    /// A gate asks whether a client may come in.
    Verify(Box<Verify>),
    /// A session begins.
    Enter(Box<Enter>),
    /// A client sent something.
    Frame {
        /// The gate that it came through.
        gate: NodeId,
        /// The session's login.
        login: Login,
        /// What the client wants.
        cmd: u16,
        /// What it sent.
        body: Bytes,
    },
    /// A client is gone.
    Offline {
        /// The gate that it came through.
        gate: NodeId,
        /// The session's login.
        login: Login,
    },
    /// A gate is gone, and its clients with it.
    GateGone(NodeId),
    /// The scene is out of the group: no gate knows its sessions any more.
    GroupLost,
    /// Load the script, or a module of it, again.
    Reload {
        /// The module; none is the script itself.
        module: Option<String>,
        /// Who wants to know how it went.
        outcome: oneshot::Sender<ReloadOutcome>,
    },
    /// Compile a source without running it.
    Check {
        /// The source.
        source: String,
        /// What it is called in messages.
        file_name: String,
        /// Who wants to know what is wrong with it.
        outcome: oneshot::Sender<Result<(), SyntaxProblem>>,
    },
    /// End, when all sessions have been told, or after this long.
    Stop(Duration),
}

/// A client that wants to come in.
#[derive(Debug)]
pub struct Verify {
    /// The body of its first frame.
    pub session_key: String,
    /// When it connected, Unix time in seconds.
    pub online_time: u64,
    /// Its address, without the port.
    pub ip: String,
    /// The name of the gate that asks.
    pub gate_name: String,
    /// When the gate stops waiting.
    pub deadline: Instant,
    /// Where the verdict goes.
    pub verdict: oneshot::Sender<Verdict>,
}

/// Whether a client may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Accepted {
        /// Who it is.
        session: SessionId,
        /// The number of this login.
        login: Login,
        /// What the client is told.
        reply: Bytes,
    },
    /// It may not, for a reason that it is told.
    Refused(String),
}

/// A session that begins.
#[derive(Clone, Debug)]
pub struct Enter {
    /// The gate that the client is connected to.
    pub gate: NodeId,
    /// Who it is.
    pub session: SessionId,
    /// The number of its login.
    pub login: Login,
    /// When it connected, Unix time in seconds.
    pub online_time: u64,
    /// The scene that it comes from; empty when it has just been let in.
    pub from_scene: String,
    /// What that scene sends along.
    pub extra_data: Bytes,
}
