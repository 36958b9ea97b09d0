//! From the command line to the node that this process is, before any socket
//! opens.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use protocol::{
    NodeName,
    tls::{Tls, TlsError},
    v1::Role,
};
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
    /// The node's certificates; `None` where the group speaks no TLS.
    pub tls: Option<Tls>,
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
    /// The node's certificates are of no use.
    #[error("{name} has no TLS: {source}; see [security] in {file}")]
    Tls {
        /// The node.
        name: NodeName,
        /// The topology.
        file: String,
        /// Which file, and what is wrong with it.
        source: Box<TlsError>,
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
        tls: tls(&topology, &args.topology, &args.name)?,
        topology,
        file: args.topology.clone(),
    })
}

impl BootError {
    /// How a program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            BootError::Topology(_) | BootError::Tls { .. } => Exit::Config,
            BootError::UnknownName { .. } | BootError::WrongRole { .. } => Exit::Usage,
        }
    }
}

impl Boot {
    /// Where the node serves its HTTP pages, if it does.
    pub fn http(&self) -> Option<SocketAddr> {
        match self.role {
            Role::Master => self.topology.master.http,
            Role::Slave => self.topology.slaves.get(&self.name)?.http,
            Role::Gate => self.topology.gates.get(&self.name)?.http,
            Role::Scene => self.topology.scenes.get(&self.name)?.http,
            Role::Service | Role::Unspecified => None,
        }
    }

    /// How many threads the node's runtime has.
    pub fn workers(&self) -> usize {
        let Topology {
            master,
            slaves,
            gates,
            scenes,
            ..
        } = &self.topology;
        let workers = match self.role {
            Role::Master => Some(master.workers),
            Role::Slave => slaves.get(&self.name).map(|slave| slave.workers),
            Role::Gate => gates.get(&self.name).map(|gate| gate.workers),
            Role::Scene => scenes.get(&self.name).map(|scene| scene.workers),
            Role::Service | Role::Unspecified => None,
        };
        workers.unwrap_or(1)
    }

    /// Where the topology says what this node's `field` is: `tcp` of gate@0 is
    /// at `gates.gate@0.tcp`.
    pub fn site(&self, field: &str) -> ListenSite {
        let key = match self.role {
            Role::Slave => format!("slaves.{}.{field}", self.name),
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
        Role::Slave => "slave",
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
    let others = [Role::Master, Role::Slave, Role::Gate, Role::Scene];
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

/// The certificates of `name`, if the group speaks TLS.
fn tls(topology: &Topology, file: &Path, name: &NodeName) -> Result<Option<Tls>, BootError> {
    let Some(files) = topology.security.tls_files(name) else {
        return Ok(None);
    };
    let load = || {
        let tls = Tls::load(files)?;
        tls.require(&topology.group, name)?;
        Ok(tls)
    };
    load().map(Some).map_err(|source| BootError::Tls {
        name: name.clone(),
        file: file.display().to_string(),
        source: Box::new(source),
    })
}

/// The nodes of one role.
fn declared(topology: &Topology, role: Role) -> Vec<NodeName> {
    match role {
        Role::Master => vec![topology.master.name.clone()],
        Role::Slave => topology.slaves.keys().cloned().collect(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogFormat;

    const GROUP: &str = r#"
        group = "GroupA"
        [master]
        listen = "127.0.0.1:10241"
        [slaves."slave@0"]
        listen = "127.0.0.1:10251"
        http = "127.0.0.1:10351"
        workers = 3
        [scenes."scene@0"]
        script = "main.py"
    "#;

    fn booted(name: &str, role: Role) -> Result<Boot, BootError> {
        let folder = tempfile::tempdir().unwrap();
        let topology = folder.path().join("topology.toml");
        std::fs::write(&topology, GROUP).unwrap();
        let args = Args {
            topology,
            name: name.parse().unwrap(),
            set: Vec::new(),
            log_format: LogFormat::Text,
        };
        boot(&args, role)
    }

    #[test]
    fn a_slave_finds_what_its_own_section_says() {
        let boot = booted("slave@0", Role::Slave).unwrap();
        assert_eq!(boot.http(), Some("127.0.0.1:10351".parse().unwrap()));
        assert_eq!(boot.workers(), 3);
        assert_eq!(boot.site("listen").key, "slaves.slave@0.listen");
        let error = booted("slave@1", Role::Slave).unwrap_err().to_string();
        assert!(error.ends_with("the file's slave is slave@0"), "{error}");
        let error = booted("slave@0", Role::Master).unwrap_err().to_string();
        assert!(
            error.contains("slave@0 is a slave, and this program runs a master"),
            "{error}"
        );
    }
}
