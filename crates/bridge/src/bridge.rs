//! A running bridge: a node in each of its groups.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use ffrpc::{Node, NodeConfig, Services};
use protocol::{
    GroupName, Secret, VitalsSource,
    method::BRIDGE_NODES,
    v1::{NodeState, Role},
};
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error_span, warn};

use crate::{
    config::{BridgeConfig, GroupConfig},
    drain::{Drain, Progress},
    forward::forward,
    groups::Groups,
    member::Member,
    nodes::group_nodes,
    watch::watch,
};

/// A bridge at work. It goes on until [`shutdown`](Self::shutdown), whatever becomes
/// of its groups.
pub struct Bridge {
    groups: Arc<Groups>,
    stop: CancellationToken,
    watches: TaskTracker,
}

/// How long a bridge waits for groups that do not answer, before it is ready without
/// them, and before calls to them are given up: a lease.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// How often to look whether it has drained.
const LOOK: Duration = Duration::from_millis(10);

/// How many calls may be under way from one group to all others together. Each costs
/// some 500 bytes beside its body, which the limits of bytes bound.
const MAX_REQUESTS: usize = 65_536;

impl Bridge {
    /// Joins the groups, and goes on trying until it is in each. Has to be called in a
    /// tokio runtime.
    pub fn start(config: &BridgeConfig) -> Bridge {
        let names = config.groups.iter().map(|group| group.name.clone());
        let groups = Arc::new(Groups::new(config.name.clone(), names.collect()));
        let (stop, watches) = (CancellationToken::new(), TaskTracker::new());
        for (place, group) in config.groups.iter().enumerate() {
            // Whatever a node logs says of which group it is, before it has joined too.
            let span = error_span!("group", group = %group.name);
            let node =
                span.in_scope(|| Node::join(node_config(config, group), services(&groups, place)));
            groups.members()[place].set_node(node);
        }
        groups.announce_all();
        for place in 0..config.groups.len() {
            watches.spawn(watch(Arc::clone(&groups), place, stop.clone()));
        }
        Bridge {
            groups,
            stop,
            watches,
        }
    }

    /// Waits until calls get to all groups; after a lease, until they get to one, and
    /// says which are missing.
    pub async fn ready(&self) {
        let mut reachable = self.groups.reachable();
        let all = self.groups.members().len();
        // The sender lives as long as `self`.
        let everywhere = reachable.wait_for(|reachable| *reachable == all);
        if timeout(PATIENCE, everywhere).await.is_ok() {
            return;
        }
        let _ = reachable.wait_for(|reachable| *reachable > 0).await;
        for missing in self
            .groups
            .members()
            .iter()
            .filter(|group| !group.is_reachable())
        {
            warn!(group = %missing.name, "ready without a group that cannot be reached, trying again");
        }
    }

    /// What it shows in that group when it joins it from now on. Where it is, it stays.
    pub fn set_secret(&self, group: &GroupName, secret: &Secret) {
        let members = self.groups.members().iter();
        for member in members.filter(|member| member.name == *group) {
            if let Some(node) = member.node() {
                node.set_secret(secret.clone());
            }
        }
    }

    /// Says this of itself in each of its groups, for operators.
    pub fn set_vitals(&self, vitals: &VitalsSource) {
        for node in self.groups.members().iter().filter_map(Member::node) {
            node.set_vitals(vitals.clone());
        }
    }

    /// The groups that calls get to.
    pub fn reachable(&self) -> Vec<GroupName> {
        let members = self.groups.members().iter();
        let reachable = members.filter(|group| group.is_reachable());
        reachable.map(|group| group.name.clone()).collect()
    }

    /// How many calls were passed on and have not ended.
    pub fn calls(&self) -> u64 {
        self.groups.calls()
    }

    /// Says in all groups that it drains, so that callers choose others, and lets the
    /// calls that are under way come to their ends for as long as `grace`. Then it
    /// leaves the groups; what is under way then ends with `Unavailable`.
    pub async fn shutdown(self, grace: Duration) {
        let nodes: Vec<Node> = self
            .groups
            .members()
            .iter()
            .filter_map(|group| group.node().cloned())
            .collect();
        for node in &nodes {
            node.set_state(NodeState::Draining);
        }
        // Out of all groups there is nobody to hear of it.
        if nodes.iter().any(|node| node.id().is_some()) {
            self.drained(grace).await;
        }
        self.groups.set_leaving();
        self.stop.cancel();
        self.watches.close();
        // All at once: each may wait for a while for what is on its way.
        for node in nodes {
            self.watches.spawn(async move { node.leave().await });
        }
        self.watches.wait().await;
    }

    async fn drained(&self, grace: Duration) {
        let arrived = || self.groups.arrived.load(Ordering::Relaxed);
        let mut drain = Drain::begin(arrived(), Instant::now(), grace);
        loop {
            match drain.look(arrived(), self.calls(), Instant::now()) {
                Progress::Draining => sleep(LOOK).await,
                Progress::Drained => return,
                Progress::OutOfTime => {
                    warn!(
                        calls = self.calls(),
                        "calls that have not ended are given up"
                    );
                    return;
                }
            }
        }
    }
}

fn node_config(config: &BridgeConfig, group: &GroupConfig) -> NodeConfig {
    NodeConfig {
        name: config.name.clone(),
        role: Role::Bridge,
        uplink: group.uplink.clone(),
        secret: group.credentials.secret.clone(),
        encryption: group.credentials.encryption.clone(),
        outbox_bytes: config.outbox_bytes,
        pair_bytes: config.pair_bytes,
        max_requests: MAX_REQUESTS,
        build: config.build.clone(),
        ..NodeConfig::default()
    }
}

/// What the bridge answers to in the group at `place`. The nodes are part of `groups`
/// and do not keep it: with the bridge goes what they would pass on.
fn services(groups: &Arc<Groups>, place: usize) -> Services {
    let of = || Arc::downgrade(groups);
    let (calls, nodes, events): (Weak<_>, Weak<_>, Weak<_>) = (of(), of(), of());
    Services::new()
        .bridge(move |transit, responder| {
            if let Some(groups) = calls.upgrade() {
                forward(groups, place, transit, responder);
            }
        })
        .serve(BRIDGE_NODES, move |request| {
            let groups = nodes.upgrade();
            let answer = groups
                .ok_or_else(gone)
                .and_then(|groups| group_nodes(&groups, place, request.body));
            async move { answer }
        })
        .events(move |event| {
            if let Some(groups) = events.upgrade() {
                groups.follow(place, &event);
            }
        })
}

fn gone() -> protocol::CallError {
    protocol::CallError::new(protocol::ErrorKind::Unavailable, "the bridge has stopped")
}
