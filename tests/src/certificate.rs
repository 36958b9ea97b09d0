//! Certificates for gates, and who believes them.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use client::Trust;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

/// A certificate of a new authority for some addresses, in files that end with it.
#[derive(Debug)]
pub struct Certificate {
    folder: tempfile::TempDir,
    authority: String,
}

impl Certificate {
    pub fn of(addresses: &[IpAddr]) -> Certificate {
        let mut params = CertificateParams::default();
        // It must not be named as what it signs: that is how certificates sign themselves.
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority of tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        let params = CertificateParams::new(names).unwrap();
        let signed = params.signed_by(&key, &authority).unwrap();
        let certificate = Certificate {
            folder: tempfile::tempdir().unwrap(),
            authority: authority.pem(),
        };
        fs::write(certificate.file(), signed.pem()).unwrap();
        fs::write(certificate.key(), key.serialize_pem()).unwrap();
        fs::write(certificate.authority(), &certificate.authority).unwrap();
        certificate
    }

    pub fn file(&self) -> PathBuf {
        self.path("gate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.path("gate.key")
    }

    /// The file of who has signed it.
    pub fn authority(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// What a client believes who believes that authority alone, and knows no gate yet.
    pub fn trust(&self) -> Trust {
        Trust::authorities(self.authority.as_bytes()).unwrap()
    }

    /// The lines of a gate in a topology that has it.
    pub fn lines(&self) -> String {
        let (file, key) = (self.file(), self.key());
        format!("certificate = {file:?}\nkey = {key:?}\n")
    }

    fn path(&self, file: &str) -> PathBuf {
        Path::join(self.folder.path(), file)
    }
}
