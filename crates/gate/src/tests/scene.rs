//! Scenes, and the group around them, that do what a test tells them.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use prost::Message;
use protocol::{
    CallError, ErrorKind, NodeId,
    v1::{
        self, ChangeScene, Close, CloseReason, Deliver, Finished, Left, Membership, Replace,
        VerifyRequest, VerifyResponse, verify_response::Outcome,
    },
};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{self, error::TrySendError},
    },
    time::sleep,
};

use super::eventually;
use crate::{group::Group, orders, requests, sessions::Sessions};

/// The id of `scene@0`, which verifies.
pub(super) const SCENE: NodeId = NodeId::new(1, 7);
/// The id of `scene@1`, which is not there unless a test says so.
pub(super) const OTHER: NodeId = NodeId::new(1, 8);

/// The id of the gate itself, and of another one, as gates know each other.
pub(super) const GATE: NodeId = NodeId::new(1, 1);
pub(super) const NEIGHBOUR: NodeId = NodeId::new(1, 2);

fn no_node() -> CallError {
    CallError::new(ErrorKind::NotFound, "there is no such node")
}

/// A client's frame that is answered with itself.
pub(super) const ECHO: u16 = 1;
/// A client's frame whose handler is not done until [`Scene::finish`].
pub(super) const HANG: u16 = 2;
/// The way to the scene does not take these.
pub(super) const UNSENDABLE: u16 = 3;

type Order = Box<dyn FnOnce(&Sessions) + Send>;

/// What session keys make the verifying scene do: `ok:NAME` lets in, `slow:NAME`
/// does so when it is told to [`answer`](Scene::answer), `no:TEXT` refuses,
/// `raise` fails, `hang` never answers, `late` is superseded, `nonsense` is
/// answered with garbage.
pub(super) struct Scene {
    sessions: Arc<Sessions>,
    told: Mutex<Vec<(NodeId, Told)>>,
    logins: AtomicU64,
    /// What scenes say, in order, and not while the gate speaks to them.
    orders: mpsc::Sender<Order>,
    /// Whether scenes answer the end of a holding by themselves.
    pub(super) answers: AtomicBool,
    /// Whether messages reach the scenes.
    pub(super) present: AtomicBool,
    pub(super) requests: Mutex<Vec<VerifyRequest>>,
    slow: Arc<Semaphore>,
    pub(super) load: AtomicU64,
    /// The gate that the script names, if it does.
    pub(super) sends_to: AtomicU64,
    /// Another gate of the group, that clients may be sent to.
    pub(super) neighbour: OnceLock<Arc<Sessions>>,
    pub(super) draining: AtomicBool,
    pub(super) left: AtomicBool,
}

/// What the gate has told a scene, or the owner.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Enter(String, u64),
    Frame(u64, u16, Bytes),
    Offline(u64),
    Leave(u64, String),
    Stay(u64, String),
    Report(Vec<u64>, bool),
    Ended(u64),
}

impl Told {
    fn is_for_owner(&self) -> bool {
        matches!(self, Told::Report(..) | Told::Ended(_))
    }
}

impl Scene {
    pub(super) fn new(sessions: Arc<Sessions>) -> Self {
        let (orders, mut orders_rx) = mpsc::channel::<Order>(100_000);
        let of_orders = Arc::clone(&sessions);
        tokio::spawn(async move {
            while let Some(order) = orders_rx.recv().await {
                order(&of_orders);
            }
        });
        let scene = Scene {
            sessions,
            told: Mutex::default(),
            logins: AtomicU64::new(100),
            orders,
            answers: AtomicBool::new(true),
            present: AtomicBool::new(true),
            requests: Mutex::default(),
            slow: Arc::new(Semaphore::new(0)),
            load: AtomicU64::new(0),
            sends_to: AtomicU64::new(0),
            neighbour: OnceLock::new(),
            draining: AtomicBool::new(false),
            left: AtomicBool::new(false),
        };
        scene.appear(SCENE, "scene@0");
        scene
    }

    /// Everything that the gate has said to scenes so far.
    pub(super) fn told(&self) -> Vec<Told> {
        let told = self.told.lock().unwrap();
        let told = told.iter().map(|(_, told)| told.clone());
        told.filter(|told| !told.is_for_owner()).collect()
    }

    /// Everything that the gate has said to this scene, and not as the owner.
    pub(super) fn told_to(&self, scene: NodeId) -> Vec<Told> {
        let told = self.told.lock().unwrap();
        let told = told.iter().filter(|(node, _)| *node == scene);
        let told = told.map(|(_, told)| told.clone());
        told.filter(|told| !told.is_for_owner()).collect()
    }

    /// Everything that the gate has said to this node as the owner.
    pub(super) fn told_owner(&self, owner: NodeId) -> Vec<Told> {
        let told = self.told.lock().unwrap();
        let told = told.iter().filter(|(node, _)| *node == owner);
        let told = told.map(|(_, told)| told.clone());
        told.filter(Told::is_for_owner).collect()
    }

    /// The login of a session that has entered.
    pub(super) fn login_of(&self, name: &str) -> u64 {
        let told = self.told();
        let login = told.iter().rev().find_map(|told| match told {
            Told::Enter(entered, login) if entered == name => Some(*login),
            _ => None,
        });
        login.expect("it has not entered")
    }

    /// The bodies of the frames that came of a session.
    pub(super) fn frames_of(&self, name: &str) -> Vec<Bytes> {
        let of = self.login_of(name);
        let frames = self.told().into_iter().filter_map(|told| match told {
            Told::Frame(login, _, body) if login == of => Some(body),
            _ => None,
        });
        frames.collect()
    }

    /// Waits until the scene has heard that a session is offline, and checks
    /// that it hears so once.
    pub(super) async fn offline(&self, login: u64) {
        let count = || {
            let is_offline = |told: &&Told| **told == Told::Offline(login);
            self.told().iter().filter(is_offline).count()
        };
        eventually("the scene hears of the offline", || count() > 0).await;
        assert_eq!(count(), 1);
    }

    pub(super) fn deliver(&self, logins: &[u64], cmd: u32, body: impl Into<Bytes>) {
        self.speak(&Deliver {
            logins: logins.to_vec(),
            cmd,
            body: body.into(),
            ..Deliver::default()
        });
    }

    /// Says what it likes to clients.
    pub(super) fn speak(&self, message: &Deliver) {
        self.order(orders::deliver, SCENE, message);
    }

    pub(super) fn close(&self, login: u64, reason: CloseReason) {
        self.close_by(SCENE, login, reason);
    }

    pub(super) fn close_by(&self, scene: NodeId, login: u64, reason: CloseReason) {
        let message = Close {
            login,
            reason: reason.into(),
        };
        self.order(orders::close, scene, &message);
    }

    pub(super) fn finish(&self, login: u64, frames: u32) {
        self.finish_by(SCENE, login, frames);
    }

    pub(super) fn finish_by(&self, scene: NodeId, login: u64, frames: u32) {
        let message = Finished {
            logins: vec![login],
            frames: vec![frames],
        };
        self.order(orders::finished, scene, &message);
    }

    pub(super) fn change(&self, scene: NodeId, login: u64, holding: u32, to_scene: &str) {
        let message = ChangeScene {
            login,
            holding,
            to_scene: to_scene.to_owned(),
            extra_data: "luggage".into(),
        };
        self.order(orders::change, scene, &message);
    }

    pub(super) fn leaves(&self, scene: NodeId, login: u64, holding: u32, offline: bool) {
        let message = Left {
            login,
            holding,
            offline,
            extra_data: "luggage".into(),
        };
        self.order(orders::left, scene, &message);
    }

    pub(super) fn channel(&self, scene: NodeId, login: u64, channel: &str, leaves: bool) {
        let message = Membership {
            login,
            channel: channel.to_owned(),
            leaves,
        };
        self.order(orders::channel, scene, &message);
    }

    /// The owner ends an older login.
    pub(super) fn replace(
        &self,
        owner: NodeId,
        login: u64,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
        let body = Replace { login }.encode_to_vec().into();
        requests::replace(&self.sessions, owner, &body)
    }

    fn order(&self, order: fn(&Sessions, NodeId, Bytes), source: NodeId, message: &impl Message) {
        let body = message.encode_to_vec().into();
        let order: Order = Box::new(move |sessions| order(sessions, source, body));
        // Nobody takes them at the end of a test.
        let sent = self.orders.try_send(order);
        assert!(!matches!(sent, Err(TrySendError::Full(_))));
    }

    /// Answers the next question that is `slow`.
    pub(super) fn answer(&self) {
        self.slow.add_permits(1);
    }

    /// The login that was given last.
    pub(super) fn last_login(&self) -> u64 {
        self.logins.load(Ordering::SeqCst) - 1
    }

    /// Whether the gate has no session.
    pub(super) fn is_deserted(&self) -> bool {
        self.sessions.table.len() == 0
    }

    /// The group has a scene.
    pub(super) fn appear(&self, node: NodeId, name: &str) {
        self.present.store(true, Ordering::SeqCst);
        self.state(node, name, true);
    }

    /// A scene is ready, or drains.
    pub(super) fn state(&self, node: NodeId, name: &str, ready: bool) {
        self.sessions
            .node_changed(node, &name.parse().unwrap(), ready);
    }

    /// The group loses a scene.
    pub(super) fn vanish(&self, node: NodeId) {
        self.sessions.node_gone(node);
    }

    /// The gate loses the group.
    pub(super) fn lose_group(&self) {
        self.present.store(false, Ordering::SeqCst);
        self.sessions.group_lost();
    }

    fn tell(&self, scene: NodeId, told: Told) -> Result<(), CallError> {
        if !self.present.load(Ordering::SeqCst) {
            return Err(CallError::new(ErrorKind::Unavailable, "scene@0 is gone"));
        }
        self.told.lock().unwrap().push((scene, told));
        Ok(())
    }

    fn decide(&self, key: &str, for_gate: u64) -> Option<Result<Bytes, CallError>> {
        let (what, text) = key.split_once(':').unwrap_or((key, ""));
        let outcome = match what {
            "ok" | "slow" => Outcome::Accepted(v1::Accepted {
                session_id: text.to_owned(),
                login: self.logins.fetch_add(1, Ordering::SeqCst),
                reply: format!("hello {text}").into(),
                gate: match self.sends_to.load(Ordering::SeqCst) {
                    0 => for_gate,
                    gate => gate,
                },
            }),
            "lost" => Outcome::NoGate(text.to_owned()),
            "no" => Outcome::Refused(text.to_owned()),
            "late" => Outcome::Superseded(v1::Superseded {}),
            "nonsense" => return Some(Ok(Bytes::from_static(b"\xff\xff\xff"))),
            "hang" => return None,
            _ => return Some(Err(CallError::new(ErrorKind::Handler, "ZeroDivisionError"))),
        };
        let outcome = Some(outcome);
        Some(Ok(VerifyResponse { outcome }.encode_to_vec().into()))
    }
}

impl Group for Scene {
    fn verify(
        &self,
        _: NodeId,
        request: &VerifyRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        self.requests.lock().unwrap().push(request.clone());
        if !self.present.load(Ordering::SeqCst) {
            let gone = CallError::new(ErrorKind::Unavailable, "scene@0 is gone");
            return Box::pin(ready(Err(gone)));
        }
        match self.decide(&request.session_key, request.for_gate) {
            Some(answer) if request.session_key.starts_with("slow") => {
                let slow = Arc::clone(&self.slow);
                Box::pin(async move {
                    slow.acquire().await.unwrap().forget();
                    answer
                })
            }
            Some(answer) => Box::pin(ready(answer)),
            // As every call does, it ends at some time.
            None => Box::pin(async {
                sleep(Duration::from_secs(1)).await;
                Err(CallError::new(ErrorKind::DeadlineExceeded, "no answer"))
            }),
        }
    }

    fn stand(&self, gate: NodeId) -> BoxFuture<'static, Result<Bytes, CallError>> {
        match self.neighbour.get() {
            Some(neighbour) if gate == NEIGHBOUR => Box::pin(requests::stand(neighbour, GATE)),
            _ => Box::pin(ready(Err(no_node()))),
        }
    }

    fn reserve(
        &self,
        gate: NodeId,
        request: &v1::ReserveRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let body = request.encode_to_vec().into();
        match self.neighbour.get() {
            Some(neighbour) if gate == NEIGHBOUR => {
                Box::pin(requests::reserve(neighbour, GATE, &body))
            }
            _ => Box::pin(ready(Err(no_node()))),
        }
    }

    fn enter(&self, scene: NodeId, enter: &v1::Enter) -> Result<(), CallError> {
        self.tell(scene, Told::Enter(enter.session_id.clone(), enter.login))
    }

    fn frame(&self, scene: NodeId, frame: &v1::Frame) -> Result<(), CallError> {
        let cmd = u16::try_from(frame.cmd).unwrap();
        if cmd == UNSENDABLE {
            return Err(CallError::new(
                ErrorKind::TooLarge,
                "larger than an envelope",
            ));
        }
        self.tell(scene, Told::Frame(frame.login, cmd, frame.body.clone()))?;
        if cmd == ECHO {
            self.deliver(&[frame.login], frame.cmd, frame.body.clone());
        }
        if cmd != HANG {
            self.finish_by(scene, frame.login, 1);
        }
        Ok(())
    }

    fn offline(&self, scene: NodeId, offline: &v1::Offline) -> Result<(), CallError> {
        self.tell(scene, Told::Offline(offline.login))?;
        if self.answers.load(Ordering::SeqCst) {
            self.leaves(scene, offline.login, offline.holding, true);
        }
        Ok(())
    }

    fn leave(&self, scene: NodeId, leave: &v1::LeaveMarker) -> Result<(), CallError> {
        self.tell(scene, Told::Leave(leave.login, leave.to_scene.clone()))?;
        if self.answers.load(Ordering::SeqCst) {
            self.leaves(scene, leave.login, leave.holding, false);
        }
        Ok(())
    }

    fn stay(&self, scene: NodeId, stay: &v1::Stay) -> Result<(), CallError> {
        self.tell(scene, Told::Stay(stay.login, stay.to_scene.clone()))
    }

    fn owner_report(&self, owner: NodeId, logins: &v1::Logins) -> Result<(), CallError> {
        let reported = logins.logins.iter().map(|login| login.login).collect();
        self.tell(owner, Told::Report(reported, logins.complete))
    }

    fn owner_ended(&self, owner: NodeId, ended: &v1::Ended) -> Result<(), CallError> {
        for login in &ended.logins {
            self.tell(owner, Told::Ended(*login))?;
        }
        Ok(())
    }

    fn set_load(&self, sessions: u64) {
        self.load.store(sessions, Ordering::SeqCst);
    }

    fn ready(&self) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn set_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    fn leave_group(&self) -> BoxFuture<'static, ()> {
        self.left.store(true, Ordering::SeqCst);
        Box::pin(ready(()))
    }
}
