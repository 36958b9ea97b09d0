//! What the network, and whoever runs the scene, hands the script's thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::{NodeRecord, Origin};
use protocol::{CallError, Login, NodeId, NodeName, SessionId};
pub use session::scene::Enter;
use tokio::sync::oneshot;

use crate::{AskId, DatabaseAnswer, ReloadOutcome, SyntaxProblem};

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
        /// The holding that it ends.
        holding: u32,
    },
    /// A session goes to another scene.
    Leave(Box<Leave>),
    /// A gate has refused to send a session to another scene.
    Stay(Box<Stay>),
    /// A gate is gone, and its clients with it.
    GateGone(NodeId),
    /// The scene is out of the group: no gate knows its sessions any more.
    GroupLost,
    /// Somebody waits until no session of a gate that is gone is here any more.
    Fence {
        /// The gate.
        gate: NodeId,
        /// Who waits.
        clear: oneshot::Sender<()>,
    },
    /// A node calls a service of the script.
    Request(Box<Request>),
    /// Something that the script has asked for has been done, or not.
    Answer {
        /// What it has asked for.
        ask: AskId,
        /// How it went.
        answer: Answer,
    },
    /// Load the script, or a module of it, again.
    Reload {
        /// The module; none is the script itself.
        module: Option<String>,
        /// Who wants to know how it went.
        outcome: oneshot::Sender<ReloadOutcome>,
    },
    /// Files of the script have changed: load them, if what is in them has.
    Changed,
    /// Compile a source without running it.
    Check {
        /// The source.
        source: String,
        /// What it is called in messages.
        file_name: String,
        /// Who wants to know what is wrong with it.
        outcome: oneshot::Sender<Result<(), SyntaxProblem>>,
    },
    /// End, when all sessions have left.
    Stop {
        /// How long the end may take.
        grace: Duration,
        /// The scene that takes the sessions; none holds them for the return of
        /// this one.
        to_scene: Option<NodeName>,
    },
}

/// How something went that the script has asked for: a kind for each sort of asker.
#[derive(Debug)]
pub enum Answer {
    /// A service was called; the answer's body.
    Called(Result<Bytes, CallError>),
    /// A node was looked up; `None` if there is none.
    Found(Result<Option<Arc<NodeRecord>>, CallError>),
    /// A database was asked.
    Database(DatabaseAnswer),
    /// Whatever it was, it has ended without a result.
    Lost(CallError),
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

/// A call of a service of the script.
#[derive(Debug)]
pub struct Request {
    /// Which one.
    pub cmd: u16,
    /// What it is told.
    pub body: Bytes,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Who calls; of another group's call, the bridge that carries it.
    pub source: NodeId,
    /// Where it comes from, if that is another group.
    pub origin: Option<Arc<Origin>>,
    /// How many bridges have been crossed by it, or by the calls because of which it is
    /// made.
    pub hops: u32,
    /// Where the answer goes. The caller has given up when it is closed.
    pub answer: oneshot::Sender<Result<Bytes, CallError>>,
}

/// Whether a client may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Accepted {
        /// Who it is.
        session: SessionId,
        /// What the client is told.
        reply: Bytes,
        /// The gate that is to hold it, if the script names one.
        gate: Option<NodeName>,
    },
    /// It may not, for a reason that it is told.
    Refused(String),
}

/// A session that goes to another scene.
#[derive(Clone, Debug)]
pub struct Leave {
    /// The gate that says so.
    pub gate: NodeId,
    /// The session's login.
    pub login: Login,
    /// The holding that ends.
    pub holding: u32,
    /// Where it goes.
    pub to_scene: String,
    /// What goes along, as it was asked for.
    pub extra_data: Bytes,
}

/// A session that stays, since its gate cannot send it where it was to go.
#[derive(Clone, Debug)]
pub struct Stay {
    /// The gate that says so.
    pub gate: NodeId,
    /// The session's login.
    pub login: Login,
    /// Where it was to go.
    pub to_scene: String,
    /// Why not.
    pub reason: String,
}
