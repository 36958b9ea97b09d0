//! The wish of an operator that the scene hands its sessions over and ends.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use protocol::{CallError, ErrorKind, NodeName, v1};
use tokio::sync::watch;
use tracing::info;

use crate::network::peers::Peers;

/// Where such a wish goes to.
#[derive(Debug)]
pub(crate) struct Drains {
    scene: NodeName,
    peers: Arc<Peers>,
    sessions: Arc<AtomicU64>,
    wish: watch::Sender<Option<Wish>>,
}

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The scene that takes the sessions; none holds them for this one's return.
    pub(crate) to_scene: Option<NodeName>,
}

impl Wish {
    /// Where the sessions go, in words.
    fn to(&self) -> &str {
        let to_scene = self.to_scene.as_ref();
        to_scene.map_or("its return", NodeName::as_str)
    }
}

impl Drains {
    pub(crate) fn new(scene: NodeName, peers: Arc<Peers>, sessions: Arc<AtomicU64>) -> Self {
        Drains {
            scene,
            peers,
            sessions,
            wish: watch::Sender::new(None),
        }
    }

    /// The scene ends from now on: where nobody has asked for more, its sessions
    /// are held for its return, and it is too late for anything else. Returns who
    /// takes them.
    pub(crate) fn begin(&self) -> Option<NodeName> {
        let mut to_scene = None;
        self.wish.send_if_modified(|wish| {
            let is_new = wish.is_none();
            let wish = wish.get_or_insert(Wish { to_scene: None });
            to_scene.clone_from(&wish.to_scene);
            is_new
        });
        to_scene
    }

    /// An operator asks for it; says how many sessions there are.
    ///
    /// # Errors
    /// There is no such scene, or the sessions go elsewhere already.
    pub(crate) fn request(&self, to_scene: &str) -> Result<v1::DrainResponse, CallError> {
        let to_scene = match to_scene {
            "" => None,
            name => Some(self.target(name)?),
        };
        let wanted = Wish { to_scene };
        let mut earlier = None;
        self.wish.send_if_modified(|wish| {
            if wish.is_some() {
                earlier.clone_from(wish);
                return false;
            }
            info!(
                to = wanted.to(),
                "told to hand the sessions over and to end"
            );
            *wish = Some(wanted.clone());
            true
        });
        if let Some(earlier) = earlier.filter(|earlier| *earlier != wanted) {
            return Err(CallError::new(
                ErrorKind::Handler,
                format!(
                    "{} is ending already, and its sessions go to {}: wait for that",
                    self.scene,
                    earlier.to()
                ),
            ));
        }
        Ok(v1::DrainResponse {
            sessions: self.sessions.load(Ordering::Relaxed),
        })
    }

    /// Waits until an operator wants it.
    pub(crate) async fn requested(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self.wish.subscribe().wait_for(Option::is_some).await;
    }

    fn target(&self, name: &str) -> Result<NodeName, CallError> {
        let refuse = |reason: String| Err(CallError::new(ErrorKind::Handler, reason));
        let target: NodeName = match name.parse() {
            Ok(target) => target,
            Err(error) => return refuse(format!("no scene is called {name:?}: {error}")),
        };
        if target == self.scene {
            return refuse(format!(
                "{target} cannot hand its sessions to itself: name another scene, or none to hold \
                 them for its return"
            ));
        }
        if self.peers.scene(&target).is_none() {
            return refuse(format!(
                "there is no {target} in the group to take the sessions: start it first, or name \
                 another scene"
            ));
        }
        Ok(target)
    }
}
