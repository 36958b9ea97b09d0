//! A bridge in one of its groups.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use ffrpc::{Node, NodeEvent};
use protocol::GroupName;

use crate::{callers::Callers, room::Room, route::Route};

/// What belongs to one group. Each lock is held for a look-up or a change, and never
/// with another one.
pub(crate) struct Member {
    pub(crate) name: GroupName,
    /// Set once, when all of the bridge's groups are there.
    node: OnceLock<Node>,
    room: Mutex<Room>,
    callers: Mutex<Callers>,
    /// To the bridge's groups in their order; the last is to those that it does not
    /// know.
    routes: Box<[Route]>,
    /// The bridge is in a group there, be it the right one or not.
    joined: AtomicBool,
    /// It is the right one.
    trusted: AtomicBool,
    /// Calls get there.
    reachable: AtomicBool,
}

impl Member {
    /// A group that is not joined yet, one of `groups`.
    pub(crate) fn new(name: GroupName, groups: usize) -> Self {
        Member {
            node: OnceLock::new(),
            room: Mutex::default(),
            callers: Mutex::new(Callers::new(&name)),
            routes: (0..=groups).map(|_| Route::default()).collect(),
            joined: AtomicBool::new(false),
            trusted: AtomicBool::new(false),
            reachable: AtomicBool::new(false),
            name,
        }
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.node.get()
    }

    /// The bridge's node in the group.
    pub(crate) fn set_node(&self, node: Node) {
        let new = self.node.set(node);
        debug_assert!(new.is_ok(), "a group is joined once");
    }

    /// Takes in what happens in the group; `groups` are all of the bridge.
    pub(crate) fn follow(&self, event: &NodeEvent, groups: &[GroupName]) {
        match event {
            NodeEvent::Joined(_) => self.joined.store(true, Ordering::SeqCst),
            NodeEvent::Lost => {
                self.joined.store(false, Ordering::SeqCst);
                self.set_standing(false, false);
            }
            _ => {}
        }
        self.callers().follow(event);
        self.room().follow(event, groups);
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.joined.load(Ordering::SeqCst)
    }

    /// Whether what comes from the group is of the one that the bridge was told.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted.load(Ordering::SeqCst)
    }

    pub(crate) fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::SeqCst)
    }

    pub(crate) fn set_standing(&self, trusted: bool, reachable: bool) {
        self.trusted.store(trusted, Ordering::SeqCst);
        self.reachable.store(reachable, Ordering::SeqCst);
    }

    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn callers(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls to the group at `to`; `None` for one that the bridge does not know.
    pub(crate) fn route(&self, to: Option<usize>) -> &Route {
        let unknown = self.routes.len() - 1;
        &self.routes[to.unwrap_or(unknown)]
    }
}
