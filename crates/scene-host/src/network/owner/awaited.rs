//! Whom the owner waits for, said before anybody asks.

use std::{sync::Arc, time::Duration};

use metrics::gauge;
use protocol::NodeId;
use session::owner::Owner;
use tokio::time::interval;
use tracing::warn;

use super::Desk;
use crate::network::peers::Peers;

/// How often it is said.
const PERIOD: Duration = Duration::from_secs(5);

/// What the owner knows not yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// Gates that have not said who is connected there.
    pub(crate) gates: Vec<NodeId>,
    /// Scenes that may hold sessions of gates that are gone.
    pub(crate) scenes: Vec<NodeId>,
}

impl Awaited {
    /// In words; empty if nobody is awaited.
    pub(crate) fn describe(&self, peers: &Peers) -> String {
        let names = |nodes: &[NodeId]| {
            let names: Vec<String> = nodes.iter().map(|node| peers.describe(*node)).collect();
            names.join(", ")
        };
        let mut words = Vec::new();
        if !self.gates.is_empty() {
            let gates = names(&self.gates);
            words.push(format!("for {gates} to report who is connected"));
        }
        if !self.scenes.is_empty() {
            let scenes = names(&self.scenes);
            words.push(format!(
                "for {scenes} to end the sessions of gates that are gone"
            ));
        }
        words.join(", and ")
    }
}

impl Desk {
    /// Whom logins wait for, some or all.
    pub(crate) fn awaited(&self) -> Awaited {
        let state = self.lock();
        let owner = state.owner.as_ref();
        let mut scenes: Vec<NodeId> = state.fencing.values().flatten().copied().collect();
        scenes.sort_unstable();
        scenes.dedup();
        Awaited {
            gates: owner.map(Owner::expected).unwrap_or_default(),
            scenes,
        }
    }

    /// Begins to wait for scenes, or stops to wait for one.
    pub(super) fn fencing(&self, membership: u64, gate: NodeId, scene: NodeId, waits: bool) {
        let mut state = self.lock();
        if state.membership != membership {
            return;
        }
        if waits {
            state.fencing.entry(gate).or_default().insert(scene);
        } else if let Some(scenes) = state.fencing.get_mut(&gate) {
            scenes.remove(&scene);
            if scenes.is_empty() {
                state.fencing.remove(&gate);
            }
        }
    }
}

/// Says whom logins wait for, where that has lasted a while.
pub(super) async fn watch(desk: Arc<Desk>, peers: Arc<Peers>) {
    let mut ticks = interval(PERIOD);
    let mut before = Awaited::default();
    loop {
        ticks.tick().await;
        let awaited = desk.awaited();
        let counts = [
            ("gate", awaited.gates.len()),
            ("scene", awaited.scenes.len()),
        ];
        for (kind, count) in counts {
            #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
            gauge!("redrabbit_owner_awaited_nodes", "kind" => kind).set(count as f64);
        }
        let lasts = |now: &[NodeId], then: &[NodeId]| now.iter().any(|node| then.contains(node));
        if lasts(&awaited.gates, &before.gates) || lasts(&awaited.scenes, &before.scenes) {
            let waits = awaited.describe(&peers);
            warn!(waits, "logins wait");
        }
        before = awaited;
    }
}
