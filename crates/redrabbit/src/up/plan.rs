//! What `up` is going to start.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{GroupName, NodeName, v1::Role};
use topology::{BridgePlan, Plan, Topology};

use super::{child::Launch, output::Form};
use crate::{
    binaries::{self, BinaryError},
    names::listed,
};

/// The roles of one machine, of a group or of a bridge's file.
#[derive(Clone, Debug)]
pub(super) struct UpPlan {
    /// What they are together: "group GroupA".
    pub(super) title: String,
    /// In the order in which they are started.
    pub(super) roles: Vec<RolePlan>,
    /// What its user wants to know when it is up: where clients connect, or which
    /// groups are joined.
    pub(super) known_by: Vec<String>,
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
    /// How their log lines are shown.
    pub(super) form: Form,
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

impl UpPlan {
    /// What to start on `machine`.
    ///
    /// # Errors
    /// [`PlanError`], before anything is started.
    pub(super) fn new(
        plan: &Plan,
        machine: &str,
        telling: &Telling<'_>,
    ) -> Result<UpPlan, PlanError> {
        match plan {
            Plan::Group(topology) => UpPlan::of_group(topology, machine, telling),
            Plan::Bridges(plan) => UpPlan::of_bridges(plan, machine, telling),
        }
    }

    fn of_group(
        topology: &Topology,
        machine: &str,
        telling: &Telling<'_>,
    ) -> Result<UpPlan, PlanError> {
        let names = topology.roles_on(machine);
        let doors = names.iter().flat_map(|name| doors(topology, name));
        let roles = names.iter().map(|name| (name, role_of(topology, name)));
        Ok(UpPlan {
            title: format!("group {}", topology.group),
            roles: telling.roles(roles, machine, &machines(topology))?,
            known_by: doors.collect(),
            stop_within: topology.limits.drain_grace + STOP_MARGIN,
        })
    }

    fn of_bridges(
        plan: &BridgePlan,
        machine: &str,
        telling: &Telling<'_>,
    ) -> Result<UpPlan, PlanError> {
        let names = plan.bridges_on(machine);
        let roles = names.iter().map(|name| (name, Role::Bridge));
        let joined = plan.groups.iter();
        let joined = joined.map(|(group, joined)| format!("{group} at {}", joined.master));
        Ok(UpPlan {
            title: format!(
                "bridge between {}",
                listed(plan.groups.keys().map(GroupName::as_str))
            ),
            roles: telling.roles(roles, machine, &plan.machines())?,
            known_by: joined.collect(),
            stop_within: plan.limits.drain_grace + STOP_MARGIN,
        })
    }

    /// What is said when every role is ready.
    pub(super) fn up_line(&self) -> String {
        let what = if self.known_by.is_empty() {
            let names = self.roles.iter().map(|role| role.name.to_string());
            names.collect::<Vec<_>>()
        } else {
            self.known_by.clone()
        };
        format!("{} is up: {}", self.title, what.join(", "))
    }

    /// The length of the longest name.
    pub(super) fn name_width(&self) -> usize {
        let widths = self.roles.iter().map(|role| role.name.as_str().len());
        widths.max().unwrap_or(0).max(super::OWN_NAME.len())
    }
}

impl Telling<'_> {
    /// The plans of what is to be started on `machine`, which is one of `machines` if
    /// there is anything.
    fn roles<'a>(
        &self,
        nodes: impl Iterator<Item = (&'a NodeName, Role)>,
        machine: &str,
        machines: &[&str],
    ) -> Result<Vec<RolePlan>, PlanError> {
        let roles = nodes.map(|(name, role)| {
            let launch = self.launch(name, role)?;
            let name = name.clone();
            Ok(RolePlan { name, role, launch })
        });
        let roles = roles.collect::<Result<Vec<_>, BinaryError>>()?;
        if roles.is_empty() {
            return Err(PlanError::NothingHere {
                file: self.file.display().to_string(),
                machine: machine.to_owned(),
                machines: machines.join(", "),
            });
        }
        Ok(roles)
    }

    fn launch(&self, name: &NodeName, role: Role) -> Result<Launch, BinaryError> {
        let program = match role {
            Role::Master => "broker-master",
            Role::Slave => "broker-slave",
            Role::Gate => "gate",
            Role::Bridge => "bridge",
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
        if self.form == Form::Json {
            args.extend(["--log-format".into(), "json".into()]);
        }
        let colour = match self.form {
            Form::Colour => "always",
            Form::Plain | Form::Json => "never",
        };
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BRIDGES: &str = r#"
        [bridges."bridge@0"]
        machine = "edge-1"
        [bridges."bridge@1"]
        machine = "edge-2"
        [bridges."bridge@2"]
        machine = "edge-1"
        [[groups]]
        name = "GroupB"
        master = "127.0.0.1:11241"
        [[groups]]
        name = "GroupA"
        master = "127.0.0.1:10241"
        [limits]
        drain_grace = "2s"
    "#;

    /// What `up` would do with these bridges on `machine`, and the folder of it all.
    fn planned(machine: &str) -> (tempfile::TempDir, Result<UpPlan, PlanError>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bridge.toml");
        fs::write(&file, BRIDGES).unwrap();
        fs::write(folder.path().join("bridge"), "").unwrap();
        let set = ["limits.drain_grace=2s".to_owned()];
        let telling = Telling {
            file: &file,
            set: &set,
            bin_dir: folder.path(),
            form: Form::Plain,
        };
        let plan = Plan::load(&file, &set).unwrap();
        let planned = UpPlan::new(&plan, machine, &telling);
        (folder, planned)
    }

    #[test]
    fn the_bridges_of_a_machine_are_started_and_the_up_line_says_what_they_join() {
        let (folder, plan) = planned("edge-1");
        let plan = plan.unwrap();
        let names: Vec<&str> = plan.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["bridge@0", "bridge@2"]);
        let launch = &plan.roles[1].launch;
        assert_eq!(launch.program, folder.path().join("bridge"));
        let set = ["--name", "bridge@2", "--set", "limits.drain_grace=2s"];
        assert_eq!(launch.args[2..], set);
        assert_eq!(
            plan.up_line(),
            "bridge between GroupA and GroupB is up: \
             GroupA at 127.0.0.1:10241, GroupB at 127.0.0.1:11241"
        );
        assert_eq!(plan.stop_within, Duration::from_secs(2) + STOP_MARGIN);
    }

    #[test]
    fn a_machine_without_bridges_is_told_which_there_are() {
        let (_folder, plan) = planned("edge-9");
        let error = plan.unwrap_err().to_string();
        assert!(error.contains("its machines are edge-1, edge-2"), "{error}");
    }
}
