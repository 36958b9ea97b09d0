//! The decision: which units, in which order, and what each is told.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use topology::{BridgePlan, STATE_DIRECTORY, Topology};
use vocabulary::NodeName;

/// One node of this machine, as a unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The node.
    pub node: NodeName,
    /// The name of the file that it is from.
    pub source: &'static str,
    /// The units that are started before it, and stopped after it, if they are started at
    /// all: it copes without them.
    pub after: Vec<String>,
    /// What it may take to stop.
    pub stop_within: Duration,
    /// A folder that it writes to beside that which the service manager gives it.
    pub writes: Option<PathBuf>,
    /// Whether it listens on a port that is not for everybody, below 1024.
    pub has_low_port: bool,
}

/// The file of a group in the folder of the configuration.
pub(crate) const TOPOLOGY: &str = "topology.toml";
/// The file of bridges there.
pub(crate) const BRIDGE: &str = "bridge.toml";

/// What stopping may take beyond the grace period of a drain.
const STOP_MARGIN: Duration = Duration::from_secs(10);

impl Unit {
    /// Its name, that of the node behind a prefix: `redrabbit-gate@0.service`.
    pub fn name(&self) -> String {
        unit_name(&self.node)
    }

    /// The unit that it is an instance of: `redrabbit-gate@.service`.
    pub fn template(&self) -> String {
        format!("redrabbit-{}@.service", self.node.role())
    }
}

/// The units of `machine` in the order in which they are started: master, slaves, scenes,
/// gates, bridges.
pub fn units(group: Option<&Topology>, bridges: Option<&BridgePlan>, machine: &str) -> Vec<Unit> {
    let of_group = group.map(|plan| {
        let nodes = plan.roles_on(machine).into_iter();
        nodes.map(|node| Unit {
            source: TOPOLOGY,
            after: Vec::new(),
            stop_within: plan.limits.drain_grace + STOP_MARGIN,
            writes: state_folder(plan, &node),
            has_low_port: addresses(plan, &node).into_iter().flatten().any(is_low),
            node,
        })
    });
    let of_bridges = bridges.map(|plan| {
        let nodes = plan.bridges_on(machine).into_iter();
        nodes.map(|node| Unit {
            source: BRIDGE,
            after: Vec::new(),
            stop_within: plan.limits.drain_grace + STOP_MARGIN,
            writes: None,
            has_low_port: plan
                .bridges
                .get(&node)
                .and_then(|it| it.http)
                .is_some_and(is_low),
            node,
        })
    });
    let of_group = of_group.into_iter().flatten();
    in_order(of_group.chain(of_bridges.into_iter().flatten()).collect())
}

/// Each behind all units of the roles before its own. They are in the order of roles.
fn in_order(mut units: Vec<Unit>) -> Vec<Unit> {
    let names: Vec<(String, String)> = units
        .iter()
        .map(|unit| (unit.node.role().to_owned(), unit.name()))
        .collect();
    for unit in &mut units {
        let before = names
            .iter()
            .take_while(|(role, _)| role != unit.node.role());
        unit.after = before.map(|(_, name)| name.clone()).collect();
    }
    units
}

fn unit_name(node: &NodeName) -> String {
    format!("redrabbit-{node}.service")
}

/// Where a node listens.
fn addresses(plan: &Topology, node: &NodeName) -> [Option<SocketAddr>; 3] {
    if let Some(slave) = plan.slaves.get(node) {
        return [Some(slave.listen), slave.http, None];
    }
    if let Some(gate) = plan.gates.get(node) {
        return [gate.tcp, gate.websocket, gate.http];
    }
    match plan.scenes.get(node) {
        Some(scene) => [scene.http, None, None],
        None => [Some(plan.master.listen), plan.master.http, None],
    }
}

/// The folder of a node's state, if it is not in the service manager's.
fn state_folder(plan: &Topology, node: &NodeName) -> Option<PathBuf> {
    let within = match plan.scenes.get(node) {
        Some(scene) => &scene.state_dir,
        None if *node == plan.master.name => &plan.master.epoch_file,
        None => return None,
    };
    let folder = within.parent()?;
    let is_given = folder.starts_with(Path::new(STATE_DIRECTORY));
    (!is_given).then(|| folder.to_owned())
}

/// Whether only a program with a privilege may listen there.
fn is_low(address: SocketAddr) -> bool {
    (1..1024).contains(&address.port())
}
