//! A scene in its group: the script's host and the node, tied together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use ffrpc::{Credentials, Node, NodeConfig, Uplink};
use protocol::{
    GroupName, NodeName, VitalsSource,
    v1::{NodeState, Role},
};
use tokio::{sync::watch, task::JoinHandle};
use topology::Limits;
use tracing::warn;

use crate::{
    HostConfig, SceneError, ScriptHandle, ScriptHost, ScriptStatus,
    network::drain::Drains,
    network::fence::Fences,
    network::node::{self, Takers},
    network::owner::{Desk, run_errands},
};

/// Which scene this is, and what it runs.
#[derive(Clone, Debug)]
pub struct SceneConfig {
    /// Its name in the group.
    pub name: NodeName,
    /// The group.
    pub group: GroupName,
    /// The script that it runs.
    pub script: PathBuf,
    /// More folders to import from.
    pub python_path: Vec<PathBuf>,
    /// The virtual environment whose packages it imports.
    pub venv: Option<PathBuf>,
    /// Whether it loads what is changed by itself.
    pub watch: bool,
    /// The folder in which it has one of its name, for what outlives it; without
    /// one nothing does.
    pub state_dir: Option<PathBuf>,
    /// The gates that have their clients verified by this scene.
    pub gates: Vec<NodeName>,
    /// Bounds of queues and times.
    pub limits: Limits,
}

/// A running scene.
pub struct Scene {
    host: ScriptHost,
    node: Node,
    drains: Arc<Drains>,
    actions: JoinHandle<()>,
    reports: JoinHandle<()>,
    errands: JoinHandle<()>,
    fences: Fences,
    desk: Arc<Desk>,
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
            name: config.name.clone(),
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
            name: config.name.clone(),
            group: Some(config.group),
            script: config.script,
            python_path: config.python_path,
            venv: config.venv,
            watch: config.watch,
            state_dir: config.state_dir,
            limits: config.limits,
        })
        .await?;
        let (inbox, peers) = (Arc::clone(host.inbox()), Arc::clone(host.peers()));
        let takers = Takers {
            desk: Arc::new(Desk::new(&config.name, config.gates)),
            fences: Fences {
                inbox: inbox.clone(),
                peers: peers.clone(),
                node: watch::Sender::new(None),
            },
            drains: Arc::new(Drains::new(
                config.name,
                peers.clone(),
                host.session_count(),
            )),
            inbox,
            peers: peers.clone(),
            script: host.handle(),
        };
        let desk = takers.desk.clone();
        let node = Node::join(node_config, node::services(&takers));
        let fences = takers.fences.clone();
        fences.node.send_replace(Some(node.clone()));
        let errands = tokio::spawn(run_errands(
            takers.desk,
            node.clone(),
            peers.clone(),
            takers.fences,
        ));
        let actions = tokio::spawn(node::perform_actions(
            node.clone(),
            peers,
            Arc::clone(host.inbox()),
            Arc::clone(host.outbox()),
        ));
        let reports = tokio::spawn(node::report_status(
            node.clone(),
            host.status(),
            host.session_count(),
            Arc::clone(host.inbox()),
            Arc::clone(host.outbox()),
        ));
        Ok(Scene {
            host,
            node,
            drains: takers.drains,
            actions,
            reports,
            errands,
            fences,
            desk,
        })
    }

    /// The scene as a node of its group.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Goes by what of `config` can be changed in a scene that runs: whether it
    /// watches its files, the gates, the times.
    pub fn reconfigure(&self, config: &SceneConfig) {
        self.host.set_watch(config.watch);
        self.host.set_limits(&config.limits);
        self.desk.set_gates(config.gates.iter().cloned());
        self.node.set_call_timeout(config.limits.call_timeout);
    }

    /// Says this of itself, for operators, and what its script has waiting.
    pub fn set_vitals(&self, vitals: VitalsSource) {
        let (inbox, outbox) = (
            Arc::clone(self.host.inbox()),
            Arc::clone(self.host.outbox()),
        );
        self.node.set_vitals(vitals.and(move |vitals| {
            let bytes = outbox.bytes();
            vitals.queued_messages += inbox.len() as u64;
            vitals.queued_bytes += bytes as u64;
            let fill = bytes as f64 / outbox.limit().max(1) as f64;
            vitals.queue_fill = vitals.queue_fill.max(fill);
            vitals.dropped += outbox.lost();
        }));
    }

    /// How the script is doing.
    pub fn status(&self) -> watch::Receiver<ScriptStatus> {
        self.host.status()
    }

    /// What others may ask of the script.
    pub fn script(&self) -> ScriptHandle {
        self.host.handle()
    }

    /// Waits until an operator asks the scene to hand its sessions over and to
    /// end: it is to be [stopped](Scene::stop) then.
    pub async fn drain_requested(&self) {
        self.drains.requested().await;
    }

    /// Ends the scene within `grace`: its sessions are handed over, to the scene
    /// that an operator has named or to be held for the return of this one; then
    /// the script ends, then what it has still sent, then the membership in the
    /// group.
    pub async fn stop(self, grace: Duration) {
        self.node.set_state(NodeState::Draining);
        let to_scene = self.drains.begin();
        self.host.hand_over(grace, to_scene).await;
        self.reports.abort();
        self.errands.abort();
        // Ends when everything that the script has sent is on its way.
        if let Err(error) = self.actions.await {
            warn!(%error, "what the script has sent last is lost");
        }
        self.fences.node.send_replace(None);
        self.node.leave().await;
    }
}
