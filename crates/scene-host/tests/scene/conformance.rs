//! The host does what `ffext.testing` does: both play the same steps, and see what
//! stands in one file. The other half is python/tests/testing/test_conformance.py.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use ffrpc::Origin;
use protocol::{
    CallError, ErrorKind, Login, NodeId,
    v1::{CloseReason, Role},
};
use scene_host::{Action, Audience, Call, Callee, Event, Parcel, Request, Verdict};
use tokio::sync::oneshot;

use crate::stage::{GATE, PATIENCE, Stage, alone, log};

/// A client that nobody hears of: what it has sent is handled last.
const PROBE: u64 = 1;

/// A frame that is handled as soon as it is read.
const PROBED: u16 = 3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What the bridges and the other groups say.
fn other_groups(call: &Call) -> Result<Bytes, CallError> {
    let fail = |kind, message: &str| Err(CallError::new(kind, message));
    let Callee::Group(group, name) = &call.callee else {
        panic!("{call:?}");
    };
    if group.as_str() != "GroupB" {
        let message = format!("no bridge of this group joins {group}");
        return fail(ErrorKind::NotFound, &message);
    }
    match (call.cmd, name) {
        (1..=3, Some(name)) if name.as_str() != "scene@0" => fail(
            ErrorKind::NotFound,
            &format!("there is no {name} in GroupB"),
        ),
        (1, _) => Ok(call.body.clone()),
        (2, _) => Ok("{".into()),
        (3, _) => fail(ErrorKind::Handler, "not today"),
        (cmd, _) => {
            let message = format!("GroupB does not export service.{cmd} to this group");
            fail(ErrorKind::Forbidden, &message)
        }
    }
}

/// Plays the steps, and what is around the scene.
struct Player {
    stage: Stage,
    clients: BTreeMap<u64, Client>,
    logged: usize,
    out: Vec<String>,
}

/// A client, as its gate knows it.
#[derive(Default)]
struct Client {
    name: String,
    channels: BTreeSet<String>,
    got: Vec<String>,
    closed: Option<&'static str>,
}

impl Player {
    async fn start() -> Self {
        let mut stage = Stage::start_file(&folder().join("main.py")).await;
        stage.network = Some(other_groups);
        stage.joins(GATE, "gate@0", Role::Gate);
        stage.joins(NodeId::new(1, 102), "scene@1", Role::Scene);
        let mut player = Player {
            stage,
            clients: BTreeMap::new(),
            logged: 0,
            out: Vec::new(),
        };
        player.stage.enter("probe", PROBE);
        player.settle(0).await;
        player
    }

    /// Plays a step; returns what was logged meanwhile.
    async fn play(&mut self, step: &str) -> String {
        let (kind, rest) = step.split_once(' ').unwrap();
        let mut frames = 0;
        match kind {
            "verify" => {
                let line = match self.stage.verify(rest).await {
                    Verdict::Accepted { session, reply, .. } => {
                        format!("accepted {session} {}", String::from_utf8_lossy(&reply))
                    }
                    Verdict::Refused(reason) => format!("refused: {reason}"),
                };
                self.out.push(line);
            }
            "enter" => {
                let login = 2 + self.clients.len() as u64;
                let name = rest.to_owned();
                self.clients.insert(
                    login,
                    Client {
                        name,
                        ..Client::default()
                    },
                );
                self.stage.enter(rest, login);
            }
            "eval" | "await" => {
                let (name, text) = rest.split_once(' ').unwrap();
                let cmd = if kind == "eval" { 1 } else { 2 };
                let body = serde_json::to_vec(text).unwrap();
                self.stage.frame(self.login(name), cmd, body);
                frames = 1;
            }
            "frame" | "frames" => {
                let mut parts = rest.splitn(3, ' ');
                let name = parts.next().unwrap();
                let cmd = parts.next().unwrap().parse().unwrap();
                let rest = parts.next().unwrap().to_owned();
                let bodies: Vec<String> = match kind {
                    "frame" => vec![rest],
                    _ => rest.split(' ').map(ToOwned::to_owned).collect(),
                };
                for body in bodies {
                    self.stage.frame(self.login(name), cmd, body);
                    frames += 1;
                }
            }
            "offline" => {
                let login = self.login(rest);
                self.stage.offline(login);
                self.client(login).closed = Some("client");
            }
            "call" => self.call(rest, None).await,
            "across" => {
                let mut parts = rest.splitn(3, ' ');
                let origin = Origin {
                    group: parts.next().unwrap().parse().unwrap(),
                    node: parts.next().unwrap().to_owned(),
                    hops: 1,
                };
                let rest = parts.next().unwrap();
                self.call(rest, Some(Arc::new(origin))).await;
            }
            _ => panic!("no such step: {step}"),
        }
        self.settle(frames).await;
        for client in self.clients.values_mut() {
            self.out.append(&mut client.got);
        }
        let log = log();
        let new = log[self.logged..].to_owned();
        self.logged = log.len();
        new
    }

    async fn call(&mut self, rest: &str, origin: Option<Arc<Origin>>) {
        let (cmd, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let (answer_tx, answer_rx) = oneshot::channel();
        self.stage.push(Event::Request(Box::new(Request {
            cmd: cmd.parse().unwrap(),
            body: body.to_owned().into(),
            deadline: Instant::now() + PATIENCE,
            source: GATE,
            hops: origin
                .as_ref()
                .map_or(0, |origin: &Arc<Origin>| origin.hops),
            origin,
            answer: answer_tx,
        })));
        let answer = self.stage.answer(answer_rx).await;
        self.out.push(match answer {
            Ok(body) => format!("answer {}", String::from_utf8_lossy(&body)),
            Err(error) => {
                // How JSON is wrong, two libraries say in two ways.
                let text = error.message.split("not JSON").next().unwrap();
                format!("failed {}: {text}", error.kind.as_str())
            }
        });
    }

    /// Waits until so many frames are handled, and does what gates do with what the
    /// scene asks for, until it asks for nothing more.
    async fn settle(&mut self, frames: u32) {
        let mut owed = frames;
        loop {
            self.stage.frame(PROBE, PROBED, "0");
            self.stage.finished(owed + 1).await;
            owed = 0;
            let actions = self.stage.take_actions();
            let mut follows = false;
            for action in actions {
                follows |= self.act(action);
            }
            if !follows {
                return;
            }
        }
    }

    /// Returns whether something follows from it.
    fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Send { login, parcel, .. } => self.deliver(login, &parcel),
            Action::Deliver { logins, parcel, .. } => {
                for login in logins {
                    self.deliver(login, &parcel);
                }
            }
            Action::Broadcast { audience, parcel } => {
                let logins: Vec<u64> = self
                    .clients
                    .iter()
                    .filter(|(_, client)| match &audience {
                        Audience::Group => true,
                        Audience::Gate(gate) => *gate == GATE,
                        Audience::Channel(channel) => client.channels.contains(channel),
                    })
                    .map(|(login, _)| *login)
                    .collect();
                for login in logins {
                    self.deliver(Login(login), &parcel);
                }
            }
            Action::Membership {
                login,
                channel,
                leaves,
                ..
            } => {
                let channels = &mut self.client(login.0).channels;
                if leaves {
                    channels.remove(&channel);
                } else {
                    channels.insert(channel);
                }
            }
            Action::Change {
                login,
                to_scene,
                extra_data,
                ..
            } => {
                let extra_data: &'static [u8] = extra_data.to_vec().leak();
                let extra_data = std::str::from_utf8(extra_data).unwrap();
                self.stage.leave(login.0, &to_scene, extra_data);
                self.client(login.0)
                    .channels
                    .insert(format!("to {to_scene}"));
                return true;
            }
            Action::Close { login, reason, .. } => {
                if reason == CloseReason::Replaced {
                    self.client(login.0).closed = Some("replaced");
                    self.say_closed(login.0);
                    return false;
                }
                self.client(login.0).closed = Some("closed_by_scene");
                self.stage.offline(login.0);
                return true;
            }
            Action::Left(left) if left.offline => self.say_closed(left.login.0),
            Action::Left(left) => {
                let client = self.client(left.login.0);
                let to_scene = client
                    .channels
                    .iter()
                    .find_map(|channel| channel.strip_prefix("to "))
                    .unwrap()
                    .to_owned();
                let extra_data = String::from_utf8_lossy(&left.extra_data);
                let line = format!("{} went to {to_scene} with {extra_data}", client.name);
                client.got.push(line);
            }
            _ => {}
        }
        false
    }

    fn deliver(&mut self, login: Login, parcel: &Parcel) {
        if login.0 == PROBE {
            return;
        }
        let client = self.client(login.0);
        if client.closed.is_none() {
            let latest = if parcel.latest { "!" } else { "" };
            let body = String::from_utf8_lossy(&parcel.body);
            let line = format!("{} {}{latest} {body}", client.name, parcel.cmd);
            client.got.push(line);
        }
    }

    fn say_closed(&mut self, login: u64) {
        let client = self.client(login);
        let reason = client.closed.unwrap_or("left");
        let line = format!("{} closed: {reason}", client.name);
        if !client.got.contains(&line) && client.channels.insert("told".to_owned()) {
            client.got.push(line);
        }
    }

    fn client(&mut self, login: u64) -> &mut Client {
        self.clients.get_mut(&login).unwrap()
    }

    /// Of several of one name the newest.
    fn login(&self, name: &str) -> u64 {
        let of_name = self
            .clients
            .iter()
            .filter(|(_, client)| client.name == name);
        *of_name.map(|(login, _)| login).max().unwrap()
    }
}

#[test]
fn the_host_does_what_a_scene_of_a_test_does() {
    alone(|| async {
        let steps = fs::read_to_string(folder().join("steps.txt")).unwrap();
        let mut player = Player::start().await;
        let mut log = String::new();
        let mut expected = Vec::new();
        let mut step = "";
        let mut wrong = Vec::new();
        for line in steps.lines().chain(["> verify []"]) {
            if let Some(next) = line.strip_prefix("> ") {
                if player.out != expected {
                    let (made, expected) = (player.out.join("\n"), expected.join("\n"));
                    wrong.push(format!("> {step}\n{made}\n  instead of\n{expected}"));
                }
                player.out.clear();
                expected.clear();
                step = next;
                log = player.play(step).await;
            } else if let Some(text) = line.strip_prefix("~ ") {
                assert!(
                    log.contains(text),
                    "`{text}` was not logged after {step}:\n{log}"
                );
            } else if !line.starts_with('#') {
                expected.push(line.to_owned());
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    });
}
