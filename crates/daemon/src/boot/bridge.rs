//! A bridge, out of the file of bridges.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use protocol::{
    GroupName, NodeName,
    tls::{Tls, TlsError},
    v1::Role,
};
use topology::{Bridge, BridgePlan, Changes, Log, bridge_changes};

use super::{BootError, Booted, role_name};
use crate::{Args, ListenSite};

/// Which bridge this process is, between which groups.
#[derive(Debug)]
pub struct BridgeBoot {
    /// The bridge's name.
    pub name: NodeName,
    /// All that the file said when the process was started.
    pub plan: Arc<BridgePlan>,
    /// The bridge's certificates in those of its groups that speak TLS.
    pub tls: BTreeMap<GroupName, Tls>,
    /// The file.
    pub file: PathBuf,
    /// What overrides the file.
    pub set: Vec<String>,
}

/// Reads the file of bridges and finds this process in it.
///
/// # Errors
/// [`BootError`]; no socket has been opened.
pub fn boot_bridge(args: &Args) -> Result<BridgeBoot, BootError> {
    let plan = BridgePlan::load(&args.topology, &args.set)?;
    find(&plan, &args.topology, &args.name)?;
    Ok(BridgeBoot {
        tls: tls(&plan, &args.topology, &args.name)?,
        name: args.name.clone(),
        plan: Arc::new(plan),
        file: args.topology.clone(),
        set: args.set.clone(),
    })
}

impl BridgeBoot {
    fn own(&self) -> Option<&Bridge> {
        self.plan.bridges.get(&self.name)
    }
}

impl Booted for BridgeBoot {
    type Plan = BridgePlan;

    fn plan(&self) -> Arc<BridgePlan> {
        Arc::clone(&self.plan)
    }

    fn read_again(&self) -> Result<Arc<BridgePlan>, BootError> {
        let plan = BridgePlan::load(&self.file, &self.set)?;
        find(&plan, &self.file, &self.name)?;
        for (group, joined) in &plan.groups {
            // Turned on or off it is when the process is started again.
            let own = self.tls.get(group);
            if let Some((tls, files)) = own.zip(joined.security.tls_files(&self.name)) {
                tls.replace(files)
                    .map_err(|source| wrong_tls(&self.file, group, &self.name, source))?;
            }
        }
        Ok(Arc::new(plan))
    }

    fn changes(old: &BridgePlan, new: &BridgePlan) -> Changes {
        bridge_changes(old, new)
    }

    fn log(plan: &BridgePlan) -> &Log {
        &plan.log
    }

    fn drain_grace(plan: &BridgePlan) -> Duration {
        plan.limits.drain_grace
    }

    fn name(&self) -> &NodeName {
        &self.name
    }

    fn groups(&self) -> String {
        let names = self.plan.groups.keys().map(GroupName::as_str);
        names.collect::<Vec<_>>().join(", ")
    }

    fn http(&self) -> Option<SocketAddr> {
        self.own()?.http
    }

    fn workers(&self) -> usize {
        self.own().map_or(1, |bridge| bridge.workers)
    }

    fn site(&self, field: &str) -> ListenSite {
        let key = format!("bridges.{}.{field}", self.name);
        ListenSite::new(&self.name, key, &self.file)
    }
}

/// The certificates of `name` in each group that speaks TLS.
fn tls(
    plan: &BridgePlan,
    file: &Path,
    name: &NodeName,
) -> Result<BTreeMap<GroupName, Tls>, BootError> {
    let mut loaded = BTreeMap::new();
    for (group, joined) in &plan.groups {
        let Some(files) = joined.security.tls_files(name) else {
            continue;
        };
        let tls = Tls::load(files).and_then(|tls| {
            tls.require(group, name)?;
            Ok(tls)
        });
        let tls = tls.map_err(|source| wrong_tls(file, group, name, source))?;
        loaded.insert(group.clone(), tls);
    }
    Ok(loaded)
}

/// Fails unless `plan` declares the bridge.
fn find(plan: &BridgePlan, file: &Path, name: &NodeName) -> Result<(), BootError> {
    if plan.bridges.contains_key(name) {
        return Ok(());
    }
    Err(BootError::UnknownName {
        name: name.clone(),
        file: file.display().to_string(),
        role: role_name(Role::Bridge),
        own: plan.bridges.keys().cloned().collect(),
    })
}

fn wrong_tls(file: &Path, group: &GroupName, name: &NodeName, source: TlsError) -> BootError {
    BootError::Tls {
        name: name.clone(),
        section: format!("groups.{group}"),
        file: file.display().to_string(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_finds_what_its_own_section_says() {
        let folder = tempfile::tempdir().unwrap();
        let topology = folder.path().join("bridge.toml");
        let text = r#"
            [bridges."bridge@0"]
            [bridges."bridge@1"]
            http = "127.0.0.1:10361"
            workers = 3
            [[groups]]
            name = "GroupB"
            master = "127.0.0.1:11241"
            [[groups]]
            name = "GroupA"
            master = "127.0.0.1:10241"
            [limits]
            drain_grace = "2s"
        "#;
        std::fs::write(&topology, text).unwrap();
        let args = Args {
            topology,
            name: "bridge@1".parse().unwrap(),
            set: vec!["groups.GroupA.master=127.0.0.1:1".to_owned()],
            log_format: None,
        };
        let boot = boot_bridge(&args).unwrap();
        assert_eq!(boot.http(), Some("127.0.0.1:10361".parse().unwrap()));
        assert_eq!(
            (boot.workers(), boot.groups().as_str()),
            (3, "GroupA, GroupB")
        );
        let grace = BridgeBoot::drain_grace(&boot.plan);
        assert_eq!(grace, Duration::from_secs(2));
        assert_eq!(boot.site("http").key, "bridges.bridge@1.http");
        let joined = &boot.plan.groups[&"GroupA".parse().unwrap()];
        assert_eq!(joined.master.port(), 1);
        assert!(boot.tls.is_empty());
    }
}
