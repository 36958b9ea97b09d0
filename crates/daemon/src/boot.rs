//! From the command line to the node that this process is, before any socket
//! opens.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use protocol::{NodeName, v1::Role};
use topology::{Topology, TopologyError};

use crate::{Args, Exit, ListenSite};

/// Which node this process is, in which group.
#[derive(Debug)]
pub struct Boot {
    /// The node's name.
    pub name: NodeName,
    /// What it is.
    pub role: Role,
    /// The whole group.
    pub topology: Topology,
    /// The file that describes it.
    pub file: PathBuf,
}

/// The command line and the topology file do not make a node. The operator has
/// to change one of them.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The file declares no node of that name.
    #[error("{file} declares no node {name}; {}", say_own(role, own))]
    UnknownName {
        /// The name asked for.
        name: NodeName,
        /// The file read.
        file: String,
        /// What this program runs.
        role: &'static str,
        /// The nodes of the file that this program could be.
        own: Vec<NodeName>,
    },
    /// The file declares the node for another program.
    #[error(
        "{name} is a {found}, and this program runs a {role}; {}",
        say_own(role, own)
    )]
    WrongRole {
        /// The name asked for.
        name: NodeName,
        /// What it is in the file.
        found: &'static str,
        /// What this program runs.
        role: &'static str,
        /// The nodes of the file that this program could be.
        own: Vec<NodeName>,
    },
}

/// Reads the topology and finds this process in it.
///
/// # Errors
/// [`BootError`]; no socket has been opened.
pub fn boot(args: &Args, role: Role) -> Result<Boot, BootError> {
    let topology = Topology::load(&args.topology, &args.set)?;
    find(&topology, &args.topology, &args.name, role)?;
    Ok(Boot {
        name: args.name.clone(),
        role,
        topology,
        file: args.topology.clone(),
    })
}

impl BootError {
    /// How a program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            BootError::Topology(_) => Exit::Config,
            BootError::UnknownName { .. } | BootError::WrongRole { .. } => Exit::Usage,
        }
    }
}

impl Boot {
    /// Where the node serves its HTTP pages, if it does.
    pub fn http(&self) -> Option<SocketAddr> {
        match self.role {
            Role::Master => self.topology.master.http,
            Role::Gate => self.topology.gates.get(&self.name)?.http,
            Role::Scene => self.topology.scenes.get(&self.name)?.http,
            Role::Service | Role::Unspecified => None,
        }
    }

    /// How many threads the node's runtime has; `None`: one a processor.
    pub fn workers(&self) -> Option<usize> {
        (self.role == Role::Master).then_some(self.topology.master.workers)
    }

    /// Where the topology says what this node's `field` is: `tcp` of gate@0 is
    /// at `gates.gate@0.tcp`.
    pub fn site(&self, field: &str) -> ListenSite {
        let key = match self.role {
            Role::Gate => format!("gates.{}.{field}", self.name),
            Role::Scene => format!("scenes.{}.{field}", self.name),
            _ => format!("master.{field}"),
        };
        ListenSite::new(&self.name, key, &self.file)
    }
}

/// What a role is called in messages and in metrics.
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Gate => "gate",
        Role::Scene => "scene",
        Role::Service | Role::Unspecified => "service",
    }
}

/// Fails unless `topology` declares `name` as a `role`.
fn find(topology: &Topology, file: &Path, name: &NodeName, role: Role) -> Result<(), BootError> {
    let own = declared(topology, role);
    if own.contains(name) {
        return Ok(());
    }
    let others = [Role::Master, Role::Gate, Role::Scene];
    let found = others
        .into_iter()
        .find(|other| declared(topology, *other).contains(name));
    let (name, role) = (name.clone(), role_name(role));
    Err(match found {
        Some(found) => BootError::WrongRole {
            name,
            found: role_name(found),
            role,
            own,
        },
        None => BootError::UnknownName {
            name,
            file: file.display().to_string(),
            role,
            own,
        },
    })
}

/// The nodes of one role.
fn declared(topology: &Topology, role: Role) -> Vec<NodeName> {
    match role {
        Role::Master => vec![topology.master.name.clone()],
        Role::Gate => topology.gates.keys().cloned().collect(),
        Role::Scene => topology.scenes.keys().cloned().collect(),
        Role::Service | Role::Unspecified => Vec::new(),
    }
}

/// "its gates are gate@0, gate@1".
fn say_own(role: &str, own: &[NodeName]) -> String {
    let names = own.iter().map(NodeName::as_str).collect::<Vec<_>>();
    match names.as_slice() {
        [] => format!("the file has no {role}"),
        [name] => format!("the file's {role} is {name}"),
        _ => format!("the file's {role}s are {}", names.join(", ")),
    }
}
