//! What checks look at: gathered once.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use generator::MachineError;
use protocol::NodeName;
use tokio::{runtime, time::sleep};
use topology::{Plan, Topology, this_machine};

use super::{
    DoctorArgs,
    master::{self, Heard},
    processes::{self, Process},
    twins,
};
use crate::group;

/// Where the file is, and who runs what is in it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// The folder of this machine's configuration.
    pub(super) etc: PathBuf,
    /// Whether systemd runs the nodes of the file.
    pub(super) systemd: bool,
}

/// This machine and its nodes.
pub(super) struct Here {
    pub(super) place: Place,
    pub(super) plan: Plan,
    pub(super) machine: String,
    /// Those that the file places here.
    pub(super) nodes: Vec<NodeName>,
    /// Daemons that run here by the file.
    pub(super) processes: Vec<Process>,
    pub(super) heard: Heard,
}

/// Where a node listens, and under which key the file says so.
#[derive(Clone, Debug)]
pub(super) struct Listens {
    pub(super) node: NodeName,
    pub(super) key: String,
    pub(super) address: SocketAddr,
}

/// What the end of a lease may take beyond it.
const MARGIN: Duration = Duration::from_secs(1);

impl Place {
    pub(super) fn of(args: &DoctorArgs) -> Place {
        let file = group::file(args.file.as_deref());
        let is_installed = file.parent() == Some(&*args.etc);
        let booted = Path::new(crate::apply::BOOTED).is_dir();
        Place {
            systemd: args.systemd || is_installed && booted,
            etc: args.etc.clone(),
            file,
        }
    }

    /// Whether the file is the one that a machine starts by.
    fn is_installed(&self) -> bool {
        self.file.parent() == Some(&*self.etc)
    }
}

impl Here {
    /// Finds out. The inner error: this machine does not know its name.
    pub(super) fn find(
        place: Place,
        plan: Plan,
        args: &DoctorArgs,
    ) -> io::Result<Result<Here, MachineError>> {
        let name = match &args.machine {
            Some(name) => Ok(name.clone()),
            None if place.is_installed() => generator::machine(&place.etc),
            None => Ok(this_machine()),
        };
        let machine = match name {
            Ok(machine) => machine,
            Err(error) => return Ok(Err(error)),
        };
        let nodes = match &plan {
            Plan::Group(topology) => topology.roles_on(&machine),
            Plan::Bridges(plan) => plan.bridges_on(&machine),
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let secret = args.secret_file.as_deref();
        let mut heard = runtime.block_on(master::ask(&plan, secret));
        let mut processes = processes::of_file(&place.file);
        if let (Plan::Group(topology), Some(Ok(directory))) = (&plan, &heard.directory)
            && !twins::suspects(&nodes, &processes, directory).is_empty()
        {
            // Whoever has just been killed is in the group until its lease has ended.
            let lease = topology.limits.lease;
            runtime.block_on(async { sleep(lease + MARGIN).await });
            heard = runtime.block_on(master::ask(&plan, secret));
            processes = processes::of_file(&place.file);
        }
        Ok(Ok(Here {
            processes,
            place,
            plan,
            machine,
            nodes,
            heard,
        }))
    }

    /// The group, if the file is of one.
    pub(super) fn group(&self) -> Option<&Topology> {
        match &self.plan {
            Plan::Group(topology) => Some(topology),
            Plan::Bridges(_) => None,
        }
    }

    /// Whether a node of the file runs here.
    pub(super) fn runs(&self, node: &NodeName) -> bool {
        self.processes.iter().any(|process| process.node == *node)
    }

    /// Where the nodes of this machine listen.
    pub(super) fn listens(&self) -> Vec<Listens> {
        let mut all = Vec::new();
        for node in &self.nodes {
            let found = match &self.plan {
                Plan::Group(topology) => of_group(topology, node),
                Plan::Bridges(plan) => {
                    let http = plan.bridges.get(node).and_then(|bridge| bridge.http);
                    vec![(format!("bridges.{node}.http"), http)]
                }
            };
            all.extend(found.into_iter().filter_map(|(key, address)| {
                Some(Listens {
                    node: node.clone(),
                    key,
                    address: address?,
                })
            }));
        }
        all
    }
}

fn of_group(topology: &Topology, node: &NodeName) -> Vec<(String, Option<SocketAddr>)> {
    let key = |section: &str, key: &str| format!("{section}.{node}.{key}");
    if let Some(slave) = topology.slaves.get(node) {
        return vec![
            (key("slaves", "listen"), Some(slave.listen)),
            (key("slaves", "http"), slave.http),
        ];
    }
    if let Some(gate) = topology.gates.get(node) {
        return vec![
            (key("gates", "tcp"), gate.tcp),
            (key("gates", "websocket"), gate.websocket),
            (key("gates", "http"), gate.http),
        ];
    }
    if let Some(scene) = topology.scenes.get(node) {
        return vec![(key("scenes", "http"), scene.http)];
    }
    vec![
        ("master.listen".to_owned(), Some(topology.master.listen)),
        ("master.http".to_owned(), topology.master.http),
    ]
}
