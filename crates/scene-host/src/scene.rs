//! A scene in its group: the script's host and the node, tied together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use ffrpc::{Credentials, Node, NodeConfig, Uplink};
use protocol::{
    NodeName,
    v1::{NodeState, Role},
};
use tokio::{sync::watch, task::JoinHandle};
use topology::Limits;
use tracing::warn;

use crate::{HostConfig, SceneError, ScriptHandle, ScriptHost, ScriptStatus, gates::Gates, node};

/// Which scene this is, and what it runs.
#[derive(Clone, Debug)]
pub struct SceneConfig {
    /// Its name in the group.
    pub name: NodeName,
    /// The script that it runs.
    pub script: PathBuf,
    /// More folders to import from.
    pub python_path: Vec<PathBuf>,
    /// Bounds of queues and times.
    pub limits: Limits,
}

/// A running scene.
pub struct Scene {
    host: ScriptHost,
    node: Node,
    actions: JoinHandle<()>,
    reports: JoinHandle<()>,
}

impl Scene {
    /// Starts the interpreter, loads the script, and begins to join the group.
    /// A script that does not load is no error: the scene stays up, refuses
    /// clients, says why in its [status](Scene::status), and recovers on
    /// [reload](ScriptHandle::reload). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SceneError`]; a second scene in one process is one.
    pub async fn start(
        config: SceneConfig,
        uplink: Uplink,
        credentials: impl Into<Credentials>,
    ) -> Result<Self, SceneError> {
        let Credentials { secret, encryption } = credentials.into();
        let node_config = NodeConfig {
            name: config.name,
            role: Role::Scene,
            uplink,
            secret,
            encryption,
            call_timeout: config.limits.call_timeout,
            outbox_bytes: config.limits.link_outbox_bytes,
            pair_bytes: config.limits.pair_bytes,
            build: daemon::build_version().to_owned(),
            ..NodeConfig::default()
        };
        let host = ScriptHost::start(HostConfig {
            script: config.script,
            python_path: config.python_path,
            limits: config.limits,
        })
        .await?;
        let gates = Arc::new(Gates::default());
        let node = Node::join(node_config, node::services(host.inbox(), &gates));
        let actions = tokio::spawn(node::perform_actions(
            node.clone(),
            gates,
            Arc::clone(host.outbox()),
        ));
        let reports = tokio::spawn(node::report_status(
            node.clone(),
            host.status(),
            host.session_count(),
        ));
        Ok(Scene {
            host,
            node,
            actions,
            reports,
        })
    }

    /// The scene as a node of its group.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// How the script is doing.
    pub fn status(&self) -> watch::Receiver<ScriptStatus> {
        self.host.status()
    }

    /// What others may ask of the script.
    pub fn script(&self) -> ScriptHandle {
        self.host.handle()
    }

    /// Ends the scene within `grace`: the script first, then what it has still
    /// sent, then the membership in the group.
    pub async fn stop(self, grace: Duration) {
        self.node.set_state(NodeState::Draining);
        self.host.stop(grace).await;
        self.reports.abort();
        // Ends when everything that the script has sent is on its way.
        if let Err(error) = self.actions.await {
            warn!(%error, "what the script has sent last is lost");
        }
        self.node.leave().await;
    }
}
