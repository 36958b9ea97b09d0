//! The sessions that have been let in, found by the number of their login.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dashmap::{DashMap, mapref::entry::Entry};
use protocol::{Login, NodeId, v1::CloseReason};
use tokio::sync::Notify;

use crate::{handle::Handle, window::SceneWindow};

/// Every active session of the gate. Sessions are independent of each other,
/// so the map is sharded by login, and no guard of it lives past a look-up.
#[derive(Debug)]
pub(crate) struct Table {
    seats: DashMap<Login, Seat>,
    /// Sessions that have gone while frames of theirs were on their way: those
    /// take room until their scene has finished them. So a client that comes,
    /// sends and goes, over and over, fills no more than the window.
    leaving: DashMap<Login, Seat>,
    /// The windows that the sessions of one scene share.
    windows: DashMap<NodeId, Arc<SceneWindow>>,
    window_bytes: usize,
    count: AtomicUsize,
    emptied: Notify,
}

/// An active session: its connection, and the scene that holds it.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) handle: Arc<Handle>,
    pub(crate) window: Arc<SceneWindow>,
}

/// A login number is in the table already. Verifying scenes never give one
/// twice, so this is a fault of theirs.
#[derive(Debug, thiserror::Error)]
#[error("login {0} is taken")]
pub(crate) struct Taken(pub(crate) Login);

impl Table {
    /// An empty one; `window_bytes` may be on their way to each scene.
    pub(crate) fn new(window_bytes: usize) -> Self {
        Table {
            seats: DashMap::new(),
            leaving: DashMap::new(),
            windows: DashMap::new(),
            window_bytes,
            count: AtomicUsize::new(0),
            emptied: Notify::new(),
        }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Seats a session of `scene`.
    pub(crate) fn insert(
        &self,
        login: Login,
        scene: NodeId,
        handle: Arc<Handle>,
    ) -> Result<Arc<SceneWindow>, Taken> {
        let window = Arc::clone(
            &self
                .windows
                .entry(scene)
                .or_insert_with(|| Arc::new(SceneWindow::new(scene, self.window_bytes))),
        );
        match self.seats.entry(login) {
            Entry::Occupied(_) => Err(Taken(login)),
            Entry::Vacant(vacant) => {
                vacant.insert(Seat {
                    handle,
                    window: Arc::clone(&window),
                });
                self.count.fetch_add(1, Ordering::Relaxed);
                Ok(window)
            }
        }
    }

    /// Unseats a session, whose connection is closing and sends no more.
    pub(crate) fn remove(&self, login: Login) {
        let Some(seat) = self.get(login) else {
            return;
        };
        // It is in one table or the other at any time, so that no word of a
        // finished frame misses it.
        if seat.handle.has_unfinished() {
            self.leaving.insert(login, seat.clone());
        }
        if self.seats.remove(&login).is_some() && self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_waiters();
        }
        if !seat.handle.has_unfinished() || seat.window.is_retired() {
            self.leaving.remove(&login);
        }
    }

    /// The scene has finished frames of a session. Only the scene that was sent
    /// them can have.
    pub(crate) fn finish(&self, scene: NodeId, login: Login, frames: u32) {
        let leaving = || self.leaving.get(&login).map(|seat| seat.clone());
        let Some(seat) = self.get(login).or_else(leaving) else {
            return;
        };
        if seat.window.scene() != scene {
            return;
        }
        let (weight, last) = seat.handle.finish(frames);
        seat.window.free(weight);
        if last {
            self.leaving.remove(&login);
        }
    }

    /// The session of a login.
    pub(crate) fn get(&self, login: Login) -> Option<Seat> {
        self.seats.get(&login).map(|seat| seat.clone())
    }

    /// Shows every session to `visit`, which must not come back to the table.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Seat)) {
        for entry in &self.seats {
            visit(entry.value());
        }
    }

    /// Asks the sessions of a scene that is gone to end.
    pub(crate) fn close_scene(&self, scene: NodeId) {
        let Some((_, window)) = self.windows.remove(&scene) else {
            return;
        };
        window.retire();
        self.leaving.retain(|_, seat| seat.window.scene() != scene);
        self.for_each(|seat| {
            if seat.window.scene() == scene {
                seat.handle.close(CloseReason::SceneLost);
            }
        });
    }

    /// Asks every session to end: the gate has lost its group. Whoever is
    /// seated from now on belongs to its next life.
    pub(crate) fn close_group(&self) {
        self.windows.retain(|_, window| {
            window.retire();
            false
        });
        self.leaving.clear();
        self.for_each(|seat| seat.handle.close(CloseReason::GroupLost));
    }

    /// Waits until there is no session.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbound::{Batch, Outbound},
        window::SessionWindow,
    };

    fn handle() -> Arc<Handle> {
        Arc::new(Handle::new(
            Outbound::new(9, 900),
            SessionWindow::new(2, 1_000),
        ))
    }

    fn asked(handle: &Handle) -> Option<CloseReason> {
        handle.collect(&mut Batch::default()).asked
    }

    #[test]
    fn login_is_seated_once() {
        let table = Table::new(1_000);
        let scene = NodeId::new(1, 1);
        table.insert(Login(1), scene, handle()).unwrap();
        assert!(table.insert(Login(1), scene, handle()).is_err());
        assert_eq!(table.len(), 1);
        table.remove(Login(1));
        table.remove(Login(1));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn scene_that_is_gone_takes_its_own_sessions_and_no_others() {
        let table = Table::new(1_000);
        let (lost, kept) = (handle(), handle());
        let scene = NodeId::new(1, 1);
        table.insert(Login(1), scene, lost.clone()).unwrap();
        table
            .insert(Login(2), NodeId::new(1, 2), kept.clone())
            .unwrap();
        table.close_scene(scene);
        assert_eq!(asked(&lost), Some(CloseReason::SceneLost));
        assert_eq!(asked(&kept), None);
    }

    #[test]
    fn frames_of_a_session_that_has_gone_take_room_until_they_are_finished() {
        let table = Table::new(1_000);
        let scene = NodeId::new(1, 1);
        let gone = handle();
        let window = table.insert(Login(1), scene, gone.clone()).unwrap();
        assert!(window.try_take(300));
        gone.send(100);
        gone.send(200);
        gone.close(CloseReason::ClientClosed);
        table.remove(Login(1));
        assert_eq!(window.available(), 700);
        table.finish(NodeId::new(1, 9), Login(1), 1);
        table.finish(scene, Login(1), 1);
        assert_eq!(window.available(), 800);
        table.finish(scene, Login(1), 1);
        table.finish(scene, Login(1), 1);
        assert_eq!(window.available(), 1_000);
        assert!(table.leaving.is_empty());
    }

    #[test]
    fn nothing_is_kept_for_a_scene_that_is_gone_or_a_group_that_is_lost() {
        let scene = NodeId::new(1, 1);
        let lose: [fn(&Table); 2] = [
            |table| table.close_scene(NodeId::new(1, 1)),
            Table::close_group,
        ];
        for lose in lose {
            let table = Table::new(1_000);
            for login in [1, 2] {
                let handle = handle();
                table.insert(Login(login), scene, handle.clone()).unwrap();
                handle.send(1);
            }
            // One has gone before, the other one goes because of it.
            table.remove(Login(1));
            assert_eq!(table.leaving.len(), 1);
            lose(&table);
            table.remove(Login(2));
            assert!(table.leaving.is_empty());
            assert!(table.windows.is_empty());
        }
    }

    #[tokio::test]
    async fn sessions_of_one_scene_share_its_window() {
        let table = Table::new(1_000);
        let scene = NodeId::new(1, 1);
        let first = table.insert(Login(1), scene, handle()).unwrap();
        let second = table.insert(Login(2), scene, handle()).unwrap();
        assert!(first.try_take(1_000));
        assert!(!second.try_take(1));
        table.remove(Login(1));
        table.remove(Login(2));
        table.empty().await;
    }
}
