//! The running group as the playground's page asks about it.

use std::path::{Path, PathBuf};

use scene_host::{ScriptHandle, ScriptStatus};
use tokio::sync::watch;

use crate::{
    Solo,
    playground::{Backend, Checked, Problem, Reloaded, Status},
};

/// The demo's scene and gate.
pub(crate) struct DemoBackend {
    websocket_port: u16,
    status: watch::Receiver<Status>,
    script: PathBuf,
    handle: ScriptHandle,
}

impl DemoBackend {
    /// Of a group that has a scene, and a gate with WebSocket.
    pub(crate) fn new(solo: &Solo, script: PathBuf) -> Option<Self> {
        let scene = solo.scene()?;
        let websocket = solo.gates().first()?.websocket_address()?;
        let mut loaded = scene.status();
        let (status_tx, status) = watch::channel(shown(&loaded.borrow_and_update()));
        tokio::spawn(async move {
            while loaded.changed().await.is_ok() {
                status_tx.send_replace(shown(&loaded.borrow_and_update()));
            }
        });
        Some(DemoBackend {
            websocket_port: websocket.port(),
            status,
            script,
            handle: scene.script(),
        })
    }
}

impl Backend for DemoBackend {
    fn websocket_port(&self) -> u16 {
        self.websocket_port
    }

    fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    fn script_path(&self) -> &Path {
        &self.script
    }

    fn check(&self, source: String) -> Checked<'_> {
        Box::pin(async move {
            self.handle.check(source).await.map_err(|problem| Problem {
                line: problem.line,
                column: problem.column,
                message: problem.message,
            })
        })
    }

    fn reload(&self) -> Option<Reloaded<'_>> {
        Some(Box::pin(async {
            // What becomes of it shows in the status.
            self.handle.reload(None).await;
        }))
    }
}

/// A scene's status as the page shows it.
fn shown(loaded: &ScriptStatus) -> Status {
    Status {
        version: loaded.version,
        hash: loaded.hash.clone(),
        loaded_at: loaded.loaded_at,
        error: loaded.last_error.clone(),
    }
}
