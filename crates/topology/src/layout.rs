//! Who runs where, for those who start nodes and are none themselves.
//!
//! A service manager is told which nodes a machine has before any of them runs, and
//! often before their certificates are there.

use std::path::Path;

use crate::{
    bridge_plan::BridgePlan,
    loader::{Credentials, Sources},
    mistake::TopologyError,
    plan::Topology,
};

/// The folder that the service manager gives all nodes of a machine.
pub const STATE_DIRECTORY: &str = "/var/lib/redrabbit";

impl Topology {
    /// Loads `path` alone, without environment and arguments, for who runs where: the
    /// files that hold secrets and certificates are not looked at, and
    /// [`Security::secret`](crate::Security::secret) is empty where it is in a file.
    /// Nodes that were given no folder for their state have that of the service manager.
    ///
    /// # Errors
    /// All other mistakes at once: the file is refused whole.
    pub fn load_layout(path: &Path) -> Result<Topology, TopologyError> {
        sources().load_group(path)
    }
}

impl BridgePlan {
    /// As [`Topology::load_layout`], of a bridge's file.
    ///
    /// # Errors
    /// All other mistakes at once: the file is refused whole.
    pub fn load_layout(path: &Path) -> Result<BridgePlan, TopologyError> {
        sources().load_bridges(path)
    }
}

fn sources() -> Sources {
    Sources {
        environment: vec![("STATE_DIRECTORY".into(), STATE_DIRECTORY.into())],
        credentials: Credentials::Left,
        ..Sources::of_process(&[])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GROUP: &str = "\
group = \"GroupA\"
[master]
listen = \"10.0.0.1:10241\"
[security]
secret_file = \"secret\"
authority = \"tls/authority.pem\"
certificate = \"tls/{name}.pem\"
key = \"tls/key.pem\"
";

    #[test]
    fn who_runs_where_is_known_before_secrets_and_certificates_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        fs::write(&file, GROUP).unwrap();
        let refused = Topology::load(&file, &[]).unwrap_err();
        assert_eq!(refused.mistakes().len(), 3, "{refused}");
        let plan = Topology::load_layout(&file).unwrap();
        assert!(plan.security.secret.is_empty() && plan.security.speaks_tls());
        assert!(plan.master.epoch_file.starts_with(STATE_DIRECTORY));
    }

    #[test]
    fn what_is_wrong_in_the_file_itself_is_still_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        let wrong = GROUP.replace("secret_file", "secret = \"a\"\nsecret_file");
        fs::write(&file, wrong.replace("authority =", "# authority =")).unwrap();
        let refused = Topology::load_layout(&file).unwrap_err();
        let keys: Vec<_> = refused.mistakes().iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["security.secret_file", "security.authority"]);
    }
}
