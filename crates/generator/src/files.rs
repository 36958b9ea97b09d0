//! The folder of the configuration, read.

use std::{
    io,
    path::{Path, PathBuf},
};

use topology::{BridgePlan, Mistake, Topology, TopologyError};

use crate::{
    machine::{MachineError, machine},
    units::{BRIDGE, TOPOLOGY, Unit, units},
};

/// What this machine's files say, each for itself.
#[derive(Debug)]
pub struct Files {
    /// What this machine is called.
    pub machine: Result<String, MachineError>,
    /// The group, if there is a file of it.
    pub group: Option<Result<Topology, FileError>>,
    /// The bridges, if there is a file of them.
    pub bridges: Option<Result<BridgePlan, FileError>>,
}

/// A file of the configuration is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// What it says is wrong.
    #[error(transparent)]
    Refused(#[from] TopologyError),
    /// It is there, and cannot be looked at.
    #[error("cannot look at {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It is a folder, a device, or whatever else could be waited for without an end.
    #[error("{0} is not a file: expected a topology in TOML")]
    NotAFile(PathBuf),
}

/// Why nodes are not started that somebody may miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What it leads to and why, in a line.
    pub what: String,
    /// The mistakes behind it, a line each; of many the first.
    pub mistakes: Vec<String>,
}

/// As many mistakes of a file are told one by one.
const TOLD: usize = 5;

impl Files {
    /// Reads the files in `etc`. Secrets and certificates are not looked at: at the first
    /// boot they may not be there.
    pub fn read(etc: &Path) -> Files {
        Files {
            machine: machine(etc),
            group: load(&etc.join(TOPOLOGY), Topology::load_layout),
            bridges: load(&etc.join(BRIDGE), BridgePlan::load_layout),
        }
    }

    /// The units of this machine: none of a file that is wrong, and none at all of a machine
    /// that does not know its name.
    pub fn units(&self) -> Vec<Unit> {
        match &self.machine {
            Ok(machine) => units(good(&self.group), good(&self.bridges), machine),
            Err(_) => Vec::new(),
        }
    }

    /// What is wrong, and what it leads to.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if let (Err(error), true) = (&self.machine, self.has_any()) {
            complaints.push(Complaint::of(format!("no node is started: {error}")));
        }
        let bad = [bad(&self.group), bad(&self.bridges)].into_iter().flatten();
        complaints.extend(bad.map(FileError::complaint));
        let is_unused = self.has_any() && complaints.is_empty() && self.units().is_empty();
        if let (Ok(machine), true) = (&self.machine, is_unused) {
            complaints.push(Complaint::of(format!(
                "no node is started: none is on machine {machine}; the files name {}",
                self.machines().join(", ")
            )));
        }
        complaints
    }

    fn has_any(&self) -> bool {
        self.group.is_some() || self.bridges.is_some()
    }

    fn machines(&self) -> Vec<&str> {
        let group = good(&self.group).map(group_machines).unwrap_or_default();
        let bridges = good(&self.bridges)
            .map(BridgePlan::machines)
            .unwrap_or_default();
        let mut all = [group, bridges].concat();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Complaint {
    fn of(what: String) -> Complaint {
        let mistakes = Vec::new();
        Complaint { what, mistakes }
    }
}

impl FileError {
    fn complaint(&self) -> Complaint {
        let FileError::Refused(error) = self else {
            return Complaint::of(format!("none of its nodes is started: {self}"));
        };
        let (path, all) = (error.path().display(), error.mistakes());
        let mut mistakes: Vec<String> = all.iter().take(TOLD).map(shown).collect();
        if let Some(more @ 1..) = all.len().checked_sub(TOLD) {
            mistakes.push(format!("and {more} more mistakes"));
        }
        let what =
            format!("none of its nodes is started: {path} is refused (redrabbit check {path})");
        Complaint { what, mistakes }
    }
}

fn shown(mistake: &Mistake) -> String {
    let Mistake {
        place,
        key,
        found,
        expected,
        ..
    } = mistake;
    match key.is_empty() {
        true => format!("{place}: found {found}, expected {expected}"),
        false => format!("{place}: {key}: found {found}, expected {expected}"),
    }
}

/// Loads the file at `path`, if there is one.
fn load<T>(
    path: &Path,
    load: impl FnOnce(&Path) -> Result<T, TopologyError>,
) -> Option<Result<T, FileError>> {
    match path.metadata() {
        Ok(found) if found.is_file() => Some(load(path).map_err(FileError::from)),
        Ok(_) => Some(Err(FileError::NotAFile(path.to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let path = path.to_owned();
            Some(Err(FileError::Unreadable { path, error }))
        }
    }
}

fn good<T>(loaded: &Option<Result<T, FileError>>) -> Option<&T> {
    loaded.as_ref().and_then(|loaded| loaded.as_ref().ok())
}

fn bad<T>(loaded: &Option<Result<T, FileError>>) -> Option<&FileError> {
    loaded.as_ref().and_then(|loaded| loaded.as_ref().err())
}

fn group_machines(plan: &Topology) -> Vec<&str> {
    let slaves = plan.slaves.values().map(|node| node.machine.as_str());
    let gates = plan.gates.values().map(|node| node.machine.as_str());
    let scenes = plan.scenes.values().map(|node| node.machine.as_str());
    let master = std::iter::once(plan.master.machine.as_str());
    master.chain(slaves).chain(gates).chain(scenes).collect()
}
