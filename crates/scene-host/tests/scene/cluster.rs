//! A group for a scene: a master, and nodes that speak as gates do.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use broker_master::{Master, MasterConfig};
use bytes::Bytes;
use ffrpc::{Message, Node, NodeConfig, Services, Uplink};
use prost::Message as _;
use protocol::{
    NodeId, Secret, method,
    v1::{self, NodeState, Role},
};
use scene_host::{Scene, SceneConfig};
use tempfile::TempDir;
use tokio::{net::TcpListener, time::timeout};

use crate::stage::{PATIENCE, capture_log, eventually, limits};

/// How long the scene has to end: those who do not leave are offline halfway.
const GRACE: Duration = Duration::from_secs(2);

/// A group with a scene in it.
pub(crate) struct Group {
    master: Master,
    pub(crate) scene: Scene,
    pub(crate) folder: TempDir,
}

impl Group {
    pub(crate) async fn start(script: &str) -> Self {
        capture_log();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = MasterConfig {
            tls: None,
            epoch_file: None,
            name: "master@0".parse().unwrap(),
            group: "test".parse().unwrap(),
            secret: Secret::default(),
            lease: Duration::from_secs(3),
            outbox_bytes: 64 << 20,
            build: "test".to_owned(),
            exports: Default::default(),
        };
        let master = Master::start(config, listener).unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("main.py");
        fs::write(&path, script).unwrap();
        let config = SceneConfig {
            name: "scene@0".parse().unwrap(),
            group: "test".parse().unwrap(),
            script: path,
            python_path: Vec::new(),
            venv: None,
            watch: false,
            state_dir: Some(folder.path().join("state")),
            gates: ["gate@0", "gate@1"]
                .map(|gate| gate.parse().unwrap())
                .into(),
            limits: limits(),
        };
        let uplink = Uplink::Local(master.local());
        let scene = Scene::start(config, uplink, Secret::default())
            .await
            .unwrap();
        timeout(PATIENCE, scene.node().ready()).await.unwrap();
        Group {
            master,
            scene,
            folder,
        }
    }

    /// A gate that the scene knows, to broadcast to it.
    pub(crate) async fn gate(&self, name: &str) -> Gate {
        let gate = self.gate_in_state(name, NodeState::Ready).await;
        gate.report(&[], true);
        let id = gate.node.id().unwrap();
        eventually(
            || self.scene.node().with_role(Role::Gate).contains(&id),
            || "the scene does not know the gate".to_owned(),
        )
        .await;
        gate
    }

    pub(crate) async fn gate_in_state(&self, name: &str, state: NodeState) -> Gate {
        self.member(name, Role::Gate, state).await
    }

    /// Somebody who can say what gates say, and is perhaps none.
    pub(crate) async fn member(&self, name: &str, role: Role, state: NodeState) -> Gate {
        let heard: Heard = Arc::default();
        let services = Services::new().serve(method::GATE_REPLACE, {
            let heard = heard.clone();
            move |request| {
                heard
                    .lock()
                    .unwrap()
                    .push((method::GATE_REPLACE, request.body));
                async { Ok(Bytes::new()) }
            }
        });
        let services = services.serve(method::SESSION_FENCE, |_| async { Ok(Bytes::new()) });
        let services = [
            method::GATE_DELIVER,
            method::GATE_CLOSE,
            method::GATE_CHANGE,
            method::GATE_CHANNEL,
            method::SESSION_FINISHED,
            method::SESSION_LEFT,
        ]
        .into_iter()
        .fold(services, |services, method| {
            let heard = heard.clone();
            services.message(method, move |message: Message| {
                heard.lock().unwrap().push((method, message.body));
            })
        });
        let config = NodeConfig {
            name: name.parse().unwrap(),
            role,
            uplink: Uplink::Local(self.master.local()),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        node.set_state(state);
        timeout(PATIENCE, node.ready()).await.unwrap();
        let scene = "scene@0".parse().unwrap();
        eventually(|| node.resolve(&scene).is_some(), || "no scene".to_owned()).await;
        Gate {
            scene: node.resolve(&scene).unwrap(),
            node,
            heard,
        }
    }

    /// A service that the scene knows.
    pub(crate) async fn service(&self, name: &str, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            uplink: Uplink::Local(self.master.local()),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        timeout(PATIENCE, node.ready()).await.unwrap();
        let name = node.name().clone();
        let is_known = || self.scene.node().resolve(&name).is_some();
        eventually(is_known, || format!("the scene does not know {name}")).await;
        node
    }

    /// How another node joins it.
    pub(crate) fn uplink(&self) -> Uplink {
        Uplink::Local(self.master.local())
    }

    pub(crate) async fn stop(self) {
        timeout(PATIENCE, self.scene.stop(GRACE)).await.unwrap();
        self.master.shutdown().await;
        drop(self.folder);
    }
}

/// Methods and bodies, in the order in which they came.
type Heard = Arc<Mutex<Vec<(&'static str, Bytes)>>>;

/// Speaks as gates do, and keeps what it hears.
pub(crate) struct Gate {
    pub(crate) node: Node,
    pub(crate) scene: NodeId,
    heard: Heard,
}

impl Gate {
    pub(crate) async fn verify(&self, session_key: &str) -> v1::verify_response::Outcome {
        let request = v1::VerifyRequest {
            session_key: session_key.to_owned(),
            online_time: 1_700_000_000,
            ip: "192.0.2.1".to_owned(),
            gate_name: "gate@0".to_owned(),
            ..v1::VerifyRequest::default()
        };
        let body = request.encode_to_vec().into();
        let answer = self.node.call(self.scene, method::SESSION_VERIFY, body);
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        v1::VerifyResponse::decode(answer).unwrap().outcome.unwrap()
    }

    /// Says who is connected here.
    pub(crate) fn report(&self, held: &[(&str, u64)], complete: bool) {
        let held = held.iter().map(|(session, login)| v1::HeldLogin {
            session_id: (*session).to_owned(),
            login: *login,
        });
        let logins = held.collect();
        self.control(method::OWNER_REPORT, &v1::Logins { logins, complete });
    }

    /// Verifies and enters; returns the login.
    pub(crate) async fn enter(&self, session: &str) -> u64 {
        let v1::verify_response::Outcome::Accepted(accepted) = self.verify(session).await else {
            panic!("{session} was turned away");
        };
        let enter = v1::Enter {
            session_id: accepted.session_id,
            login: accepted.login,
            online_time: 1_700_000_000,
            holding: 1,
            ..v1::Enter::default()
        };
        self.control(method::SESSION_ENTER, &enter);
        accepted.login
    }

    pub(crate) fn frame(&self, login: u64, cmd: u32, body: &str) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.control(method::SESSION_FRAME, &v1::Frame { login, cmd, body });
    }

    pub(crate) fn control(&self, method: &'static str, message: &impl prost::Message) {
        self.node
            .control_message(self.scene, method, message)
            .unwrap();
    }

    pub(crate) fn heard(&self, wanted: &str) -> Vec<Bytes> {
        let heard = self.heard.lock().unwrap();
        let wanted = heard.iter().filter(|(method, _)| *method == wanted);
        wanted.map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<(Vec<u64>, String)> {
        let deliveries = self.heard(method::GATE_DELIVER).into_iter();
        deliveries
            .map(|body| v1::Deliver::decode(body).unwrap())
            .map(|deliver| {
                let text = String::from_utf8(deliver.body.to_vec()).unwrap();
                (deliver.logins, format!("{}: {text}", deliver.cmd))
            })
            .collect()
    }

    /// The body of what it was given for clients, in its order.
    pub(crate) fn delivered_message(&self, index: usize) -> v1::Deliver {
        let body = self.heard(method::GATE_DELIVER)[index].clone();
        v1::Deliver::decode(body).unwrap()
    }

    /// Waits until it has heard these, of these methods alone, in this order.
    pub(crate) async fn hears_in_order(&self, wanted: &[&str]) {
        let heard = || {
            let heard = self.heard.lock().unwrap();
            let methods = heard.iter().map(|(method, _)| *method);
            let among = methods.filter(|method| wanted.contains(method));
            among.collect::<Vec<&str>>()
        };
        eventually(
            || heard() == wanted,
            || format!("{wanted:?} expected, {:?} heard", heard()),
        )
        .await;
    }

    pub(crate) fn finished(&self) -> u32 {
        let finished = self.heard(method::SESSION_FINISHED).into_iter();
        finished
            .map(|body| {
                v1::Finished::decode(body)
                    .unwrap()
                    .frames
                    .iter()
                    .sum::<u32>()
            })
            .sum()
    }

    pub(crate) async fn delivered(&self, login: Option<u64>, text: &str) {
        let expected = (Vec::from_iter(login), text.to_owned());
        eventually(
            || self.deliveries().contains(&expected),
            || format!("{expected:?} is not in {:?}", self.deliveries()),
        )
        .await;
    }
}
