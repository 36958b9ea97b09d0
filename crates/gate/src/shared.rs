//! What all connections of a gate share.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use daemon::LogPace;
use protocol::{NodeName, tls::PublicTls};
use session::gate::Scenes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use topology::{GateMode, IpNet, Limits, Topology};

use crate::{
    backlog::{Bound, Budget},
    connections::{Bounds, Connections},
    entrance::{self, Entrance},
    group::Group,
    handle::Handle,
    live::{Amount, Span},
    outbound::{Outbound, SendRoom},
    pace::Rules,
    resume::Resumables,
    sessions::Sessions,
    window::{SessionRoom, SessionWindow},
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
    /// The pages that browsers may come from by WebSocket; empty for any.
    pub origins: Vec<String>,
    /// Whose connections begin with a PROXY header that says who the client is.
    pub proxies: Vec<IpNet>,
    /// Whether it holds sessions, or sends clients to gates that do.
    pub mode: GateMode,
    /// Where clients that are sent here connect by TCP: a URL.
    pub advertise_tcp: Option<String>,
    /// The same by WebSocket.
    pub advertise_websocket: Option<String>,
    /// What clients may do and how much of it.
    pub limits: Limits,
}

impl GateConfig {
    /// A gate that lets clients in by the scene `verify`, within `limits`.
    pub fn new(name: NodeName, verify: NodeName, limits: Limits) -> Self {
        GateConfig {
            name,
            verify,
            enter: None,
            origins: Vec::new(),
            proxies: Vec::new(),
            mode: GateMode::Game,
            advertise_tcp: None,
            advertise_websocket: None,
            limits,
        }
    }

    /// What `topology` says of the gate `name`, if it has it.
    pub fn of(topology: &Topology, name: &NodeName) -> Option<Self> {
        let place = topology.gates.get(name)?;
        let (verify, limits) = (place.verify.clone(), topology.limits.clone());
        Some(GateConfig {
            enter: place.enter.clone(),
            origins: place.origins.clone(),
            proxies: place.proxies.clone(),
            mode: place.mode,
            advertise_tcp: place.advertise_tcp.clone(),
            advertise_websocket: place.advertise_websocket.clone(),
            ..GateConfig::new(name.clone(), verify, limits)
        })
    }
}

/// How many sessions it takes to fill the window to a scene, unless a frame is
/// more than such a share.
const SHARES: usize = 64;

/// The gate, as its connections see it.
pub(crate) struct Shared {
    pub(crate) name: NodeName,
    pub(crate) mode: GateMode,
    pub(crate) group: Arc<dyn Group>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) entrance: Entrance,
    pub(crate) connections: Arc<Connections>,
    pub(crate) rules: Arc<Rules>,
    /// The largest body of a frame from a client.
    frame_bytes: Amount,
    send_room: Arc<SendRoom>,
    /// How long a client that asked for it may be away.
    resume_time: Span,
    pub(crate) resumables: Resumables,
    session_room: Arc<SessionRoom>,
    /// How much of a session may wait, here or at its scene.
    held_frames: Amount,
    held_bytes: Amount,
    /// What waits for scenes, of all connections.
    pub(crate) held: Arc<Budget>,
    pub(crate) refusals: Semaphore,
    pub(crate) verify_log: LogPace,
    /// Held while limits are changed, so that all of them are one file's in the end.
    changing: Mutex<()>,
    /// The gate leaves its group: nobody waits for anybody's answer any more.
    pub(crate) leaving: CancellationToken,
}

impl Shared {
    pub(crate) fn new(
        config: GateConfig,
        tls: Option<PublicTls>,
        group: Arc<dyn Group>,
        sessions: Arc<Sessions>,
    ) -> Self {
        let limits = &config.limits;
        let Bound { frames, bytes } = bound(limits);
        Shared {
            entrance: Entrance::new(tls, entrance::Rules::new(config.origins, config.proxies)),
            connections: Arc::new(Connections::new(Bounds::new(limits))),
            rules: Arc::new(Rules::new(limits)),
            frame_bytes: Amount::new(limits.frame_bytes),
            resume_time: Span::new(limits.resume_time),
            resumables: Resumables::default(),
            send_room: Arc::new(SendRoom::new(limits)),
            session_room: Arc::new(SessionRoom::new(frames, bytes)),
            held_frames: Amount::new(frames),
            held_bytes: Amount::new(bytes),
            held: Arc::new(Budget::new(limits.scene_window_bytes)),
            refusals: Semaphore::new(REFUSALS),
            verify_log: LogPace::default(),
            leaving: CancellationToken::new(),
            changing: Mutex::default(),
            name: config.name,
            mode: config.mode,
            group,
            sessions,
        }
    }

    /// The mailbox of a new connection.
    pub(crate) fn new_handle(&self) -> Handle {
        Handle::new(Outbound::within(&self.send_room))
    }

    /// The window of a new session.
    pub(crate) fn new_window(&self) -> SessionWindow {
        SessionWindow::within(&self.session_room)
    }

    /// How much of a session may wait, here or at its scene.
    pub(crate) fn bound(&self) -> Bound {
        Bound {
            frames: self.held_frames.get(),
            bytes: self.held_bytes.get(),
        }
    }

    /// The largest body of a frame from a client.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.frame_bytes.get()
    }

    /// How long a client that asks for it may be away, if it may at all.
    pub(crate) fn resume_time(&self) -> Option<Duration> {
        Some(self.resume_time.get()).filter(|time| !time.is_zero())
    }

    /// Why a client that came now could not be let in.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        let (sessions, verify) = (&self.sessions, self.sessions.ways().verify);
        if !sessions.is_in_group() {
            Some("out of the group")
        } else if sessions.directory.ready(&verify).is_none() {
            Some("the scene that verifies clients is not in the group")
        } else if self.mode == GateMode::Login && !sessions.gates.has_room(&verify) {
            Some("there is no gate to send clients to")
        } else if sessions.table.len() >= self.connections.sessions_limit() {
            Some("full")
        } else {
            None
        }
    }

    /// Other limits from now on, for those who are there as well.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Bound { frames, bytes } = bound(limits);
        self.rules.set(limits);
        self.frame_bytes.set(limits.frame_bytes);
        self.send_room.set(limits);
        self.resume_time.set(limits.resume_time);
        self.session_room.set(frames, bytes);
        self.held_frames.set(frames);
        self.held_bytes.set(bytes);
        self.held.set(limits.scene_window_bytes);
        self.connections.set_limits(limits);
        self.sessions.set_limits(limits);
        self.connections.stir_all();
    }
}

/// How much of a session may wait, here or at its scene.
fn bound(limits: &Limits) -> Bound {
    Bound {
        frames: limits.session_window as usize,
        bytes: (limits.scene_window_bytes / SHARES).max(limits.frame_bytes),
    }
}
