//! What others may ask of a running script.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::{Event, Inbox, ReloadOutcome, ScriptStatus, SyntaxProblem};

/// Asks a script's interpreter for something. Clones ask the same one, and
/// outlive it: then all that they hear is that it stops.
#[derive(Clone, Debug)]
pub struct ScriptHandle {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) status: watch::Receiver<ScriptStatus>,
    pub(crate) file_name: Arc<str>,
}

/// What a script that is stopping has to say.
const STOPPING: &str = "the scene is stopping";

impl ScriptHandle {
    /// Says whether `source` compiles, as the script's own, without running it.
    ///
    /// # Errors
    /// What is wrong with it, and where. A scene that is stopping cannot tell,
    /// and says so.
    pub async fn check(&self, source: String) -> Result<(), SyntaxProblem> {
        let (outcome_tx, outcome_rx) = oneshot::channel();
        // If it is not taken, nobody will answer.
        let _ = self.inbox.push(Event::Check {
            source,
            file_name: self.file_name.to_string(),
            outcome: outcome_tx,
        });
        outcome_rx.await.unwrap_or_else(|_| {
            Err(SyntaxProblem {
                line: 1,
                column: 1,
                message: STOPPING.to_owned(),
            })
        })
    }

    /// Loads the script anew, or a module that it has imported, under the
    /// sessions that use it.
    pub async fn reload(&self, module: Option<&str>) -> ReloadOutcome {
        let (outcome_tx, outcome_rx) = oneshot::channel();
        let _ = self.inbox.push(Event::Reload {
            module: module.map(str::to_owned),
            outcome: outcome_tx,
        });
        outcome_rx.await.unwrap_or_else(|_| {
            let status = self.status.borrow().clone();
            ReloadOutcome {
                ok: false,
                module: module.unwrap_or_default().to_owned(),
                version: status.version,
                hash: status.hash,
                kept: Vec::new(),
                text: format!("error: {STOPPING}"),
            }
        })
    }
}
