//! Databases for the script: what is open, and values between Python and them.
//!
//! The statements themselves are carried out by the crate `database`, on threads of
//! the network's side; here are only the way in and the way out.

mod parameters;
mod rows;
mod shape;

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    time::Duration,
};

use ::database::{Database, Databases, Error, Rows, Settings, Transaction, Url, UrlError};
use tokio::runtime::Handle;

pub(crate) use self::{
    parameters::read_parameters,
    rows::{forget_shapes, write_rows},
    shape::Row,
};

/// How something went that a database was asked for.
#[derive(Debug)]
pub enum DatabaseAnswer {
    /// A statement.
    Rows(Result<Rows, Error>),
    /// A transaction has begun.
    Begun(Result<Transaction, Error>),
    /// A transaction has ended.
    Ended(Result<(), Error>),
}

/// The databases of a script.
#[derive(Debug)]
pub(crate) struct ScriptDatabases {
    open: Databases,
    /// Where the script is: files are found from there.
    folder: PathBuf,
}

impl ScriptDatabases {
    /// How long goodbyes may take.
    const GOODBYE: Duration = Duration::from_secs(2);

    pub(crate) fn new(folder: PathBuf) -> Self {
        ScriptDatabases {
            open: Databases::default(),
            folder,
        }
    }

    /// The database at a URL; connects to nothing.
    pub(crate) fn open(
        &self,
        url: &str,
        settings: Settings,
        runtime: &Handle,
    ) -> Result<Database, UrlError> {
        let url = Url::parse(url, &self.folder)?;
        Ok(self.open.open(url, settings, runtime))
    }

    /// Closes all of them; waits a little for that.
    pub(crate) fn close(self: Arc<Self>, runtime: &Handle) {
        let (closed_tx, closed_rx) = mpsc::sync_channel::<()>(0);
        runtime.spawn(async move {
            self.open.close().await;
            drop(closed_tx);
        });
        // A runtime that has ended itself lets the task go, and so the sender.
        let _late = closed_rx.recv_timeout(Self::GOODBYE);
    }
}
