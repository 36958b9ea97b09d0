//! Who may join, and what protects their words on the way.

use std::path::{Path, PathBuf};

use vocabulary::{NodeName, Secret, TlsFiles};

/// Who may join, and whether others can read what is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// What a node must know; empty when every broker listens on loopback only
    /// and no secret was given.
    pub secret: Secret,
    /// Whether brokers may listen beyond loopback without TLS.
    pub allow_plaintext: bool,
    /// With `{name}` for the name of a node.
    pub(crate) tls: Option<TlsFiles>,
}

/// What stands for a node's own name in the path of a file.
pub(crate) const NAME: &str = "{name}";

impl Security {
    /// Whether nodes and brokers speak TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The files of the node `name`, absolute; nothing where the group speaks
    /// no TLS.
    pub fn tls_files(&self, name: &NodeName) -> Option<TlsFiles> {
        let TlsFiles {
            authority,
            certificate,
            key,
        } = self.tls.as_ref()?;
        Some(TlsFiles {
            authority: authority.clone(),
            certificate: named(certificate, name),
            key: named(key, name),
        })
    }
}

fn named(path: &Path, name: &NodeName) -> PathBuf {
    let parts = path.components().map(|part| {
        let part = part.as_os_str();
        match part.to_str() {
            Some(text) => text.replace(NAME, name.as_str()).into(),
            None => part.to_owned(),
        }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(certificate: &str) -> Security {
        Security {
            secret: Secret::default(),
            allow_plaintext: false,
            tls: Some(TlsFiles {
                authority: "/tls/{name}/authority.pem".into(),
                certificate: certificate.into(),
                key: "/tls/{name}/{name}.key".into(),
            }),
        }
    }

    #[test]
    fn every_node_has_files_of_its_own_and_the_one_authority() {
        let name = "scene@7".parse().unwrap();
        let files = security("/tls/{name}.pem").tls_files(&name).unwrap();
        assert_eq!(files.authority, Path::new("/tls/{name}/authority.pem"));
        assert_eq!(files.certificate, Path::new("/tls/scene@7.pem"));
        assert_eq!(files.key, Path::new("/tls/scene@7/scene@7.key"));
    }

    #[test]
    fn one_certificate_can_serve_them_all() {
        let files = security("/tls/node.pem").tls_files(&"gate@0".parse().unwrap());
        assert_eq!(files.unwrap().certificate, Path::new("/tls/node.pem"));
    }
}
