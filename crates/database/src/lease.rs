//! A connection that is lent, and comes back in a known state or not at all.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout, timeout_at},
};

use crate::{Error, ErrorKind, Rows, Value, connection::Connection, pool::Pool};

/// A connection that one user has. Whatever happens to that user, a connection
/// whose state is not known does not go back to the pool.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing runs, and nothing is left.
    Clean,
    /// A transaction is open.
    Open,
    /// A statement runs, or has been given up, or the connection is broken.
    Unknown,
}

impl Lease {
    /// How long SQLite has to tell of an interrupt itself.
    const INTERRUPT: Duration = Duration::from_millis(500);

    pub(crate) fn new(
        pool: Arc<Pool>,
        connection: Connection,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Lease {
            pool,
            connection: Some(connection),
            permit: Some(permit),
            state: State::Clean,
        }
    }

    /// Carries out a statement until `deadline`.
    pub(crate) async fn run(
        &mut self,
        sql: Arc<str>,
        parameters: &[Value],
        deadline: Instant,
    ) -> Result<Rows, Error> {
        let before = mem::replace(&mut self.state, State::Unknown);
        let Some(connection) = &mut self.connection else {
            return Err(Error::closed());
        };
        if before == State::Unknown {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the connection to the database was lost",
            ));
        }
        let limit = self.pool.settings().result_bytes;
        let mut last = deadline;
        if let Connection::Sqlite(link) = connection {
            link.watch.set(deadline.into_std());
            last += Self::INTERRUPT;
        }
        let result = match timeout_at(last, connection.run(sql, parameters, limit)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Error::new(
                ErrorKind::DeadlineExceeded,
                "the statement took too long, and was given up",
            )),
        };
        // SQLite's connections do not break, but one may have to be waited for.
        let is_usable = match (&result, &*connection) {
            (Ok(_), _) => true,
            (Err(error), _) => error.spares_connection(),
        };
        if is_usable {
            if let Connection::Sqlite(link) = connection {
                link.watch.clear();
            }
            self.state = before;
        } else if let Err(error) = &result
            && error.kind == ErrorKind::Unavailable
        {
            self.pool.suspect();
        }
        result.map_err(|error| error.without(self.pool.url().password()))
    }

    /// From now on a transaction is open.
    pub(crate) fn set_open(&mut self) {
        if self.state == State::Clean {
            self.state = State::Open;
        }
        if let Some(Connection::Sqlite(link)) = &self.connection {
            link.set_open();
        }
    }

    /// Whether the database has rolled the transaction back by itself, and would
    /// carry out what comes next outside of it.
    pub(crate) fn is_rolled_back(&self) -> bool {
        matches!(&self.connection, Some(Connection::Sqlite(link)) if link.is_rolled_back())
    }

    /// The transaction has ended.
    pub(crate) fn set_clean(&mut self) {
        if self.state == State::Open {
            self.state = State::Clean;
        }
    }

    /// Whether statements can be carried out.
    pub(crate) fn is_usable(&self) -> bool {
        self.state != State::Unknown
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(connection), Some(permit)) = (self.connection.take(), self.permit.take()) else {
            return;
        };
        if self.state == State::Clean {
            self.pool.put_back(connection);
            return;
        }
        match connection {
            // What is in memory goes with its connection: so that one is kept.
            Connection::Sqlite(mut link) => {
                link.watch.interrupt();
                let pool = self.pool.clone();
                self.pool.spawn(async move {
                    let ended = timeout(Duration::from_secs(30), link.ping()).await;
                    link.watch.clear();
                    // It fails where no transaction is open.
                    let _ = link.run("ROLLBACK".into(), &[], 1 << 10).await;
                    if matches!(ended, Ok(Ok(()))) {
                        pool.put_back(Connection::Sqlite(link));
                    }
                    drop(permit);
                });
            }
            // The server ends a transaction with its connection.
            other => drop(other),
        }
    }
}
