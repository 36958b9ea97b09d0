//! The gate as a node of its group: which messages it takes, and how it sends
//! its own.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ffrpc::{Credentials, Message, Node, NodeConfig, NodeEvent, Services, Uplink};
use futures_util::future::BoxFuture;
use prost::Message as _;
use protocol::{
    CallError, NodeId, Secret, VitalsSource, method,
    v1::{self, NodeState, Role},
};

use crate::{Gate, GateConfig, Listeners, group::Group, orders, requests, sessions::Sessions};

/// A gate that does not say in time how it stands is not one to send clients to.
const STAND_TIME: Duration = Duration::from_secs(1);

impl Gate {
    /// Starts a gate that joins its group through `uplink`. It takes clients
    /// at once, and tells them `verify_unavailable` until it is in. Has to be
    /// called in a tokio runtime.
    pub fn start(
        config: GateConfig,
        listeners: Listeners,
        uplink: Uplink,
        credentials: impl Into<Credentials>,
        build: String,
    ) -> Gate {
        let Credentials { secret, encryption } = credentials.into();
        let sessions = Arc::new(Sessions::new(&config));
        let node = NodeConfig {
            name: config.name.clone(),
            role: Role::Gate,
            uplink,
            secret,
            encryption,
            call_timeout: config.limits.call_timeout,
            outbox_bytes: config.limits.link_outbox_bytes,
            pair_bytes: config.limits.pair_bytes,
            build,
            ..NodeConfig::default()
        };
        let node = Node::join(node, services(&sessions));
        Gate::with_group(config, listeners, Arc::new(node), sessions)
    }
}

/// What the group tells the gate.
fn services(sessions: &Arc<Sessions>) -> Services {
    let order = |order: fn(&Sessions, NodeId, Bytes)| {
        let sessions = Arc::clone(sessions);
        move |message: Message| order(&sessions, message.source, message.body)
    };
    let of = || Arc::clone(sessions);
    let (of_replace, of_drain, of_events) = (of(), of(), of());
    let (of_stand, of_reserve) = (of(), of());
    Services::new()
        .message(method::GATE_DELIVER, order(orders::deliver))
        .message(method::GATE_CHANNEL, order(orders::channel))
        .message(method::GATE_CHANGE, order(orders::change))
        .message(method::GATE_CLOSE, order(orders::close))
        .message(method::SESSION_LEFT, order(orders::left))
        .message(method::SESSION_FINISHED, order(orders::finished))
        .serve(method::GATE_REPLACE, move |request| {
            requests::replace(&of_replace, request.source, &request.body)
        })
        .serve(method::GATE_STAND, move |request| {
            requests::stand(&of_stand, request.source)
        })
        .serve(method::GATE_RESERVE, move |request| {
            requests::reserve(&of_reserve, request.source, &request.body)
        })
        .serve(method::NODE_DRAIN, move |_| requests::drain(&of_drain))
        .events(move |event| match event {
            NodeEvent::Upserted(node) if node.role == Role::Scene => {
                of_events.node_changed(node.id, &node.name, node.is_ready());
            }
            NodeEvent::Upserted(node) if node.role == Role::Gate => {
                of_events.gates.upsert(node.id, node.is_ready());
            }
            // The others hold no sessions, and come and go.
            NodeEvent::Upserted(_) => {}
            NodeEvent::Removed(node) => {
                of_events.gates.remove(node);
                of_events.node_gone(node);
            }
            NodeEvent::Joined(_) => of_events.group_joined(),
            NodeEvent::Lost => of_events.group_lost(),
            NodeEvent::Unreachable(node) => of_events.reach(node, false),
            NodeEvent::Reachable(node) => of_events.reach(node, true),
            NodeEvent::Exports(_) | NodeEvent::Loads(_) => {}
        })
}

impl Group for Node {
    fn verify(
        &self,
        scene: NodeId,
        request: &v1::VerifyRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let node = self.clone();
        let request = request.encode_to_vec().into();
        Box::pin(async move { node.call(scene, method::SESSION_VERIFY, request).await })
    }

    fn stand(&self, gate: NodeId) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let node = self.clone();
        Box::pin(async move {
            node.call_within(gate, method::GATE_STAND, Bytes::new(), STAND_TIME)
                .await
        })
    }

    fn reserve(
        &self,
        gate: NodeId,
        request: &v1::ReserveRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let node = self.clone();
        let request = request.encode_to_vec().into();
        Box::pin(async move { node.call(gate, method::GATE_RESERVE, request).await })
    }

    fn enter(&self, scene: NodeId, enter: &v1::Enter) -> Result<(), CallError> {
        self.control_message(scene, method::SESSION_ENTER, enter)
    }

    fn frame(&self, scene: NodeId, frame: &v1::Frame) -> Result<(), CallError> {
        self.control_message(scene, method::SESSION_FRAME, frame)
    }

    fn offline(&self, scene: NodeId, offline: &v1::Offline) -> Result<(), CallError> {
        self.control_message(scene, method::SESSION_OFFLINE, offline)
    }

    fn leave(&self, scene: NodeId, leave: &v1::LeaveMarker) -> Result<(), CallError> {
        self.control_message(scene, method::SESSION_LEAVE, leave)
    }

    fn stay(&self, scene: NodeId, stay: &v1::Stay) -> Result<(), CallError> {
        self.control_message(scene, method::SESSION_STAY, stay)
    }

    fn owner_report(&self, owner: NodeId, logins: &v1::Logins) -> Result<(), CallError> {
        self.control_message(owner, method::OWNER_REPORT, logins)
    }

    fn owner_ended(&self, owner: NodeId, ended: &v1::Ended) -> Result<(), CallError> {
        self.control_message(owner, method::OWNER_ENDED, ended)
    }

    fn set_load(&self, sessions: u64) {
        Node::set_load(self, sessions);
    }

    fn set_call_timeout(&self, call_timeout: Duration) {
        Node::set_call_timeout(self, call_timeout);
    }

    fn set_secret(&self, secret: Secret) {
        Node::set_secret(self, secret);
    }

    fn set_vitals(&self, vitals: VitalsSource) {
        Node::set_vitals(self, vitals);
    }

    fn ready(&self) -> BoxFuture<'static, ()> {
        let node = self.clone();
        Box::pin(async move { node.ready().await })
    }

    fn set_draining(&self) {
        self.set_state(NodeState::Draining);
    }

    fn leave_group(&self) -> BoxFuture<'static, ()> {
        let node = self.clone();
        Box::pin(async move { node.leave().await })
    }
}
