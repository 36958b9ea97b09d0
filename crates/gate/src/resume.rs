//! Clients that come back: the connection of a session, found by its token, is given
//! another socket.
//!
//! A session that may be resumed has a [`Door`]. Its connection's task goes on without
//! a socket when that is lost, for a while. A client that comes back does so over a new
//! connection, whose task leaves the socket at the door, and closes what is left: the
//! older socket, or its own, if it was not taken.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dashmap::DashMap;
use protocol::{
    client::resume::{Received, ResumeToken},
    v1::CloseReason,
};
use tokio::sync::oneshot;

use crate::{
    arrival::Client, connections::Place, handle::Handle, outbound::Batch, shared::Shared,
    transport::Transport,
};

/// The doors of a gate's sessions, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct Resumables {
    doors: DashMap<ResumeToken, Arc<Door>>,
}

/// Where a client that comes back is waited for.
pub(crate) struct Door {
    /// Of the connection that has the session.
    handle: Arc<Handle>,
    /// Locked for an instruction or two.
    caller: Mutex<Caller>,
}

enum Caller {
    Nobody,
    Waits(Box<Newcomer>),
    /// The session is over.
    Shut,
}

/// A client that has come back, over another connection.
pub(crate) struct Newcomer {
    pub(crate) transport: Transport,
    pub(crate) client: Client,
    pub(crate) place: Place,
    /// How many messages it says have come.
    pub(crate) received: u64,
    /// For the task that has brought it.
    pub(crate) left: oneshot::Sender<Left>,
}

/// What came of it, for the task that has brought a client back.
pub(crate) struct Left {
    /// A socket that is done with, if there is one, and what was being written there.
    pub(crate) socket: Option<(Transport, Batch)>,
    /// What is said there.
    pub(crate) reason: CloseReason,
    /// The client has its session.
    pub(crate) resumed: bool,
}

/// What a connection of a session that may be resumed has for it. Its end closes the door.
pub(crate) struct Resume {
    shared: Arc<Shared>,
    pub(crate) token: ResumeToken,
    door: Arc<Door>,
    /// The client's messages that have come.
    pub(crate) received: Received,
}

impl Resume {
    /// Of a session that has just begun.
    pub(crate) fn new(shared: &Arc<Shared>, token: ResumeToken, handle: &Arc<Handle>) -> Self {
        let door = Arc::new(Door {
            handle: Arc::clone(handle),
            caller: Mutex::new(Caller::Nobody),
        });
        let doors = &shared.resumables.doors;
        doors.insert(token, Arc::clone(&door));
        Resume {
            shared: Arc::clone(shared),
            token,
            door,
            received: Received::default(),
        }
    }

    /// The client, if it has come back.
    pub(crate) fn newcomer(&self) -> Option<Box<Newcomer>> {
        let mut caller = self.door.caller();
        match std::mem::replace(&mut *caller, Caller::Nobody) {
            Caller::Waits(newcomer) => Some(newcomer),
            Caller::Nobody => None,
            Caller::Shut => {
                *caller = Caller::Shut;
                None
            }
        }
    }

    /// It has to wait for a moment longer, unless it has come once more.
    pub(crate) fn put_back(&self, newcomer: Box<Newcomer>) {
        let mut caller = self.door.caller();
        match *caller {
            Caller::Nobody => *caller = Caller::Waits(newcomer),
            Caller::Waits(_) => newcomer.refuse(CloseReason::Replaced),
            Caller::Shut => newcomer.refuse(CloseReason::ResumeRefused),
        }
    }
}

impl Drop for Resume {
    fn drop(&mut self) {
        self.shared.resumables.doors.remove(&self.token);
        let last = std::mem::replace(&mut *self.door.caller(), Caller::Shut);
        if let Caller::Waits(newcomer) = last {
            newcomer.refuse(CloseReason::ResumeRefused);
        }
    }
}

impl Resumables {
    /// Leaves a client at the door of its session. If there is none, it is refused.
    pub(crate) fn knock(&self, token: ResumeToken, newcomer: Box<Newcomer>) {
        let Some(door) = self.doors.get(&token).map(|door| Arc::clone(&door)) else {
            return newcomer.refuse(CloseReason::ResumeRefused);
        };
        let mut caller = door.caller();
        if matches!(*caller, Caller::Shut) {
            drop(caller);
            return newcomer.refuse(CloseReason::ResumeRefused);
        }
        let before = std::mem::replace(&mut *caller, Caller::Waits(newcomer));
        drop(caller);
        if let Caller::Waits(before) = before {
            before.refuse(CloseReason::Replaced);
        }
        door.handle.stir();
    }

    /// How many sessions may be resumed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.doors.len()
    }

    /// For how many of them there is no client.
    #[cfg(test)]
    pub(crate) fn away(&self) -> usize {
        let doors = self.doors.iter();
        doors.filter(|door| door.handle.is_away()).count()
    }
}

impl Newcomer {
    /// It is told why it does not get the session.
    pub(crate) fn refuse(self, reason: CloseReason) {
        let left = Left {
            socket: Some((self.transport, Batch::default())),
            reason,
            resumed: false,
        };
        // Without its task, its socket is closed with it.
        let _ = self.left.send(left);
    }
}

impl Door {
    fn caller(&self) -> MutexGuard<'_, Caller> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}
