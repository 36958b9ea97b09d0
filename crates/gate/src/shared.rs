//! What all connections of a gate share.

use std::sync::Arc;

use protocol::NodeName;
use tokio::sync::Semaphore;
use topology::Limits;

use crate::{
    connections::Connections, group::Group, handle::Handle, log_pace::LogPace, metrics::Metrics,
    outbound::Outbound, table::Table, window::SessionWindow,
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
    pub(crate) refusals: Semaphore,
    pub(crate) verify_log: LogPace,
}

/// The part that the group's messages reach too.
pub(crate) struct Sessions {
    pub(crate) table: Table,
    pub(crate) metrics: Metrics,
}

impl Sessions {
    /// None yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Sessions {
            table: Table::new(limits.scene_window_bytes),
            metrics: Metrics::new(),
        }
    }
}

impl Shared {
    pub(crate) fn new(config: GateConfig, group: Arc<dyn Group>, sessions: Arc<Sessions>) -> Self {
        let limits = &config.limits;
        Shared {
            connections: Arc::new(Connections::new(
                limits.sessions_per_gate,
                limits.connections_per_address,
            )),
            refusals: Semaphore::new(REFUSALS),
            verify_log: LogPace::default(),
            config,
            group,
            sessions,
        }
    }

    /// The mailbox of a new connection.
    pub(crate) fn new_handle(&self) -> Handle {
        let limits = &self.config.limits;
        Handle::new(
            Outbound::new(limits.send_queue_frames, limits.send_queue_bytes),
            SessionWindow::new(
                limits.session_window as usize,
                (limits.scene_window_bytes / SHARES).max(limits.frame_bytes),
            ),
        )
    }
}
