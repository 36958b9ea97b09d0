//! What `up` is going to start.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{GroupName, NodeName, v1::Role};
use topology::Topology;

use super::child::Launch;
use crate::binaries::{self, BinaryError};

/// The roles of one machine.
#[derive(Clone, Debug)]
pub(super) struct GroupPlan {
    /// The group that they are of.
    pub(super) group: GroupName,
    /// In the order in which they are started.
    pub(super) roles: Vec<RolePlan>,
    /// Where clients connect: `tcp 127.0.0.1:10242`.
    pub(super) doors: Vec<String>,
    /// How long each may take to stop.
    pub(super) stop_within: Duration,
}

/// One role.
#[derive(Clone, Debug)]
pub(super) struct RolePlan {
    /// Its name in the group.
    pub(super) name: NodeName,
    /// What it is.
    pub(super) role: Role,
    /// What to start.
    pub(super) launch: Launch,
}

/// What the children are told, beside the topology.
#[derive(Clone, Debug)]
pub(super) struct Telling<'a> {
    /// The topology file.
    pub(super) file: &'a Path,
    /// What overrides it.
    pub(super) set: &'a [String],
    /// Where their programs are.
    pub(super) bin_dir: &'a Path,
    /// Whether their log lines have colours.
    pub(super) colour: bool,
}

/// What stopping may take beyond the grace period of a drain.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// There is nothing to start, or no program to start it with.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The topology places nothing here.
    #[error(
        "{file} places no role on machine {machine}; its machines are {machines}; \
         say which one this is with --machine"
    )]
    NothingHere {
        /// The topology file.
        file: String,
        /// This machine.
        machine: String,
        /// The machines that it names.
        machines: String,
    },
    /// A program is not there.
    #[error(transparent)]
    Binary(#[from] BinaryError),
}

impl GroupPlan {
    /// What to start on `machine`.
    ///
    /// # Errors
    /// [`PlanError`], before anything is started.
    pub(super) fn new(
        topology: &Topology,
        machine: &str,
        telling: &Telling<'_>,
    ) -> Result<GroupPlan, PlanError> {
        let names = topology.roles_on(machine);
        if names.is_empty() {
            return Err(PlanError::NothingHere {
                file: telling.file.display().to_string(),
                machine: machine.to_owned(),
                machines: machines(topology).join(", "),
            });
        }
        let doors = names
            .iter()
            .flat_map(|name| doors(topology, name))
            .collect();
        let roles = names.into_iter().map(|name| {
            let role = role_of(topology, &name);
            let launch = telling.launch(&name, role)?;
            Ok(RolePlan { name, role, launch })
        });
        Ok(GroupPlan {
            group: topology.group.clone(),
            roles: roles.collect::<Result<_, BinaryError>>()?,
            doors,
            stop_within: topology.limits.drain_grace + STOP_MARGIN,
        })
    }

    /// What is said when every role is ready.
    pub(super) fn up_line(&self) -> String {
        let what = if self.doors.is_empty() {
            let names = self.roles.iter().map(|role| role.name.to_string());
            names.collect::<Vec<_>>()
        } else {
            self.doors.clone()
        };
        format!("group {} is up: {}", self.group, what.join(", "))
    }

    /// The length of the longest name.
    pub(super) fn name_width(&self) -> usize {
        let widths = self.roles.iter().map(|role| role.name.as_str().len());
        widths.max().unwrap_or(0).max(super::OWN_NAME.len())
    }
}

impl Telling<'_> {
    fn launch(&self, name: &NodeName, role: Role) -> Result<Launch, BinaryError> {
        let program = match role {
            Role::Master => "broker-master",
            Role::Slave => "broker-slave",
            Role::Gate => "gate",
            _ => "scene-host",
        };
        let mut args: Vec<OsString> = vec![
            "--topology".into(),
            self.file.into(),
            "--name".into(),
            name.as_str().into(),
        ];
        for set in self.set {
            args.extend(["--set".into(), set.into()]);
        }
        let colour = if self.colour { "always" } else { "never" };
        Ok(Launch {
            program: binaries::find(self.bin_dir, program, program)?,
            args,
            env: vec![(daemon::COLOR_VARIABLE, colour.to_owned())],
        })
    }
}

/// What overrides the script of `scene@0`.
///
/// # Errors
/// When there is no such file.
pub(super) fn script_override(script: &Path) -> std::io::Result<String> {
    let absolute: PathBuf = script.canonicalize()?;
    Ok(format!("scenes.scene@0.script={}", absolute.display()))
}

/// What a name of the topology is: its section says so, its text need not.
fn role_of(topology: &Topology, name: &NodeName) -> Role {
    if topology.slaves.contains_key(name) {
        Role::Slave
    } else if topology.gates.contains_key(name) {
        Role::Gate
    } else if topology.scenes.contains_key(name) {
        Role::Scene
    } else {
        Role::Master
    }
}

/// Where clients reach `name`, if it is a gate.
fn doors(topology: &Topology, name: &NodeName) -> Vec<String> {
    let Some(gate) = topology.gates.get(name) else {
        return Vec::new();
    };
    let tcp = gate.tcp.map(|address| format!("tcp {address}"));
    let websocket = gate.websocket.map(|address| format!("websocket {address}"));
    tcp.into_iter().chain(websocket).collect()
}

/// The machines that the topology names, each once.
fn machines(topology: &Topology) -> Vec<&str> {
    let slaves = topology.slaves.values().map(|slave| slave.machine.as_str());
    let gates = topology.gates.values().map(|gate| gate.machine.as_str());
    let scenes = topology.scenes.values().map(|scene| scene.machine.as_str());
    let master = std::iter::once(topology.master.machine.as_str());
    let mut machines: Vec<&str> = master.chain(slaves).chain(gates).chain(scenes).collect();
    machines.sort_unstable();
    machines.dedup();
    machines
}
