//! How a certificate names a node.

use std::{fmt, sync::Arc};

use rustls::pki_types::{CertificateDer, DnsName};

use super::TlsError;
use crate::{GroupName, NodeName};

/// The DNS names in the certificate that the other end of a connection has
/// shown, or in one's own. A server's handlers find those of their caller in
/// the request's extensions, `request.extensions().get::<PeerNames>()`; where
/// there are none, the connection has no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerNames(pub Arc<[String]>);

/// The name that `node`'s certificate must carry among its DNS subject
/// alternative names: `0.scene.GroupA` for `scene@0` of `GroupA`.
///
/// # Errors
/// The names of nodes and groups are nearly DNS labels. Under TLS they have to
/// be: neither the role nor the group may begin or end with `-`, and the group
/// has at most 63 letters and is no number.
pub fn certificate_name(group: &GroupName, node: &NodeName) -> Result<String, TlsError> {
    let name = format!("{}.{}.{group}", node.index(), node.role());
    match DnsName::try_from(name.as_str()) {
        Ok(_) => Ok(name),
        Err(_) => Err(TlsError::Name {
            group: group.clone(),
            node: node.clone(),
        }),
    }
}

impl PeerNames {
    /// The names in a certificate. One that cannot be parsed has none.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> PeerNames {
        let names = webpki::EndEntityCert::try_from(certificate)
            .map(|parsed| parsed.valid_dns_names().map(str::to_owned).collect())
            .unwrap_or_default();
        PeerNames(names)
    }

    /// Whether the certificate is `node`'s. Letter for letter: there are no
    /// wildcards, and `Scene@0` is not `scene@0`.
    pub fn include(&self, group: &GroupName, node: &NodeName) -> bool {
        certificate_name(group, node).is_ok_and(|name| self.contains(&name))
    }

    /// Whether the certificate has this very name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|own| own == name)
    }
}

/// `0.scene.GroupA, 1.scene.GroupA`, or that there is none.
impl fmt::Display for PeerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no node");
        }
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(group: &str, node: &str) -> Result<String, TlsError> {
        certificate_name(&group.parse().unwrap(), &node.parse().unwrap())
    }

    #[test]
    fn a_node_is_named_index_role_group() {
        for (group, node, expected) in [
            ("GroupA", "scene@0", "0.scene.GroupA"),
            ("group_a", "_game__gate-2_@17", "17._game__gate-2_.group_a"),
            ("a1", "1@4294967295", "4294967295.1.a1"),
            ("A", "0x1f@1", "1.0x1f.A"),
        ] {
            assert_eq!(name(group, node).unwrap(), expected);
        }
        let longest = "g".repeat(63);
        assert!(name(&longest, &format!("{}@0", "r".repeat(62))).is_ok());
    }

    #[test]
    fn what_dns_cannot_spell_is_refused_by_name() {
        for (group, node) in [
            ("2026", "scene@0"),
            ("0xBEEF", "scene@0"),
            ("-a", "scene@0"),
            ("a-", "scene@0"),
            ("a", "-scene@0"),
            ("a", "scene-@0"),
            (&"g".repeat(64), "scene@0"),
        ] {
            let error = name(group, node).unwrap_err().to_string();
            assert!(error.contains(group) && error.contains(node), "{error}");
        }
    }

    #[test]
    fn names_are_compared_letter_for_letter() {
        let names = PeerNames(Arc::from(["0.Scene.A".to_owned(), "*.gate.A".to_owned()]));
        let holds = |node: &str| names.include(&"A".parse().unwrap(), &node.parse().unwrap());
        assert!(holds("Scene@0"));
        assert!(!holds("scene@0"));
        assert!(!holds("gate@0"));
        assert_eq!(names.to_string(), "0.Scene.A, *.gate.A");
    }
}
