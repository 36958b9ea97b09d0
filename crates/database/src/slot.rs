//! A statement's place among those that wait for a connection.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{
    Error, ErrorKind, Rows, Transaction, Value,
    lease::Lease,
    pool::Pool,
    statement::{Sort, sort},
};

/// A place among the statements of a database, which is given up with it.
pub struct Slot {
    pool: Arc<Pool>,
    deadline: Instant,
    turn: Turn,
}

/// A slot's place in the queue for a connection.
enum Turn {
    Waits(Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>),
    Comes(Option<OwnedSemaphorePermit>),
}

impl Slot {
    /// See [`Database::admit`](crate::Database::admit).
    pub(crate) fn admit(pool: &Arc<Pool>) -> Result<Self, Error> {
        if pool.is_closed() {
            return Err(Error::closed());
        }
        let limit = pool.settings().waiting;
        let taken = pool.under_way.fetch_add(1, Ordering::Relaxed);
        let mut slot = Slot {
            pool: pool.clone(),
            deadline: Instant::now() + pool.settings().timeout,
            turn: Turn::Comes(None),
        };
        if taken >= limit {
            // The slot gives its place back.
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!("{limit} statements wait for the database already"),
            ));
        }
        slot.turn = Turn::begin(pool.permits.clone());
        Ok(slot)
    }

    /// Carries out a statement with its parameters bound.
    ///
    /// # Errors
    /// Any [`ErrorKind`]; a statement that begins or ends a transaction is refused,
    /// since the next one may have another connection.
    pub async fn run(mut self, sql: Arc<str>, parameters: Vec<Value>) -> Result<Rows, Error> {
        match sort(&sql) {
            Sort::Plain => {}
            Sort::Nothing => return Err(Error::nothing()),
            Sort::Boundary | Sort::BackToSavepoint | Sort::Savepoint => {
                return Err(Error::refused(
                    "a transaction is not begun or ended by a statement, since each may have \
                     another connection: use transaction()",
                ));
            }
        }
        let mut lease = self.lease().await?;
        let rows = lease.run(sql, &parameters, self.deadline).await?;
        self.pool.make_room(rows, self.deadline).await
    }

    /// Begins a transaction, which may take until `limit` from now.
    ///
    /// # Errors
    /// As [`run`](Slot::run).
    pub async fn begin(mut self, limit: Duration) -> Result<Transaction, Error> {
        let lease = self.lease().await?;
        Transaction::begin(&self.pool, lease, self.deadline, limit).await
    }

    async fn lease(&mut self) -> Result<Lease, Error> {
        let permit = timeout_at(self.deadline, self.turn.comes()).await;
        let permit = permit.map_err(|_| {
            Error::new(
                ErrorKind::DeadlineExceeded,
                "all connections to the database were busy for too long",
            )
        })?;
        let permit = permit.ok_or_else(Error::closed)?;
        self.pool.lease(permit, self.deadline).await
    }
}

impl Turn {
    /// Whoever is polled once has its place.
    fn begin(permits: Arc<Semaphore>) -> Self {
        let mut waits: Pin<Box<_>> = Box::pin(permits.acquire_owned());
        match waits.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Turn::Comes(permit.ok()),
            Poll::Pending => Turn::Waits(waits),
        }
    }

    /// None if the database was closed.
    async fn comes(&mut self) -> Option<OwnedSemaphorePermit> {
        match self {
            Turn::Waits(waits) => waits.await.ok(),
            Turn::Comes(permit) => permit.take(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.pool.url())
    }
}
