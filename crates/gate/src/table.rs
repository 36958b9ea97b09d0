//! The logins that have been let in, found by their numbers.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use dashmap::{DashMap, mapref::entry::Entry};
use protocol::{Login, NodeId};
use tokio::{sync::Notify, time::Instant};

use crate::{live::Amount, replaced::Replaced, seat::Seat, window::SceneWindow};

/// Every login of the gate that is not over. They are independent of each other,
/// so the map is sharded, and no guard of it lives past a look-up.
#[derive(Debug)]
pub(crate) struct Table {
    seats: DashMap<Login, Arc<Seat>>,
    /// The windows that the sessions of one scene share.
    windows: DashMap<NodeId, Arc<SceneWindow>>,
    window_bytes: Amount,
    /// Locked for an instruction or two, under a shard of `seats`.
    replaced: Mutex<Replaced>,
    /// Those whose clients are there.
    present: AtomicUsize,
    changed: Notify,
}

/// Why a login gets no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSeat {
    /// Verifying scenes never give one twice, so this is a fault of theirs.
    #[error("login {0} is taken")]
    Taken(Login),
    /// A newer one has come before it began.
    #[error("login {0} was replaced")]
    Replaced(Login),
}

impl Table {
    /// An empty one; `window_bytes` may be on their way to each scene.
    pub(crate) fn new(window_bytes: usize, replaced: Replaced) -> Self {
        Table {
            seats: DashMap::new(),
            windows: DashMap::new(),
            window_bytes: Amount::new(window_bytes),
            replaced: Mutex::new(replaced),
            present: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// How many clients are there.
    pub(crate) fn len(&self) -> usize {
        self.present.load(Ordering::Relaxed)
    }

    /// How many logins are not over, their clients there or not.
    #[cfg(test)]
    pub(crate) fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Seats a login whose client is there.
    pub(crate) fn insert(&self, seat: &Arc<Seat>) -> Result<(), NoSeat> {
        let login = seat.login;
        match self.seats.entry(login) {
            Entry::Occupied(_) => Err(NoSeat::Taken(login)),
            // Looked for under the shard's guard: whoever replaces it meanwhile
            // finds the seat.
            Entry::Vacant(_) if self.replaced().contains(login) => Err(NoSeat::Replaced(login)),
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::clone(seat));
                self.present.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// The client of a login is not there any more.
    pub(crate) fn depart(&self) {
        self.present.fetch_sub(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// A login is over.
    pub(crate) fn remove(&self, login: Login) {
        self.seats.remove(&login);
        self.changed.notify_waiters();
    }

    /// The seat of a login that is to end; without one it must not begin.
    pub(crate) fn replace(&self, login: Login) -> Option<Arc<Seat>> {
        match self.seats.entry(login) {
            Entry::Occupied(seat) => Some(Arc::clone(seat.get())),
            Entry::Vacant(_) => {
                self.replaced().remember(login, Instant::now());
                None
            }
        }
    }

    /// The seat of a login.
    pub(crate) fn get(&self, login: Login) -> Option<Arc<Seat>> {
        self.seats.get(&login).map(|seat| Arc::clone(&seat))
    }

    /// Shows every seat to `visit`, which must neither come back to the table nor
    /// lock the seat.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Seat)) {
        for entry in &self.seats {
            visit(entry.value());
        }
    }

    /// Every seat, in the order of the logins.
    pub(crate) fn all(&self) -> Vec<Arc<Seat>> {
        let seats = self.seats.iter().map(|entry| Arc::clone(entry.value()));
        let mut seats: Vec<_> = seats.collect();
        seats.sort_unstable_by_key(|seat| seat.login);
        seats
    }

    /// The window to a scene.
    pub(crate) fn window(&self, scene: NodeId) -> Arc<SceneWindow> {
        let window = || Arc::new(SceneWindow::new(scene, self.window_bytes.get()));
        Arc::clone(&self.windows.entry(scene).or_insert_with(window))
    }

    /// From now on `window_bytes` may be on their way to each scene, and what was
    /// replaced is remembered for so long. To be called by one at a time.
    pub(crate) fn set_limits(&self, window_bytes: usize, memory: Duration) {
        // First, so that a window that is made meanwhile has the new size, or is
        // found here.
        self.window_bytes.set(window_bytes);
        for window in &self.windows {
            window.resize(window_bytes);
        }
        self.replaced().set_memory(memory);
    }

    /// A scene is gone. Who is in its window's queue is told by the session.
    pub(crate) fn forget_window(&self, scene: NodeId) {
        self.windows.remove(&scene);
    }

    /// Everything that belongs to one life of this gate in the group is over.
    pub(crate) fn clear(&self) -> Vec<Arc<Seat>> {
        let seats = self.all();
        for seat in &seats {
            self.remove(seat.login);
        }
        self.windows.clear();
        seats
    }

    /// Waits until no client is there.
    pub(crate) async fn empty(&self) {
        self.until(|| self.len() == 0).await;
    }

    /// Waits until every login is over.
    pub(crate) async fn vacant(&self) {
        self.until(|| self.seats.is_empty()).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    fn replaced(&self) -> MutexGuard<'_, Replaced> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{tests::handle, window::SessionWindow};

    fn table() -> Table {
        Table::new(1_000, Replaced::new(Duration::from_secs(60)))
    }

    fn seat(login: u64) -> Arc<Seat> {
        let who = (Login(login), "alice".parse().unwrap());
        Arc::new(Seat::new(who, 0, handle(), SessionWindow::new(2, 1_000)))
    }

    #[tokio::test]
    async fn login_is_seated_once_and_outlives_its_client() {
        let table = table();
        table.insert(&seat(1)).unwrap();
        assert_eq!(table.insert(&seat(1)), Err(NoSeat::Taken(Login(1))));
        assert_eq!((table.len(), table.seats()), (1, 1));
        table.depart();
        table.empty().await;
        assert!(table.get(Login(1)).is_some());
        table.remove(Login(1));
        table.vacant().await;
    }

    #[test]
    fn login_that_was_replaced_before_it_began_gets_no_seat() {
        let table = table();
        assert!(table.replace(Login(1)).is_none());
        assert_eq!(table.insert(&seat(1)), Err(NoSeat::Replaced(Login(1))));
        table.insert(&seat(2)).unwrap();
        assert!(table.replace(Login(2)).is_some());
    }

    #[test]
    fn sessions_of_one_scene_share_its_window_until_it_is_gone() {
        let table = table();
        let scene = NodeId::new(1, 1);
        let window = table.window(scene);
        assert!(window.try_take(1_000));
        assert!(!table.window(scene).try_take(1));
        assert!(table.window(NodeId::new(1, 2)).try_take(1));
        table.forget_window(scene);
        assert!(table.window(scene).try_take(1));
    }

    #[test]
    fn seats_are_shown_in_the_order_of_their_logins() {
        let table = table();
        for login in [5, 1, 9, 3] {
            table.insert(&seat(login)).unwrap();
        }
        let logins: Vec<_> = table.all().iter().map(|seat| seat.login.0).collect();
        assert_eq!(logins, [1, 3, 5, 9]);
        assert_eq!(table.clear().len(), 4);
        assert_eq!(table.seats(), 0);
    }
}
