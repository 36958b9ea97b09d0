//! A scene, and the group around it, that do what a test tells them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, pending, ready};
use prost::Message;
use protocol::{
    CallError, ErrorKind, NodeId, NodeName,
    v1::{
        self, Close, CloseReason, Deliver, Finished, VerifyRequest, VerifyResponse,
        verify_response::Outcome,
    },
};

use super::eventually;
use crate::{group::Group, orders, shared::Sessions};

/// The scene's id.
pub(super) const SCENE: NodeId = NodeId::new(1, 7);

/// A client's frame that is answered with itself.
pub(super) const ECHO: u16 = 1;
/// A client's frame whose handler is not done until [`Scene::finish`].
pub(super) const HANG: u16 = 2;
/// The way to the scene does not take these.
pub(super) const UNSENDABLE: u16 = 3;

/// What session keys make the scene do: `ok:NAME` lets in, `no:TEXT` refuses,
/// `raise` fails, `hang` never answers, `nonsense` answers with garbage.
pub(super) struct Scene {
    sessions: Arc<Sessions>,
    told: Mutex<Vec<Told>>,
    logins: AtomicU64,
    /// Whether the group has the scene.
    pub(super) present: AtomicBool,
    /// Whether the gate is in the group.
    pub(super) joined: AtomicBool,
    pub(super) requests: Mutex<Vec<VerifyRequest>>,
    pub(super) load: AtomicU64,
    pub(super) draining: AtomicBool,
    pub(super) left: AtomicBool,
    /// Questions that were withdrawn before they were answered.
    pub(super) withdrawn: Arc<AtomicU64>,
}

/// What the gate has told the scene.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Enter(String, u64),
    Frame(u64, u16, Bytes),
    Offline(u64),
}

impl Scene {
    pub(super) fn new(sessions: Arc<Sessions>) -> Self {
        Scene {
            sessions,
            told: Mutex::default(),
            logins: AtomicU64::new(100),
            present: AtomicBool::new(true),
            joined: AtomicBool::new(true),
            requests: Mutex::default(),
            load: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            left: AtomicBool::new(false),
            withdrawn: Arc::default(),
        }
    }

    /// Everything that the gate has said so far.
    pub(super) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
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
        let message = Deliver {
            logins: logins.to_vec(),
            cmd,
            body: body.into(),
        };
        self.order(orders::deliver, &message);
    }

    pub(super) fn close(&self, login: u64, reason: CloseReason) {
        let message = Close {
            login,
            reason: reason.into(),
        };
        self.order(orders::close, &message);
    }

    pub(super) fn finish(&self, login: u64, frames: u32) {
        let message = Finished {
            logins: vec![login],
            frames: vec![frames],
        };
        self.order(orders::finished, &message);
    }

    fn order(&self, order: fn(&Sessions, NodeId, Bytes), message: &impl Message) {
        let body = message.encode_to_vec().into();
        order(&self.sessions, SCENE, body);
    }

    /// Whether the gate has no session.
    pub(super) fn is_deserted(&self) -> bool {
        self.sessions.table.len() == 0
    }

    /// The group loses the scene.
    pub(super) fn vanish(&self) {
        self.present.store(false, Ordering::SeqCst);
        self.sessions.table.close_scene(SCENE);
    }

    /// The gate loses the group.
    pub(super) fn lose_group(&self) {
        self.joined.store(false, Ordering::SeqCst);
        self.sessions.table.close_group();
    }

    fn reach(&self) -> Result<(), CallError> {
        if self.present.load(Ordering::SeqCst) && self.joined.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(CallError::new(ErrorKind::Unavailable, "scene@0 is gone"))
        }
    }

    fn tell(&self, told: Told) -> Result<(), CallError> {
        self.reach()?;
        self.told.lock().unwrap().push(told);
        Ok(())
    }

    fn answer(&self, key: &str) -> Option<Result<Bytes, CallError>> {
        let (what, text) = key.split_once(':').unwrap_or((key, ""));
        let outcome = match what {
            "ok" => Outcome::Accepted(v1::Accepted {
                session_id: text.to_owned(),
                login: self.logins.fetch_add(1, Ordering::SeqCst),
                reply: format!("hello {text}").into(),
            }),
            "no" => Outcome::Refused(text.to_owned()),
            "nonsense" => return Some(Ok(Bytes::from_static(b"\xff\xff\xff"))),
            "hang" => return None,
            _ => return Some(Err(CallError::new(ErrorKind::Handler, "ZeroDivisionError"))),
        };
        let outcome = Some(outcome);
        Some(Ok(VerifyResponse { outcome }.encode_to_vec().into()))
    }
}

impl Group for Scene {
    fn resolve(&self, name: &NodeName) -> Option<NodeId> {
        assert_eq!(name.as_str(), "scene@0");
        self.reach().ok().map(|()| SCENE)
    }

    fn has(&self, node: NodeId) -> bool {
        node == SCENE && self.reach().is_ok()
    }

    fn is_joined(&self) -> bool {
        self.joined.load(Ordering::SeqCst)
    }

    fn verify(
        &self,
        scene: NodeId,
        request: &VerifyRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        assert_eq!(scene, SCENE);
        self.requests.lock().unwrap().push(request.clone());
        match self.answer(&request.session_key) {
            Some(answer) => Box::pin(ready(answer)),
            None => {
                let withdrawal = Withdrawal(Arc::clone(&self.withdrawn));
                Box::pin(async move {
                    let _withdrawal = withdrawal;
                    pending().await
                })
            }
        }
    }

    fn enter(&self, _: NodeId, enter: &v1::Enter) -> Result<(), CallError> {
        self.tell(Told::Enter(enter.session_id.clone(), enter.login))
    }

    fn frame(&self, _: NodeId, frame: &v1::Frame) -> Result<(), CallError> {
        let cmd = u16::try_from(frame.cmd).unwrap();
        if cmd == UNSENDABLE {
            return Err(CallError::new(
                ErrorKind::TooLarge,
                "larger than an envelope",
            ));
        }
        self.tell(Told::Frame(frame.login, cmd, frame.body.clone()))?;
        if cmd == ECHO {
            self.deliver(&[frame.login], frame.cmd, frame.body.clone());
        }
        if cmd != HANG {
            self.finish(frame.login, 1);
        }
        Ok(())
    }

    fn offline(&self, _: NodeId, offline: &v1::Offline) -> Result<(), CallError> {
        self.tell(Told::Offline(offline.login))
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

    fn leave(&self) -> BoxFuture<'static, ()> {
        self.left.store(true, Ordering::SeqCst);
        Box::pin(ready(()))
    }
}

struct Withdrawal(Arc<AtomicU64>);

impl Drop for Withdrawal {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
