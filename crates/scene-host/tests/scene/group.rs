//! A scene in a group: a master, and a node that speaks as gates do.

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
    v1::{self, CloseReason, NodeState, Role},
};
use scene_host::{Scene, SceneConfig};
use tempfile::TempDir;
use tokio::{net::TcpListener, time::timeout};

use crate::stage::{PATIENCE, alone, capture_log, eventually, limits, log, logged};

const SCRIPT: &str = r#"
import ffext

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, [online_time, ip, gate_name]] if session_key else []

@ffext.session_enter_callback
def enter(session, from_scene, extra_data):
    ffext.broadcast_msg_session(1, ["enter", session])

@ffext.session_offline_callback
def offline(session, online_time):
    ffext.broadcast_msg_session(1, ["offline", session, online_time])

@ffext.session_call(2)
def echo(session, message):
    ffext.send_msg_session(session, 2, message)

@ffext.session_call(4)
def large(session, length):
    ffext.send_msg_session(session, 4, b"x" * length)

@ffext.session_call(3)
def close(session, message):
    ffext.close_session(session)
"#;

struct Group {
    master: Master,
    scene: Scene,
    folder: TempDir,
}

impl Group {
    async fn start(script: &str) -> Self {
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
        };
        let master = Master::start(config, listener).unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("main.py");
        fs::write(&path, script).unwrap();
        let config = SceneConfig {
            name: "scene@0".parse().unwrap(),
            script: path,
            python_path: Vec::new(),
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
    async fn gate(&self, name: &str) -> Gate {
        let gate = self.gate_in_state(name, NodeState::Ready).await;
        let id = gate.node.id().unwrap();
        eventually(
            || self.scene.node().with_role(Role::Gate).contains(&id),
            || "the scene does not know the gate".to_owned(),
        )
        .await;
        gate
    }

    async fn gate_in_state(&self, name: &str, state: NodeState) -> Gate {
        let heard: Heard = Arc::default();
        let services = [
            method::GATE_DELIVER,
            method::GATE_CLOSE,
            method::SESSION_FINISHED,
        ]
        .into_iter()
        .fold(Services::new(), |services, method| {
            let heard = heard.clone();
            services.message(method, move |message: Message| {
                heard.lock().unwrap().push((method, message.body));
            })
        });
        let config = NodeConfig {
            name: name.parse().unwrap(),
            role: Role::Gate,
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

    async fn stop(self) {
        timeout(PATIENCE, self.scene.stop(PATIENCE)).await.unwrap();
        self.master.shutdown().await;
        drop(self.folder);
    }
}

type Heard = Arc<Mutex<Vec<(&'static str, Bytes)>>>;

struct Gate {
    node: Node,
    scene: NodeId,
    heard: Heard,
}

impl Gate {
    async fn verify(&self, session_key: &str) -> v1::verify_response::Outcome {
        let request = v1::VerifyRequest {
            session_key: session_key.to_owned(),
            online_time: 1_700_000_000,
            ip: "192.0.2.1".to_owned(),
            gate_name: "gate@0".to_owned(),
        };
        let body = request.encode_to_vec().into();
        let answer = self.node.call(self.scene, method::SESSION_VERIFY, body);
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        v1::VerifyResponse::decode(answer).unwrap().outcome.unwrap()
    }

    /// Verifies and enters; returns the login.
    async fn enter(&self, session: &str) -> u64 {
        let v1::verify_response::Outcome::Accepted(accepted) = self.verify(session).await else {
            panic!("{session} was turned away");
        };
        let enter = v1::Enter {
            session_id: accepted.session_id,
            login: accepted.login,
            online_time: 1_700_000_000,
            ..v1::Enter::default()
        };
        self.control(method::SESSION_ENTER, &enter);
        accepted.login
    }

    fn frame(&self, login: u64, cmd: u32, body: &str) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.control(method::SESSION_FRAME, &v1::Frame { login, cmd, body });
    }

    fn control(&self, method: &'static str, message: &impl prost::Message) {
        self.node
            .control_message(self.scene, method, message)
            .unwrap();
    }

    fn heard(&self, wanted: &str) -> Vec<Bytes> {
        let heard = self.heard.lock().unwrap();
        let wanted = heard.iter().filter(|(method, _)| *method == wanted);
        wanted.map(|(_, body)| body.clone()).collect()
    }

    fn deliveries(&self) -> Vec<(Vec<u64>, String)> {
        let deliveries = self.heard(method::GATE_DELIVER).into_iter();
        deliveries
            .map(|body| v1::Deliver::decode(body).unwrap())
            .map(|deliver| {
                let text = String::from_utf8(deliver.body.to_vec()).unwrap();
                (deliver.logins, format!("{}: {text}", deliver.cmd))
            })
            .collect()
    }

    fn finished(&self) -> u32 {
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

    async fn delivered(&self, login: Option<u64>, text: &str) {
        let expected = (Vec::from_iter(login), text.to_owned());
        eventually(
            || self.deliveries().contains(&expected),
            || format!("{expected:?} is not in {:?}", self.deliveries()),
        )
        .await;
    }
}

#[test]
fn a_gate_verifies_enters_talks_and_is_told_what_is_finished() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let other = group.gate("gate@1").await;

        assert_eq!(
            gate.verify("").await,
            v1::verify_response::Outcome::Refused("refused".to_owned())
        );
        let v1::verify_response::Outcome::Accepted(accepted) = gate.verify("ann").await else {
            panic!("turned away");
        };
        assert_eq!(accepted.reply, r#"[1700000000,"192.0.2.1","gate@0"]"#);

        let login = gate.enter("ann").await;
        assert!(login > accepted.login);
        // Broadcasts reach each gate, once, and name nobody.
        gate.delivered(None, r#"1: ["enter","ann"]"#).await;
        other.delivered(None, r#"1: ["enter","ann"]"#).await;
        assert_eq!(other.deliveries().len(), 1);

        for number in 0..100 {
            gate.frame(login, 2, &number.to_string());
        }
        gate.frame(login, 3, "null");
        eventually(
            || gate.finished() == 101,
            || format!("{} finished", gate.finished()),
        )
        .await;
        let echoes: Vec<_> = gate.deliveries().split_off(1);
        let expected: Vec<_> = (0..100).map(|n| (vec![login], format!("2: {n}"))).collect();
        assert_eq!(echoes, expected);
        let close = v1::Close::decode(gate.heard(method::GATE_CLOSE)[0].clone()).unwrap();
        assert_eq!(
            (close.login, close.reason()),
            (login, CloseReason::ClosedByScene)
        );

        gate.control(method::SESSION_OFFLINE, &v1::Offline { login });
        gate.delivered(None, r#"1: ["offline","ann",1700000000]"#)
            .await;
        group.stop().await;
    });
}

#[test]
fn sessions_of_a_gate_that_leaves_are_offline() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let other = group.gate("gate@1").await;
        gate.enter("ann").await;
        other.enter("bob").await;
        gate.delivered(None, r#"1: ["enter","bob"]"#).await;
        gate.node.leave().await;
        other
            .delivered(None, r#"1: ["offline","ann",1700000000]"#)
            .await;
        group.stop().await;
        // Those who were left were told at the end.
        other
            .delivered(None, r#"1: ["offline","bob",1700000000]"#)
            .await;
    });
}

#[test]
fn whoever_enters_through_a_gate_that_is_still_joining_hears_the_broadcasts() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate_in_state("gate@0", NodeState::Joining).await;
        gate.enter("ann").await;
        gate.delivered(None, r#"1: ["enter","ann"]"#).await;
        group.stop().await;
    });
}

#[test]
fn the_longest_message_that_a_script_may_send_arrives() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let login = gate.enter("ann").await;
        // One byte more is an error, which says how many bytes may be.
        gate.frame(login, 4, &(1 << 20).to_string());
        logged("ValueError: a message has at most").await;
        let log = log();
        let (_, limit) = log.split_once("a message has at most ").unwrap();
        let limit: usize = limit.split(' ').next().unwrap().parse().unwrap();
        gate.frame(login, 4, &(limit + 1).to_string());
        gate.frame(login, 4, &limit.to_string());
        gate.delivered(Some(login), &format!("4: {}", "x".repeat(limit)))
            .await;
        group.stop().await;
    });
}

#[test]
fn the_directory_shows_script_and_load() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let script = || {
            gate.node
                .record(gate.scene)
                .and_then(|record| record.script.clone())
        };
        eventually(
            || script().is_some_and(|script| script.version == 1 && script.hash.len() == 12),
            || format!("{:?}", script()),
        )
        .await;
        fs::write(
            group.folder.path().join("main.py"),
            SCRIPT.replace("echo", "again"),
        )
        .unwrap();
        assert!(group.scene.script().reload(None).await.ok);
        eventually(
            || script().is_some_and(|script| script.version == 2),
            || format!("{:?}", script()),
        )
        .await;
        gate.enter("ann").await;
        let load = || gate.node.record(gate.scene).map(|record| record.load);
        eventually(
            || group.scene.node().record(gate.scene).is_some(),
            || format!("{:?}", load()),
        )
        .await;
        group.stop().await;
    });
}

#[test]
fn messages_that_are_none_harm_nothing() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let login = gate.enter("ann").await;
        let garbage = v1::VerifyRequest {
            session_key: "\u{7f}".repeat(40),
            ..v1::VerifyRequest::default()
        };
        for method in [
            method::SESSION_ENTER,
            method::SESSION_FRAME,
            method::SESSION_OFFLINE,
        ] {
            gate.control(method, &garbage);
        }
        gate.frame(login, 65_536, "no such cmd");
        let body = Bytes::from_static(b"\xff\xff");
        assert!(
            gate.node
                .call(gate.scene, method::SESSION_VERIFY, body)
                .await
                .is_err()
        );
        gate.frame(login, 2, "1");
        gate.delivered(Some(login), "2: 1").await;
        group.stop().await;
    });
}
