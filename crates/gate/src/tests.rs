//! The gate over real sockets, against a scene that plays along in the same
//! process.

mod bad_input;
mod change;
mod channels;
mod compression;
mod cuts;
mod delivery;
mod drain;
mod entrance;
mod hold;
mod latest;
mod life;
mod limits;
mod live;
mod login;
mod owner;
mod pressure;
mod resume;
mod scene;
mod websocket;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use client::{Client, ClientError};
use futures_util::future::BoxFuture;
use protocol::{
    CallError, NodeId,
    client::{Frame, FrameDecoder},
    tls::PublicTls,
    v1,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use topology::Limits;

use crate::{
    Gate, GateConfig, Listeners, group::Group, handle::Handle, outbound::Outbound,
    sessions::Sessions,
};
use scene::Scene;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// The limits of a gate that nobody has touched.
pub(crate) fn limits() -> Limits {
    Limits {
        frame_bytes: 64 * 1024,
        verify_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        send_queue_bytes: 256 * 1024,
        send_queue_frames: 1024,
        frames_per_second: 200,
        frame_burst: 400,
        rate_patience: Duration::from_secs(30),
        resume_time: Duration::from_secs(30),
        resume_bytes: 64 * 1024,
        compress_bytes: 1024,
        sessions_per_gate: 50_000,
        unverified_per_gate: 2_048,
        connections_per_address: 256,
        session_window: 16,
        scene_window_bytes: 16 * 1024 * 1024,
        link_outbox_bytes: 64 * 1024 * 1024,
        pair_bytes: 4 << 20,
        call_timeout: Duration::from_secs(5),
        handler_timeout: Duration::from_secs(30),
        handler_warn: Duration::from_secs(1),
        scene_hold: Duration::from_secs(30),
        lease: Duration::from_secs(3),
        drain_grace: Duration::from_secs(10),
    }
}

/// A gate whose clients are verified by scene@0.
pub(crate) fn config(limits: Limits) -> GateConfig {
    let (name, verify) = ("gate@0".parse().unwrap(), "scene@0".parse().unwrap());
    GateConfig::new(name, verify, limits)
}

/// The mailbox of a session that nobody serves.
pub(crate) fn handle() -> Arc<Handle> {
    Arc::new(Handle::active(Outbound::new(9, 900)))
}

/// A group in which whatever is sent comes to the same.
pub(crate) struct NoGroup(pub(crate) Result<(), CallError>);

impl Group for NoGroup {
    fn verify(
        &self,
        _: NodeId,
        _: &v1::VerifyRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        Box::pin(std::future::pending())
    }

    fn stand(&self, _: NodeId) -> BoxFuture<'static, Result<Bytes, CallError>> {
        Box::pin(std::future::pending())
    }

    fn reserve(
        &self,
        _: NodeId,
        _: &v1::ReserveRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        Box::pin(std::future::pending())
    }

    fn enter(&self, _: NodeId, _: &v1::Enter) -> Result<(), CallError> {
        self.0.clone()
    }

    fn frame(&self, _: NodeId, _: &v1::Frame) -> Result<(), CallError> {
        self.0.clone()
    }

    fn offline(&self, _: NodeId, _: &v1::Offline) -> Result<(), CallError> {
        self.0.clone()
    }

    fn leave(&self, _: NodeId, _: &v1::LeaveMarker) -> Result<(), CallError> {
        self.0.clone()
    }

    fn stay(&self, _: NodeId, _: &v1::Stay) -> Result<(), CallError> {
        self.0.clone()
    }

    fn owner_report(&self, _: NodeId, _: &v1::Logins) -> Result<(), CallError> {
        self.0.clone()
    }

    fn owner_ended(&self, _: NodeId, _: &v1::Ended) -> Result<(), CallError> {
        self.0.clone()
    }

    fn set_load(&self, _: u64) {}

    fn ready(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn set_draining(&self) {}

    fn leave_group(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A gate with its scene.
struct Fixture {
    gate: Gate,
    scene: Arc<Scene>,
}

impl Fixture {
    async fn start() -> Fixture {
        Fixture::with(limits()).await
    }

    async fn with(limits: Limits) -> Fixture {
        Fixture::entering(limits, None).await
    }

    /// A gate whose sessions enter this scene.
    async fn entering(limits: Limits, enter: Option<&str>) -> Fixture {
        let mut config = config(limits);
        config.enter = enter.map(|name| name.parse().unwrap());
        Fixture::configured(config, None).await
    }

    async fn configured(mut config: GateConfig, tls: Option<PublicTls>) -> Fixture {
        let bind = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
        let listeners = Listeners {
            tcp: Some(bind().await),
            websocket: Some(bind().await),
            tls,
        };
        let tcp = listeners.tcp.as_ref().unwrap().local_addr().unwrap();
        config.advertise_tcp = Some(format!("tcp://{tcp}"));
        let sessions = Arc::new(Sessions::new(&config));
        let scene = Arc::new(Scene::new(Arc::clone(&sessions)));
        let gate = Gate::with_group(config, listeners, scene.clone(), sessions);
        Fixture { gate, scene }
    }

    fn tcp(&self) -> SocketAddr {
        self.gate.tcp_address().unwrap()
    }

    fn url(&self) -> String {
        format!("ws://{}/game", self.gate.websocket_address().unwrap())
    }

    async fn client(&self) -> Client {
        Client::connect_tcp(self.tcp()).await.unwrap()
    }

    /// A client that has been let in under this name.
    async fn logged_in(&self, name: &str) -> Client {
        let mut client = self.client().await;
        soon(client.login(&format!("ok:{name}"))).await.unwrap();
        client
    }

    /// A bare socket that speaks for itself.
    async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.tcp()).await.unwrap()
    }

    /// Waits until nothing is left of any connection.
    async fn deserted(&self) {
        eventually("every connection is gone", || {
            self.gate.shared().connections.len() == 0
                && self.gate.shared().sessions.table.seats() == 0
        })
        .await;
    }
}

/// Fails a test that waits for too long.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it took too long")
}

/// Waits for something that no future tells of.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Receives until the gate says why it closes.
async fn reason(client: &mut Client) -> String {
    loop {
        match soon(client.recv()).await {
            Ok(_) => {}
            Err(ClientError::Closed { reason }) => return reason,
            Err(other) => panic!("no reason: {other}"),
        }
    }
}

/// Reads frames off a bare socket until the gate says why it closes, and then
/// until it has closed.
async fn reason_on(socket: &mut TcpStream) -> String {
    let mut buffer = BytesMut::new();
    loop {
        let frame = next_frame(socket, &mut buffer).await;
        if frame.cmd == 0 && frame.flags == 1 {
            let mut rest = Vec::new();
            soon(socket.read_to_end(&mut rest)).await.unwrap();
            assert!(rest.is_empty() && buffer.is_empty(), "words after the last");
            return String::from_utf8(frame.body.into()).unwrap();
        }
    }
}

async fn next_frame(socket: &mut TcpStream, buffer: &mut BytesMut) -> Frame {
    loop {
        if let Some(frame) = FrameDecoder::new(1 << 20).decode(buffer).unwrap() {
            return frame;
        }
        let read = soon(socket.read_buf(buffer)).await.unwrap();
        assert_ne!(read, 0, "closed without a word");
    }
}
