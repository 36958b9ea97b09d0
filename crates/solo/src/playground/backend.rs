//! What the page needs to know of the running scene, and may ask of it.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::SystemTime;

use tokio::sync::watch;

/// The running scene, as the page sees it.
pub trait Backend: Send + Sync + 'static {
    /// Where the gate listens for WebSocket clients.
    fn websocket_port(&self) -> u16;

    /// What runs now; changes with each reload, also with one that failed.
    fn status(&self) -> watch::Receiver<Status>;

    /// The file that the scene loads its script from.
    fn script_path(&self) -> &Path;

    /// Whether this source compiles. Nothing of it is run.
    fn check(&self, source: String) -> Checked<'_>;

    /// Loads the script's file anew, for when no script runs that could be
    /// told to in the chat. None when this scene cannot be asked; the page then
    /// offers nothing of the kind. What became of it shows in the status.
    fn reload(&self) -> Option<Reloaded<'_>> {
        None
    }
}

/// The answer of [`Backend::check`].
pub type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + 'a>>;

/// The end of a [`Backend::reload`], good or bad.
pub type Reloaded<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a scene runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Counts the loads since the scene started, the first being 1; 0 while no
    /// script has loaded.
    pub version: u32,
    /// The first hexadecimal digits of the SHA-256 of the source that runs.
    pub hash: String,
    /// When it was loaded.
    pub loaded_at: Option<SystemTime>,
    /// Why the last load failed, if it did: the text of the exception. What was
    /// loaded before it still runs.
    pub error: Option<String>,
}

/// Why a source does not compile.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1 in characters; 0 when only the line is known.
    pub column: u32,
    /// What is wrong, for a person.
    pub message: String,
}
