//! What all connections of a gate share.

use std::sync::Arc;

use protocol::NodeName;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use topology::Limits;

use crate::{
    backlog::{Bound, Budget},
    connections::{Bounds, Connections},
    group::Group,
    handle::Handle,
    log_pace::LogPace,
    outbound::Outbound,
    pace::Rules,
    sessions::Sessions,
    window::SessionWindow,
};

/// As many clients that get no place are told why at the same time. Beyond
/// that they are dropped without a word: telling costs what there is none of.
const REFUSALS: usize = 64;

/// Which gate this is, and what it allows.
#[derive(Clone, Debug)]
pub struct GateConfig {
    /// The gate's name in the group.
    pub name: NodeName,
    /// The scene that is asked who a client is.
    pub verify: NodeName,
    /// The scene that sessions enter; the one that verified them if `None`.
    pub enter: Option<NodeName>,
    /// What clients may do and how much of it.
    pub limits: Limits,
}

/// How many sessions it takes to fill the window to a scene, unless a frame is
/// more than such a share.
const SHARES: usize = 64;

/// The gate, as its connections see it.
pub(crate) struct Shared {
    pub(crate) config: GateConfig,
    pub(crate) group: Arc<dyn Group>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) rules: Arc<Rules>,
    /// What waits for scenes, of all connections.
    pub(crate) held: Arc<Budget>,
    pub(crate) refusals: Semaphore,
    pub(crate) verify_log: LogPace,
    /// The gate leaves its group: nobody waits for anybody's answer any more.
    pub(crate) leaving: CancellationToken,
}

impl Shared {
    pub(crate) fn new(config: GateConfig, group: Arc<dyn Group>, sessions: Arc<Sessions>) -> Self {
        let limits = &config.limits;
        Shared {
            connections: Arc::new(Connections::new(Bounds {
                sessions: limits.sessions_per_gate,
                unverified: limits.unverified_per_gate,
                of_address: limits.connections_per_address,
            })),
            rules: Arc::new(Rules::new(limits)),
            held: Arc::new(Budget::new(limits.scene_window_bytes)),
            refusals: Semaphore::new(REFUSALS),
            verify_log: LogPace::default(),
            leaving: CancellationToken::new(),
            config,
            group,
            sessions,
        }
    }

    /// The mailbox of a new connection.
    pub(crate) fn new_handle(&self) -> Handle {
        let limits = &self.config.limits;
        Handle::new(Outbound::new(
            limits.send_queue_frames,
            limits.send_queue_bytes,
        ))
    }

    /// The window of a new session.
    pub(crate) fn new_window(&self) -> SessionWindow {
        let Bound { frames, bytes } = self.bound();
        SessionWindow::new(frames, bytes)
    }

    /// How much of a session may wait, here or at its scene.
    pub(crate) fn bound(&self) -> Bound {
        let limits = &self.config.limits;
        Bound {
            frames: limits.session_window as usize,
            bytes: (limits.scene_window_bytes / SHARES).max(limits.frame_bytes),
        }
    }
}
