//! A database as its users have it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::runtime::Handle;

use crate::{Error, Settings, Slot, Url, pool::Pool};

/// A database; clones are the same one. Its connections end when it is closed, or
/// with the last clone.
#[derive(Clone)]
pub struct Database {
    pool: Arc<Pool>,
}

/// The databases that are open: one for each URL with its settings, however often it
/// is opened, and as long as it has a user.
#[derive(Default)]
pub struct Databases(Mutex<Vec<Weak<Pool>>>);

impl Database {
    /// A database to be connected to when it is first used, by tasks of `runtime`.
    pub fn new(url: Url, settings: Settings, runtime: Handle) -> Self {
        Database {
            pool: Arc::new(Pool::new(url, settings, runtime)),
        }
    }

    /// Which database it is.
    pub fn url(&self) -> &Url {
        self.pool.url()
    }

    /// What it may take.
    pub fn settings(&self) -> &Settings {
        self.pool.settings()
    }

    /// A place for one statement, or one transaction's beginning; its time runs from
    /// now on, and its turn comes after that of those who were admitted before. Does
    /// not wait.
    ///
    /// # Errors
    /// `overloaded`: there are as many as there may be; `unavailable`: it was closed.
    pub fn admit(&self) -> Result<Slot, Error> {
        Slot::admit(&self.pool)
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    /// Takes no statement any more: those that wait end as `unavailable`, those that
    /// run go on to their end. Returns when the idle connections have said goodbye.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Databases {
    /// The database that was opened with the same URL and settings and is still in
    /// use, or a new one.
    pub fn open(&self, url: Url, settings: Settings, runtime: &Handle) -> Database {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|pool| pool.strong_count() > 0);
        let known = open
            .iter()
            .filter_map(Weak::upgrade)
            .find(|pool| *pool.url() == url && *pool.settings() == settings && !pool.is_closed());
        if let Some(pool) = known {
            return Database { pool };
        }
        let database = Database::new(url, settings, runtime.clone());
        open.push(Arc::downgrade(&database.pool));
        database
    }

    /// Closes all of them.
    pub async fn close(&self) {
        let open = {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *open)
        };
        for pool in open.iter().filter_map(Weak::upgrade) {
            Database { pool }.close().await;
        }
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Databases")
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.pool.url())
    }
}
