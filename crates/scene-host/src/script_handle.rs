//! What others may ask of a running script.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    Event, Inbox, ReloadOutcome, ScriptStatus, SyntaxProblem, observe::activity::Activity,
};

/// Asks a script's interpreter for something. Clones ask the same one, and
/// outlive it: then all that they hear is that it stops.
#[derive(Clone, Debug)]
pub struct ScriptHandle {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) status: watch::Receiver<ScriptStatus>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) file_name: Arc<str>,
    /// How long an answer may take.
    pub(crate) limit: Duration,
}

impl ScriptHandle {
    /// How long an answer may take: whoever has asked is a person who waits.
    pub(crate) const LIMIT: Duration = Duration::from_secs(10);

    /// Says whether `source` compiles, as the script's own, without running it.
    ///
    /// # Errors
    /// What is wrong with it, and where. A scene that is stopping cannot tell,
    /// nor can one whose script holds it up for ten seconds; they say so.
    pub async fn check(&self, source: String) -> Result<(), SyntaxProblem> {
        let (outcome_tx, outcome_rx) = oneshot::channel();
        let event = Event::Check {
            source,
            file_name: self.file_name.to_string(),
            outcome: outcome_tx,
        };
        self.ask(event, outcome_rx)
            .await
            .unwrap_or_else(|unanswered| {
                Err(SyntaxProblem {
                    line: 1,
                    column: 1,
                    message: unanswered,
                })
            })
    }

    /// Loads the script anew, or a module that it has imported, under the
    /// sessions that use it.
    ///
    /// A script that holds the scene up for ten seconds is not waited for any
    /// longer, which the outcome says; it is loaded as soon as it lets go.
    pub async fn reload(&self, module: Option<&str>) -> ReloadOutcome {
        let (outcome_tx, outcome_rx) = oneshot::channel();
        let event = Event::Reload {
            module: module.map(str::to_owned),
            outcome: outcome_tx,
        };
        self.ask(event, outcome_rx)
            .await
            .unwrap_or_else(|unanswered| {
                let status = self.status.borrow().clone();
                ReloadOutcome {
                    ok: false,
                    module: module.unwrap_or_default().to_owned(),
                    version: status.version,
                    hash: status.hash,
                    kept: Vec::new(),
                    text: format!("error: {unanswered}"),
                }
            })
    }

    /// Waits for an answer, or says why there is none.
    async fn ask<T>(&self, event: Event, outcome: oneshot::Receiver<T>) -> Result<T, String> {
        // If it is not taken, nobody will answer.
        let _ = self.inbox.push(event);
        match timeout(self.limit, outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err("the scene is stopping".to_owned()),
            Err(_) => {
                let busy = self.activity.current();
                let busy = busy.as_deref().unwrap_or("a task");
                Err(format!("the script is busy: {busy} has not returned"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Asks a script's thread that does not come for its events.
    fn handle() -> ScriptHandle {
        ScriptHandle {
            inbox: Arc::new(Inbox::new().unwrap()),
            status: watch::channel(ScriptStatus::default()).1,
            activity: Arc::default(),
            file_name: "main.py".into(),
            limit: Duration::from_millis(20),
        }
    }

    #[tokio::test]
    async fn a_script_that_blocks_does_not_hold_up_those_who_ask() {
        let handle = handle();
        handle.activity.enter(&handle.activity.label("main.spin"));
        let busy = "the script is busy: main.spin has not returned";

        let checked = timeout(PATIENCE, handle.check(String::new())).await;
        assert_eq!(checked.unwrap().unwrap_err().message, busy);
        let reloaded = timeout(PATIENCE, handle.reload(None)).await.unwrap();
        assert!(!reloaded.ok);
        assert_eq!(reloaded.text, format!("error: {busy}"));
    }

    #[tokio::test]
    async fn those_who_ask_a_script_that_ends_are_told() {
        let mut handle = handle();
        handle.limit = PATIENCE;
        let inbox = handle.inbox.clone();
        let mut check = Box::pin(handle.check(String::new()));
        tokio::select! {
            biased;
            checked = &mut check => panic!("{checked:?} from nobody"),
            () = async {} => inbox.end(),
        }
        let checked = timeout(PATIENCE / 2, check).await.unwrap();
        assert_eq!(checked.unwrap_err().message, "the scene is stopping");
        let checked = handle.check(String::new()).await;
        assert_eq!(checked.unwrap_err().message, "the scene is stopping");
    }
}
