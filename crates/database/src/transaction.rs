//! Several statements of which all are carried out, or none.

use std::{
    fmt,
    future::{self, Future},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, oneshot},
    task::unconstrained,
    time::{Instant, timeout_at},
};

use crate::{
    Error, ErrorKind, Rows, Value,
    lease::Lease,
    pool::Pool,
    statement::{Sort, sort},
    url::Target,
};

/// A transaction: one connection, until it is committed, rolled back, or dropped,
/// which rolls it back. Clones are the same one.
///
/// What is asked of it is done in the order in which it was asked, not in that in
/// which the futures are polled: each has its place when it is made.
#[derive(Clone)]
pub struct Transaction(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    /// Taken at the end. Statements wait here for each other.
    held: Arc<Mutex<Option<Held>>>,
    deadline: Instant,
    /// Whether the database has undone it already, or will at the end.
    is_undone: AtomicBool,
    /// PostgreSQL undoes a transaction that has had an error.
    errors_undo: bool,
}

/// What a transaction has until its end.
struct Held {
    lease: Lease,
    /// Whoever watches the time limit is told of the end by its being dropped.
    _watched: oneshot::Sender<()>,
}

/// Keeps what is asked of a transaction next waiting, until it is dropped: so whoever
/// tells results further tells them in their order.
#[must_use = "dropped at once, it keeps nobody waiting"]
pub struct Hold {
    _turn: OwnedMutexGuard<Option<Held>>,
}

/// A place among those that have asked something of a transaction.
type Turn = Pin<Box<dyn Future<Output = OwnedMutexGuard<Option<Held>>> + Send>>;

impl Transaction {
    /// How long the end may take.
    const END: Duration = Duration::from_secs(5);

    pub(crate) async fn begin(
        pool: &Arc<Pool>,
        mut lease: Lease,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Self, Error> {
        let begin = match pool.url().target {
            // One that begins by reading and writes later would fail then, whenever
            // another has written meanwhile.
            Target::Sqlite(_) => "BEGIN IMMEDIATE",
            Target::MySql(_) => "START TRANSACTION",
            Target::Postgres(_) => "BEGIN",
        };
        lease.run(begin.into(), &[], deadline).await?;
        lease.set_open();
        let (watched, ended) = oneshot::channel();
        let held = Held {
            lease,
            _watched: watched,
        };
        let transaction = Transaction(Arc::new(Inner {
            pool: pool.clone(),
            held: Arc::new(Mutex::new(Some(held))),
            deadline: Instant::now() + limit,
            is_undone: AtomicBool::new(false),
            errors_undo: matches!(pool.url().target, Target::Postgres(_)),
        }));
        let watched = Arc::downgrade(&transaction.0);
        let until = transaction.0.deadline;
        pool.spawn(async move {
            let is_over = timeout_at(until, ended).await.is_err();
            if is_over && let Some(inner) = watched.upgrade() {
                Transaction(inner).roll_back().await;
            }
        });
        Ok(transaction)
    }

    /// Carries out a statement in it.
    ///
    /// # Errors
    /// Any kind. After an error that has ended it (a lost connection, a time limit, a
    /// conflict; any error in PostgreSQL, unless a savepoint is gone back to; one with
    /// `ON CONFLICT ROLLBACK` in SQLite) everything but its end is refused.
    pub fn run(
        &self,
        sql: Arc<str>,
        parameters: Vec<Value>,
    ) -> impl Future<Output = Result<Rows, Error>> + Send + use<> {
        let ran = self.run_held(sql, parameters);
        async move { ran.await.0 }
    }

    /// As [`run`](Self::run), and nothing that was asked for later is begun before what
    /// comes with the result is dropped.
    pub fn run_held(
        &self,
        sql: Arc<str>,
        parameters: Vec<Value>,
    ) -> impl Future<Output = (Result<Rows, Error>, Option<Hold>)> + Send + use<> {
        let (this, turn) = (self.clone(), self.turn());
        async move {
            let deadline = (Instant::now() + this.0.pool.settings().timeout).min(this.0.deadline);
            match timeout_at(deadline, turn).await {
                Ok(mut held) => {
                    let result = this.run_in(&mut held, sql, parameters, deadline).await;
                    (result, Some(Hold { _turn: held }))
                }
                Err(_) => (Err(this.over()), None),
            }
        }
    }

    async fn run_in(
        &self,
        held: &mut Option<Held>,
        sql: Arc<str>,
        parameters: Vec<Value>,
        deadline: Instant,
    ) -> Result<Rows, Error> {
        let sort = sort(&sql);
        if sort == Sort::Boundary {
            return Err(Error::refused(
                "a transaction is committed by leaving its block, and rolled back by an \
                 exception, not by a statement",
            ));
        }
        if sort == Sort::Nothing {
            return Err(Error::nothing());
        }
        let goes_back = self.0.errors_undo && sort == Sort::BackToSavepoint;
        if self.is_undone() && !goes_back {
            return Err(Self::undone());
        }
        let lease = &mut held.as_mut().ok_or_else(|| self.over())?.lease;
        let result = lease.run(sql, &parameters, deadline).await;
        let is_usable = lease.is_usable();
        if lease.is_rolled_back() {
            self.0.is_undone.store(true, Ordering::Relaxed);
        }
        match &result {
            Ok(_) if goes_back => self.0.is_undone.store(false, Ordering::Relaxed),
            Ok(_) => {}
            Err(error) => {
                let undoes = self.0.errors_undo || error.kind == ErrorKind::Conflict;
                // One that was under way when the time was over is not what went wrong.
                let is_late = !is_usable && Instant::now() >= self.0.deadline;
                if (undoes || !is_usable) && !is_late {
                    self.0.is_undone.store(true, Ordering::Relaxed);
                }
            }
        }
        if !is_usable {
            *held = None;
        }
        self.0.pool.make_room(result?, deadline).await
    }

    /// Makes what it has done last.
    ///
    /// # Errors
    /// It was not committed, but undone; with `unavailable` or `deadline_exceeded` it
    /// may have been committed.
    pub fn commit(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (this, turn) = (self.clone(), self.turn());
        async move { this.commit_in(turn).await }
    }

    async fn commit_in(&self, turn: Turn) -> Result<(), Error> {
        let Some(Held { mut lease, .. }) = turn.await.take() else {
            return Err(if self.is_undone() {
                Self::undone()
            } else {
                self.over()
            });
        };
        let deadline = Instant::now() + Self::END.max(self.0.pool.settings().timeout);
        if self.is_undone() {
            roll_back(&mut lease).await;
            return Err(Self::undone());
        }
        lease.run("COMMIT".into(), &[], deadline).await?;
        lease.set_clean();
        Ok(())
    }

    /// Undoes what it has done. Nothing is wrong if it has ended already.
    pub fn roll_back(&self) -> impl Future<Output = ()> + Send + use<> {
        let turn = self.turn();
        async move {
            let held = turn.await.take();
            if let Some(Held { mut lease, .. }) = held {
                roll_back(&mut lease).await;
            }
        }
    }

    /// Whoever is polled once has its place; by a task that has used up its share of
    /// the time, too.
    fn turn(&self) -> Turn {
        let mut waits: Turn = Box::pin(unconstrained(self.0.held.clone().lock_owned()));
        match waits.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(held) => Box::pin(future::ready(held)),
            Poll::Pending => waits,
        }
    }

    fn is_undone(&self) -> bool {
        self.0.is_undone.load(Ordering::Relaxed)
    }

    fn undone() -> Error {
        Error::refused("a statement of the transaction has failed, and all of it is undone")
    }

    /// Why it takes nothing any more.
    fn over(&self) -> Error {
        if Instant::now() >= self.0.deadline {
            return Error::new(
                ErrorKind::DeadlineExceeded,
                "the transaction took too long, and was rolled back",
            );
        }
        Error::refused("the transaction has ended")
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// Whatever is not clean afterwards ends with the lease.
async fn roll_back(lease: &mut Lease) {
    let deadline = Instant::now() + Transaction::END;
    if lease.is_usable() && lease.is_rolled_back() {
        lease.set_clean();
        return;
    }
    if lease.is_usable() && lease.run("ROLLBACK".into(), &[], deadline).await.is_ok() {
        lease.set_clean();
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}
