//! A node of one group, out of the group's file.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use protocol::{
    NodeName,
    tls::{Tls, TlsError},
    v1::Role,
};
use topology::{Changes, Log, Topology, changes};

use super::{BootError, Booted, role_name};
use crate::{Args, ListenSite};

/// Which node this process is, in which group.
#[derive(Debug)]
pub struct Boot {
    /// The node's name.
    pub name: NodeName,
    /// What it is.
    pub role: Role,
    /// The whole group, as its file said when the process was started.
    pub topology: Arc<Topology>,
    /// The node's certificates; `None` where the group speaks no TLS.
    pub tls: Option<Tls>,
    /// The file that describes it.
    pub file: PathBuf,
    /// What overrides the file.
    pub set: Vec<String>,
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
        topology: Arc::new(topology),
        file: args.topology.clone(),
        set: args.set.clone(),
    })
}

impl Booted for Boot {
    type Plan = Topology;

    fn plan(&self) -> Arc<Topology> {
        Arc::clone(&self.topology)
    }

    fn read_again(&self) -> Result<Arc<Topology>, BootError> {
        let topology = Topology::load(&self.file, &self.set)?;
        find(&topology, &self.file, &self.name, self.role)?;
        // Turned on or off it is when the process is started again.
        if let Some((tls, files)) = self
            .tls
            .as_ref()
            .zip(topology.security.tls_files(&self.name))
        {
            tls.replace(files)
                .map_err(|source| wrong_tls(&self.file, &self.name, source))?;
        }
        Ok(Arc::new(topology))
    }

    fn changes(old: &Topology, new: &Topology) -> Changes {
        changes(old, new)
    }

    fn log(plan: &Topology) -> &Log {
        &plan.log
    }

    fn drain_grace(plan: &Topology) -> Duration {
        plan.limits.drain_grace
    }

    fn name(&self) -> &NodeName {
        &self.name
    }

    fn groups(&self) -> String {
        self.topology.group.to_string()
    }

    fn http(&self) -> Option<SocketAddr> {
        match self.role {
            Role::Master => self.topology.master.http,
            Role::Slave => self.topology.slaves.get(&self.name)?.http,
            Role::Gate => self.topology.gates.get(&self.name)?.http,
            Role::Scene => self.topology.scenes.get(&self.name)?.http,
            Role::Bridge | Role::Service | Role::Unspecified => None,
        }
    }

    fn workers(&self) -> usize {
        let Topology {
            master,
            slaves,
            gates,
            scenes,
            ..
        } = &*self.topology;
        let workers = match self.role {
            Role::Master => Some(master.workers),
            Role::Slave => slaves.get(&self.name).map(|slave| slave.workers),
            Role::Gate => gates.get(&self.name).map(|gate| gate.workers),
            Role::Scene => scenes.get(&self.name).map(|scene| scene.workers),
            Role::Bridge | Role::Service | Role::Unspecified => None,
        };
        workers.unwrap_or(1)
    }

    fn site(&self, field: &str) -> ListenSite {
        let key = match self.role {
            Role::Slave => format!("slaves.{}.{field}", self.name),
            Role::Gate => format!("gates.{}.{field}", self.name),
            Role::Scene => format!("scenes.{}.{field}", self.name),
            _ => format!("master.{field}"),
        };
        ListenSite::new(&self.name, key, &self.file)
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
    load()
        .map(Some)
        .map_err(|source| wrong_tls(file, name, source))
}

fn wrong_tls(file: &Path, name: &NodeName, source: TlsError) -> BootError {
    BootError::Tls {
        name: name.clone(),
        section: "[security]".to_owned(),
        file: file.display().to_string(),
        source: Box::new(source),
    }
}

/// The nodes of one role.
fn declared(topology: &Topology, role: Role) -> Vec<NodeName> {
    match role {
        Role::Master => vec![topology.master.name.clone()],
        Role::Slave => topology.slaves.keys().cloned().collect(),
        Role::Gate => topology.gates.keys().cloned().collect(),
        Role::Scene => topology.scenes.keys().cloned().collect(),
        Role::Bridge | Role::Service | Role::Unspecified => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            log_format: None,
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
