//! The gate in a real group: a master, the node runtime, and a scene made of
//! nothing but messages.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use broker_master::{Master, MasterConfig};
use bytes::Bytes;
use client::{Client, ClientError};
use ffrpc::{Node, NodeConfig, NodeEvent, Request, Services, Uplink};
use gate::{Gate, GateConfig, Listeners};
use prost::Message as _;
use protocol::{
    CallError, NodeId, Secret, method,
    v1::{self, Role, verify_response::Outcome},
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};
use topology::Limits;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "open sesame";

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it took too long")
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn master(listener: TcpListener) -> Master {
    master_with(listener, None)
}

fn master_with(listener: TcpListener, epoch_file: Option<PathBuf>) -> Master {
    let config = MasterConfig {
        tls: None,
        epoch_file,
        name: "master@0".parse().unwrap(),
        group: "test".parse().unwrap(),
        secret: Secret::new(SECRET),
        lease: Duration::from_secs(1),
        outbox_bytes: 64 << 20,
        build: "test".to_owned(),
        exports: Default::default(),
    };
    Master::start(config, listener).unwrap()
}

fn limits() -> Limits {
    Limits {
        frame_bytes: 64 * 1024,
        verify_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        send_queue_bytes: 256 * 1024,
        send_queue_frames: 1024,
        frames_per_second: 1_000_000,
        frame_burst: 1_000_000,
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
        lease: Duration::from_secs(1),
        drain_grace: Duration::from_secs(10),
    }
}

async fn gate(uplink: Uplink, enter: Option<&str>) -> Gate {
    let (name, verify) = ("gate@0".parse().unwrap(), "scene@0".parse().unwrap());
    let config = GateConfig {
        enter: enter.map(|name| name.parse().unwrap()),
        ..GateConfig::new(name, verify, limits())
    };
    let listeners = Listeners {
        tcp: Some(listener().await),
        websocket: None,
        tls: None,
    };
    let secret = Secret::new(SECRET);
    let gate = Gate::start(config, listeners, uplink, secret, "test".to_owned());
    soon(gate.ready()).await;
    gate
}

/// Lets everybody in under the name that is the key, echoes every frame, and
/// remembers who is there.
#[derive(Default)]
struct Scene {
    node: OnceLock<Node>,
    logins: AtomicU64,
    present: Mutex<Vec<(String, u64, NodeId)>>,
    /// The holding of who has entered last.
    holding: AtomicU64,
}

impl Scene {
    async fn start(name: &str, uplink: Uplink) -> Arc<Scene> {
        let scene = Arc::new(Scene::default());
        let services = Services::new()
            .serve(method::SESSION_VERIFY, {
                let scene = Arc::clone(&scene);
                move |request| scene.verify(&request)
            })
            .message(method::SESSION_ENTER, {
                let scene = Arc::clone(&scene);
                move |message| {
                    let enter = v1::Enter::decode(message.body).unwrap();
                    scene.holding.store(enter.holding.into(), Ordering::SeqCst);
                    let entered = (enter.session_id, enter.login, message.source);
                    scene.present.lock().unwrap().push(entered);
                }
            })
            .message(method::SESSION_FRAME, {
                let scene = Arc::clone(&scene);
                move |message| scene.echo(message.source, message.body)
            })
            .message(method::SESSION_OFFLINE, {
                let scene = Arc::clone(&scene);
                move |message| {
                    let v1::Offline { login, holding } = v1::Offline::decode(message.body).unwrap();
                    scene.release(message.source, login, holding, true);
                }
            })
            .message(method::SESSION_LEAVE, {
                let scene = Arc::clone(&scene);
                move |message| {
                    let marker = v1::LeaveMarker::decode(message.body).unwrap();
                    scene.release(message.source, marker.login, marker.holding, false);
                }
            })
            // The word that a gate is gone may overtake its last messages.
            .events({
                let scene = Arc::clone(&scene);
                move |event| {
                    if let NodeEvent::Removed(node) = event {
                        let mut present = scene.present.lock().unwrap();
                        present.retain(|(.., gate)| *gate != node);
                    }
                }
            });
        let config = NodeConfig {
            name: name.parse().unwrap(),
            role: Role::Scene,
            uplink,
            secret: Secret::new(SECRET),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        soon(node.ready()).await;
        assert!(scene.node.set(node).is_ok());
        scene
    }

    fn verify(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
        let asked = v1::VerifyRequest::decode(request.body.clone()).unwrap();
        let accepted = v1::Accepted {
            session_id: asked.session_key.clone(),
            login: 1 + self.logins.fetch_add(1, Ordering::SeqCst),
            reply: format!("hello {}", asked.session_key).into(),
            ..v1::Accepted::default()
        };
        let outcome = Some(Outcome::Accepted(accepted));
        let response = v1::VerifyResponse { outcome }.encode_to_vec();
        async { Ok(response.into()) }
    }

    /// A session goes, and so the scene says.
    fn release(&self, gate: NodeId, login: u64, holding: u32, offline: bool) {
        let mut present = self.present.lock().unwrap();
        present.retain(|(_, present, _)| *present != login);
        let left = v1::Left {
            login,
            holding,
            offline,
            extra_data: Bytes::new(),
        };
        let node = self.node.get().unwrap();
        node.control_message(gate, method::SESSION_LEFT, &left)
            .unwrap();
    }

    fn echo(&self, gate: NodeId, frame: Bytes) {
        let v1::Frame { login, cmd, body } = v1::Frame::decode(frame).unwrap();
        let node = self.node.get().unwrap();
        let deliver = v1::Deliver {
            logins: vec![login],
            cmd,
            body,
            ..Default::default()
        };
        node.notify_message(gate, method::GATE_DELIVER, &deliver)
            .unwrap();
        let finished = v1::Finished {
            logins: vec![login],
            frames: vec![1],
        };
        node.control_message(gate, method::SESSION_FINISHED, &finished)
            .unwrap();
    }

    /// Asks for the only session to go to another scene.
    fn send_away(&self, to: &str) {
        let (_, login, gate) = self.present.lock().unwrap()[0].clone();
        let change = v1::ChangeScene {
            login,
            holding: self.holding.load(Ordering::SeqCst) as u32,
            to_scene: to.to_owned(),
            extra_data: Bytes::new(),
        };
        let node = self.node.get().unwrap();
        node.control_message(gate, method::GATE_CHANGE, &change)
            .unwrap();
    }

    fn present(&self) -> Vec<String> {
        let present = self.present.lock().unwrap();
        present.iter().map(|(name, ..)| name.clone()).collect()
    }

    /// Gives its only session away, and leaves.
    async fn hand_over(&self, to: &str) {
        self.node.get().unwrap().set_state(v1::NodeState::Draining);
        self.send_away(to);
        eventually("it has gone", || self.present().is_empty()).await;
        self.leave().await;
    }

    async fn leave(&self) {
        soon(self.node.get().unwrap().leave()).await;
    }
}

async fn logged_in(gate: SocketAddr, name: &str) -> Client {
    let mut client = Client::connect_tcp(gate).await.unwrap();
    let welcome = soon(client.login(name)).await.unwrap();
    assert_eq!(welcome.reply, format!("hello {name}"));
    client
}

/// As [`logged_in`], as soon as the gate has heard of the scene.
async fn logged_in_later(gate: SocketAddr, name: &str) -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut client = Client::connect_tcp(gate).await.unwrap();
        match soon(client.login(name)).await {
            Ok(_) => return client,
            Err(ClientError::Refused { reason }) => {
                assert!(["verify_unavailable", "scene_lost"].contains(&&*reason));
            }
            Err(other) => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "nobody is ever let in");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn echoes(client: &mut Client, body: &str) {
    client.send(7, body.as_bytes()).await.unwrap();
    let echo = soon(client.recv()).await.unwrap();
    assert_eq!((echo.cmd, &echo.body[..]), (7, body.as_bytes()));
}

async fn reason(client: &mut Client) -> String {
    loop {
        match soon(client.recv()).await {
            Ok(_) => {}
            Err(ClientError::Closed { reason }) => return reason,
            Err(other) => panic!("no reason: {other}"),
        }
    }
}

async fn lives_a_life(gate: Gate, scene: Arc<Scene>) {
    let address = gate.tcp_address().unwrap();
    let mut alice = logged_in_later(address, "alice").await;
    let bob = logged_in(address, "bob").await;
    echoes(&mut alice, "one").await;
    echoes(&mut alice, "two").await;
    eventually("both are present", || scene.present() == ["alice", "bob"]).await;
    drop(bob);
    eventually("bob is offline", || scene.present() == ["alice"]).await;

    let drained = tokio::spawn(gate.drain(Duration::ZERO, std::future::pending()));
    assert_eq!(reason(&mut alice).await, "draining");
    drop(alice);
    assert!(soon(drained).await.unwrap().clean);
    eventually("alice is offline", || scene.present().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_lives_over_memory_links() {
    let master = master(listener().await);
    let scene = Scene::start("scene@0", Uplink::Local(master.local())).await;
    let gate = gate(Uplink::Local(master.local()), None).await;
    lives_a_life(gate, scene).await;
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_lives_over_sockets() {
    let master = master(listener().await);
    let scene = Scene::start("scene@0", Uplink::Remote(master.address())).await;
    let gate = gate(Uplink::Remote(master.address()), None).await;
    lives_a_life(gate, scene).await;
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verified_session_enters_the_scene_that_the_gate_names() {
    let master = master(listener().await);
    let local = || Uplink::Local(master.local());
    let verifier = Scene::start("scene@0", local()).await;
    let lobby = Scene::start("scene@1", local()).await;
    let gate = gate(local(), Some("scene@1")).await;
    let mut alice = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    echoes(&mut alice, "hi").await;
    assert_eq!(lobby.present(), ["alice"]);
    assert!(verifier.present().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_waits_for_its_scene_to_come_back_and_goes_on() {
    let master = master(listener().await);
    let local = || Uplink::Local(master.local());
    let gate = gate(local(), None).await;
    let mut scene = Scene::start("scene@0", local()).await;
    let mut alice = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    for round in 0..5 {
        echoes(&mut alice, &format!("round {round}")).await;
        scene.hand_over("scene@0").await;
        alice.send(7, b"while it is away").await.unwrap();
        scene = Scene::start("scene@0", local()).await;
        let echo = soon(alice.recv()).await.unwrap();
        assert_eq!(&echo.body[..], b"while it is away");
        assert_eq!(scene.present(), ["alice"]);
    }
    assert_eq!(gate.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_bounces_between_two_scenes_under_traffic_and_nothing_is_lost() {
    const FRAMES: u32 = 20_000;
    let master = master(listener().await);
    let remote = || Uplink::Remote(master.address());
    let scenes = [
        Scene::start("scene@0", remote()).await,
        Scene::start("scene@1", remote()).await,
    ];
    let gate = gate(remote(), None).await;
    let client = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    let (mut sender, mut receiver) = client.split();
    let sending = tokio::spawn(async move {
        for number in 0..FRAMES {
            sender.send(7, &number.to_le_bytes()).await.unwrap();
        }
        sender
    });
    let stop = Arc::new(AtomicU64::new(0));
    let bouncing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut changes = 0;
            while stop.load(Ordering::SeqCst) == 0 {
                let (from, to) = (changes % 2, ["scene@1", "scene@0"][changes % 2]);
                let scene = &scenes[from];
                eventually("it is here", || !scene.present().is_empty()).await;
                scene.send_away(to);
                eventually("it has gone", || scene.present().is_empty()).await;
                changes += 1;
            }
            changes
        }
    });
    // Replies of two scenes may overtake each other; no frame is missing or twice.
    let mut seen = vec![false; FRAMES as usize];
    for _ in 0..FRAMES {
        let echo = soon(receiver.recv()).await.unwrap();
        let number = u32::from_le_bytes(echo.body[..4].try_into().unwrap());
        assert!(!std::mem::replace(&mut seen[number as usize], true));
    }
    stop.store(1, Ordering::SeqCst);
    let changes = soon(bouncing).await.unwrap();
    assert!(changes > 10, "{changes}");
    drop(soon(sending).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_drain_is_answered_and_heard() {
    let master = master(listener().await);
    let local = || Uplink::Local(master.local());
    let scene = Scene::start("scene@0", local()).await;
    let gate = gate(local(), None).await;
    let _alice = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    let node = scene.node.get().unwrap();
    let id = node.resolve(&"gate@0".parse().unwrap()).unwrap();
    let request = v1::DrainRequest::default();
    let response: v1::DrainResponse = soon(node.call_message(id, method::NODE_DRAIN, &request))
        .await
        .unwrap();
    assert_eq!(response.sessions, 1);
    soon(gate.drain_requested()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_when_the_master_has_been_away() {
    let folder = tempfile::tempdir().unwrap();
    let epoch_file = Some(folder.path().join("epoch"));
    let first = master_with(listener().await, epoch_file.clone());
    let address = first.address();
    let _scene = Scene::start("scene@0", Uplink::Remote(address)).await;
    let gate = gate(Uplink::Remote(address), None).await;
    let mut alice = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    echoes(&mut alice, "before").await;
    first.shutdown().await;
    let again = TcpListener::bind(address).await.unwrap();
    let _second = master_with(again, epoch_file);
    echoes(&mut alice, "after").await;
    assert_eq!(gate.sessions(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate_whose_lease_ends_closes_its_sessions_and_takes_new_ones_later() {
    let first = master(listener().await);
    let address = first.address();
    let scene = Scene::start("scene@0", Uplink::Remote(address)).await;
    let gate = gate(Uplink::Remote(address), None).await;
    let mut alice = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    echoes(&mut alice, "before").await;
    first.shutdown().await;
    // A master that knows nothing of an earlier run honours no held id.
    let again = TcpListener::bind(address).await.unwrap();
    let _second = master(again);
    let reason = reason(&mut alice).await;
    assert!(["group_lost", "scene_lost"].contains(&&*reason), "{reason}");
    soon(gate.ready()).await;
    let mut alice = logged_in_later(gate.tcp_address().unwrap(), "alice").await;
    echoes(&mut alice, "after").await;
    drop(scene);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_frames_in_flight_are_answered_once_and_in_order() {
    let master = master(listener().await);
    let _scene = Scene::start("scene@0", Uplink::Remote(master.address())).await;
    let gate = gate(Uplink::Remote(master.address()), None).await;
    let address = gate.tcp_address().unwrap();
    drop(logged_in_later(address, "somebody").await);
    let clients: Vec<_> = (0..100)
        .map(|client| {
            tokio::spawn(async move {
                let client = logged_in(address, &format!("client{client}")).await;
                let (mut sender, mut receiver) = client.split();
                for number in 0..100u32 {
                    sender.feed(7, &number.to_le_bytes()).await.unwrap();
                }
                sender.flush().await.unwrap();
                for number in 0..100u32 {
                    let echo = receiver.recv().await.unwrap();
                    assert_eq!(&echo.body[..], number.to_le_bytes());
                }
            })
        })
        .collect();
    for client in clients {
        soon(client).await.unwrap();
    }
    eventually("everybody is gone", || gate.sessions() == 0).await;
}
