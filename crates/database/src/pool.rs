//! The connections to a database, and who waits for one.
//!
//! Not `sqlx`'s own pool: that one takes a server that refuses connections for a
//! pool that is busy, and says so when the time is up.

use std::{
    future::Future,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tracing::{info, warn};

use crate::{
    Error, ErrorKind, Rows, Settings, Url, connection::Connection, gather::Room, lease::Lease,
};

/// The connections to one database. Its users hold it, and so does what is lent.
pub(crate) struct Pool {
    url: Url,
    settings: Settings,
    runtime: Handle,
    /// Closed with the pool.
    pub(crate) permits: Arc<Semaphore>,
    /// Kibibytes that results may take until they are taken.
    results: Arc<Semaphore>,
    /// What is not used, the one that was used last at the end.
    idle: Mutex<Vec<Idle>>,
    /// How many slots there are.
    pub(crate) under_way: AtomicUsize,
    is_closed: AtomicBool,
    /// Whether it could be reached when that was last tried.
    is_reachable: AtomicBool,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// An idle connection younger than this is not tested.
    const FRESH: Duration = Duration::from_secs(1);
    /// How long a test of one may take.
    const TEST: Duration = Duration::from_secs(1);

    /// What results may take together, in KiB.
    const RESULTS: usize = 256 << 10;

    pub(crate) fn new(url: Url, settings: Settings, runtime: Handle) -> Self {
        let size = if url.is_memory() {
            1
        } else {
            settings.pool.clamp(1, 1_000)
        };
        Pool {
            url,
            settings,
            runtime,
            permits: Arc::new(Semaphore::new(size)),
            results: Arc::new(Semaphore::new(Self::RESULTS)),
            idle: Mutex::default(),
            under_way: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            is_reachable: AtomicBool::new(true),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.permits.close();
        let idle = mem::take(&mut *self.idle());
        for idle in idle {
            let _gone = timeout(Self::TEST, idle.connection.close()).await;
        }
    }

    pub(crate) async fn lease(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Lease, Error> {
        while let Some(mut idle) = self.take_idle() {
            let is_alive = idle.since.elapsed() < Self::FRESH
                || timeout(Self::TEST, idle.connection.is_alive()).await == Ok(true);
            if is_alive {
                return Ok(Lease::new(self.clone(), idle.connection, permit));
            }
            // The others will not be better.
            self.suspect();
        }
        let opened = timeout_at(deadline, Connection::open(&self.url, self.settings.timeout)).await;
        let opened = opened.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::DeadlineExceeded,
                format!("{} did not answer in time", self.url),
            ))
        });
        self.note(opened.as_ref().err());
        Ok(Lease::new(self.clone(), opened?, permit))
    }

    /// Waits, with the connection, until a result has room: whoever does not take
    /// its results is not given more.
    pub(crate) async fn make_room(&self, mut rows: Rows, deadline: Instant) -> Result<Rows, Error> {
        let size = (rows.bytes >> 10).clamp(1, Self::RESULTS);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let room = timeout_at(deadline, self.results.clone().acquire_many_owned(size)).await;
        let room = room.map_err(|_| {
            Error::new(
                ErrorKind::DeadlineExceeded,
                "earlier results are not taken, and there is no room for another",
            )
        })?;
        rows.room = room.map(Room::new).unwrap_or_default();
        Ok(rows)
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle().pop()
    }

    /// A connection in a known state is not needed any more.
    pub(crate) fn put_back(&self, connection: Connection) {
        let mut idle = self.idle();
        // Under the lock, so that whoever closes the pool finds it.
        if self.is_closed() {
            self.spawn(connection.close());
            return;
        }
        idle.push(Idle {
            connection,
            since: Instant::now(),
        });
    }

    /// A connection has turned out to be broken: the idle ones are tested before
    /// they are used.
    pub(crate) fn suspect(&self) {
        let long_ago = Instant::now().checked_sub(Self::FRESH);
        for idle in self.idle().iter_mut() {
            idle.since = long_ago.unwrap_or(idle.since);
        }
    }

    /// Logs that the database is gone, or is back, once each.
    fn note(&self, error: Option<&Error>) {
        let was = self.is_reachable.swap(error.is_none(), Ordering::Relaxed);
        match error {
            Some(error) if was => {
                warn!(database = %self.url, %error, "database cannot be reached");
            }
            None if !was => info!(database = %self.url, "database can be reached again"),
            _ => {}
        }
    }

    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last user is gone.
impl Drop for Pool {
    fn drop(&mut self) {
        let idle = self.idle.get_mut().unwrap_or_else(PoisonError::into_inner);
        for idle in idle.drain(..) {
            self.runtime.spawn(idle.connection.close());
        }
    }
}
