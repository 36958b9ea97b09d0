//! The gate as a component: started with its sockets, drained at the end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use daemon::Readiness;
use protocol::{
    NodeName, Secret, VitalsSource,
    client::{CMD_VERIFY, FLAG_NOTICE, encode_frame},
    tls::PublicTls,
    v1::CloseReason,
};
use tokio::{
    net::TcpListener,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use topology::GateMode;
use tracing::info;

use crate::{
    close::FAREWELL_TIME,
    entrance,
    group::Group,
    listener::Acceptor,
    login,
    sessions::{Sessions, Ways},
    shared::{GateConfig, Shared},
    transport::Kind,
};

/// How often the directory is told how many sessions there are.
const LOAD_PACE: Duration = Duration::from_millis(500);
/// How soon a load balancer can know that clients cannot be let in.
const READINESS_PACE: Duration = Duration::from_millis(100);
/// What the closing of connections may take beyond the farewell of each.
const CLOSING_TIME: Duration = Duration::from_millis(300);
/// What clients are told when the gate begins to drain.
const NOTICE: &str = "draining";
/// How long the leaving of the group may take.
const LEAVE_TIME: Duration = Duration::from_millis(500);

/// Where a gate listens.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For clients over TCP.
    pub tcp: Option<TcpListener>,
    /// For clients over WebSocket.
    pub websocket: Option<TcpListener>,
    /// What both show clients, who then have to speak TLS.
    pub tls: Option<PublicTls>,
}

/// What a drain came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Sessions that went by themselves within the grace period.
    pub left: usize,
    /// Sessions that were closed with `draining` at its end.
    pub closed: usize,
    /// Whether every connection was gone when the gate left its group.
    pub clean: bool,
}

/// A running gate.
pub struct Gate {
    shared: Arc<Shared>,
    tcp: Option<SocketAddr>,
    websocket: Option<SocketAddr>,
    /// Everything that the gate has spawned.
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Gate {
    /// Starts a gate on a group that it has been wired to.
    pub(crate) fn with_group(
        config: GateConfig,
        listeners: Listeners,
        group: Arc<dyn Group>,
        sessions: Arc<Sessions>,
    ) -> Gate {
        sessions.join(&group);
        let mut gate = Gate {
            shared: Arc::new(Shared::new(config, listeners.tls, group, sessions)),
            tcp: None,
            websocket: None,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        gate.tcp = gate.listen(listeners.tcp, Kind::Tcp);
        gate.websocket = gate.listen(listeners.websocket, Kind::WebSocket);
        if gate.shared.mode == GateMode::Login {
            gate.tasks.spawn(login::watch(Arc::clone(&gate.shared)));
        }
        let report = report_load(Arc::clone(&gate.shared), gate.stop.clone());
        gate.tasks.spawn(report);
        let shared = Arc::clone(&gate.shared);
        gate.tasks.spawn(async move {
            let Sessions {
                flusher, metrics, ..
            } = &*shared.sessions;
            flusher.run(metrics, shared.leaving.clone()).await;
        });
        gate
    }

    fn listen(&self, listener: Option<TcpListener>, kind: Kind) -> Option<SocketAddr> {
        let listener = listener?;
        let address = listener.local_addr().ok();
        if let Some(address) = address {
            let (transport, tls) = (kind.as_str(), self.shared.entrance.speaks_tls());
            info!(%address, transport, tls, "listening for clients");
        }
        let acceptor = Acceptor {
            listener,
            kind,
            shared: Arc::clone(&self.shared),
            connections: self.tasks.clone(),
            stop: self.stop.clone(),
        };
        self.tasks.spawn(acceptor.run());
        address
    }

    /// Says from now on whether clients can be let in, for whoever sends them here.
    pub fn report_readiness(&self, readiness: Readiness) {
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        self.tasks.spawn(async move {
            let mut ticks = interval(READINESS_PACE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                match shared.obstacle() {
                    None => readiness.set_ready(),
                    Some(reason) => readiness.set_not_ready(reason),
                }
            }
        });
    }

    /// Waits until the gate is in its group.
    pub async fn ready(&self) {
        self.shared.group.ready().await;
    }

    /// Its name in the group.
    pub fn name(&self) -> &NodeName {
        &self.shared.name
    }

    /// How many clients have been let in and are there.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.table.len()
    }

    /// Where clients connect over TCP.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// Where clients connect over WebSocket.
    pub fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket
    }

    /// Lets clients in by these scenes, and within these limits, from now on. Those
    /// who are there stay, and keep to the limits as well.
    pub fn reconfigure(&self, config: &GateConfig) {
        let GateConfig {
            name: _,
            verify,
            enter,
            origins,
            proxies,
            // Those take a restart.
            mode: _,
            advertise_tcp: _,
            advertise_websocket: _,
            limits,
        } = config;
        self.shared.set_limits(limits);
        let rules = entrance::Rules::new(origins.clone(), proxies.clone());
        self.shared.entrance.set_rules(rules);
        let ways = Ways::new(verify.clone(), enter.clone());
        self.shared.sessions.set_ways(ways);
        self.shared.group.set_call_timeout(limits.call_timeout);
    }

    /// Shows this secret when it joins from now on. Where it is, it stays.
    pub fn set_secret(&self, secret: Secret) {
        self.shared.group.set_secret(secret);
    }

    /// Says this of itself, for operators, and what waits for its clients and was lost.
    pub fn set_vitals(&self, vitals: VitalsSource) {
        // The group keeps it, which is part of what is shared.
        let shared = Arc::downgrade(&self.shared);
        self.shared.group.set_vitals(vitals.and(move |vitals| {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let (frames, bytes) = shared.connections.queued();
            vitals.queued_messages += frames as u64;
            vitals.queued_bytes += bytes as u64;
            vitals.dropped += shared.sessions.metrics.lost_so_far();
        }));
    }

    /// Waits until an operator asks for a drain, with `node.drain`.
    pub async fn drain_requested(&self) {
        self.shared.sessions.drain.cancelled().await;
    }

    /// Takes nobody in any more, gives those who are there the notice `draining`
    /// and lets them go on for `grace` or until `forced`, closes who is left with
    /// `draining`, and leaves the group. That takes less than two seconds after
    /// the grace period.
    pub async fn drain(self, grace: Duration, forced: impl Future<Output = ()>) -> Drained {
        let shared = &self.shared;
        self.stop.cancel();
        shared.group.set_draining();
        shared.sessions.tickets.close();
        let notice = encode_frame(CMD_VERIFY, FLAG_NOTICE, NOTICE.as_bytes());
        shared.connections.drain(&notice);
        let before = self.sessions();
        info!(sessions = before, "gate drains");
        tokio::select! {
            _ = timeout(grace, shared.sessions.table.empty()) => {}
            () = forced => {}
        }
        let closed = self.sessions();
        shared.connections.close_all(CloseReason::Draining);
        shared.leaving.cancel();
        self.tasks.close();
        // Scenes end what is left by themselves, once the gate has left.
        let gone = async { tokio::join!(self.tasks.wait(), shared.sessions.table.vacant()) };
        let closing = FAREWELL_TIME + CLOSING_TIME;
        let clean = timeout(closing, gone).await.is_ok() || self.tasks.is_empty();
        let _ = timeout(LEAVE_TIME, shared.group.leave_group()).await;
        let left = before.saturating_sub(closed);
        info!(left, closed, clean, "gate drained");
        Drained {
            left,
            closed,
            clean,
        }
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// A gate that is dropped without a drain takes its connections with it.
impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.leaving.cancel();
        self.shared.connections.close_all(CloseReason::Draining);
    }
}

/// The number of sessions changes all the time, and nobody needs each change.
async fn report_load(shared: Arc<Shared>, stop: CancellationToken) {
    let mut ticks = interval(LOAD_PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {
                shared.group.set_load(shared.sessions.table.len() as u64);
                let connections = &shared.connections;
                let (limit, queued) = (connections.sessions_limit(), connections.queued());
                shared.sessions.metrics.stands(limit, queued);
                shared.sessions.let_tickets_lapse(&*shared.group);
            }
        }
    }
}
