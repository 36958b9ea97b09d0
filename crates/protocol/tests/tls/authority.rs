//! Authorities and the certificates that they sign.

use std::{fs, sync::Arc, time::SystemTime};

use protocol::tls::{Tls, TlsFiles, certificate_name};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use super::{DAY, group, name};

/// A certificate authority and a folder for what it signs.
pub(crate) struct Authority {
    pub(crate) folder: TempDir,
    pub(crate) certificate: String,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// All of one name: it is the key that tells them apart.
    pub(crate) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "RedRabbit GroupA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("authority.pem"), &certificate).unwrap();
        Authority {
            folder,
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// The files of a node with a good certificate.
    pub(crate) fn files(&self, node: &str) -> TlsFiles {
        self.files_until(node, SystemTime::now() + DAY)
    }

    pub(crate) fn files_until(&self, node: &str, end: SystemTime) -> TlsFiles {
        let files = TlsFiles {
            authority: self.folder.path().join("authority.pem"),
            certificate: self.folder.path().join(format!("{node}.pem")),
            key: self.folder.path().join(format!("{node}.key")),
        };
        self.sign(node, end, &files);
        files
    }

    /// Signs a new certificate into `files`.
    pub(crate) fn sign(&self, node: &str, end: SystemTime, files: &TlsFiles) {
        let name = certificate_name(&group(), &name(node)).unwrap();
        let mut params = CertificateParams::new([name]).unwrap();
        params.not_after = end.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
    }

    pub(crate) fn tls(&self, node: &str) -> Tls {
        Tls::load(self.files(node)).unwrap()
    }

    /// A node whose certificate is good now and runs out in a moment.
    pub(crate) fn mayfly(&self, node: &str) -> Tls {
        let end = SystemTime::now() + std::time::Duration::from_secs(2);
        Tls::load(self.files_until(node, end)).unwrap()
    }

    /// A node with its own copy of the authority's certificate, which does not
    /// change with the others'.
    pub(crate) fn detached(&self, node: &str) -> Tls {
        let mut files = self.files(node);
        files.authority = self.folder.path().join("as-it-was.pem");
        fs::write(&files.authority, &self.certificate).unwrap();
        Tls::load(files).unwrap()
    }

    /// A client that is not ours, without a certificate of its own.
    pub(crate) fn stranger(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        roots.add(certificate.unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}
