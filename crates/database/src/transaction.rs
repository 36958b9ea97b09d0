//! Several statements of which all are carried out, or none.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout_at},
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
#[derive(Clone)]
pub struct Transaction(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    /// Taken at the end. Statements wait here for each other.
    lease: Mutex<Option<Lease>>,
    deadline: Instant,
    /// Whether the database has undone it already, or will at the end.
    is_undone: AtomicBool,
    /// PostgreSQL undoes a transaction that has had an error.
    errors_undo: bool,
}

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
        let transaction = Transaction(Arc::new(Inner {
            pool: pool.clone(),
            lease: Mutex::new(Some(lease)),
            deadline: Instant::now() + limit,
            is_undone: AtomicBool::new(false),
            errors_undo: matches!(pool.url().target, Target::Postgres(_)),
        }));
        let watched = Arc::downgrade(&transaction.0);
        let until = transaction.0.deadline;
        pool.spawn(async move {
            sleep_until(until).await;
            if let Some(inner) = watched.upgrade() {
                Transaction(inner).roll_back().await;
            }
        });
        Ok(transaction)
    }

    /// Carries out a statement in it.
    ///
    /// # Errors
    /// Any kind. After an error that has ended it (a lost connection, a time limit, a
    /// conflict; any error in PostgreSQL, unless a savepoint is gone back to)
    /// everything but its end is refused.
    pub async fn run(&self, sql: Arc<str>, parameters: Vec<Value>) -> Result<Rows, Error> {
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
        let deadline = (Instant::now() + self.0.pool.settings().timeout).min(self.0.deadline);
        let mut held = timeout_at(deadline, self.0.lease.lock())
            .await
            .map_err(|_| self.over())?;
        let goes_back = self.0.errors_undo && sort == Sort::BackToSavepoint;
        if self.is_undone() && !goes_back {
            return Err(Self::undone());
        }
        let lease = held.as_mut().ok_or_else(|| self.over())?;
        let result = lease.run(sql, &parameters, deadline).await;
        let is_usable = lease.is_usable();
        match &result {
            Ok(_) if goes_back => self.0.is_undone.store(false, Ordering::Relaxed),
            Ok(_) => {}
            Err(error) => {
                let undoes = self.0.errors_undo || error.kind == ErrorKind::Conflict;
                if undoes || !is_usable {
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
    pub async fn commit(&self) -> Result<(), Error> {
        let Some(mut lease) = self.0.lease.lock().await.take() else {
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
    pub async fn roll_back(&self) {
        let lease = self.0.lease.lock().await.take();
        if let Some(mut lease) = lease {
            roll_back(&mut lease).await;
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

/// Whatever is not clean afterwards ends with the lease.
async fn roll_back(lease: &mut Lease) {
    let deadline = Instant::now() + Transaction::END;
    if lease.is_usable() && lease.run("ROLLBACK".into(), &[], deadline).await.is_ok() {
        lease.set_clean();
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}
