//! Certificates for the nodes of a group, made on the spot.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::{fs, path::Path, time::SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Signs certificates for the nodes of a folder.
pub(crate) struct Authority<'a> {
    folder: &'a Path,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority<'_> {
    pub(crate) fn new(folder: &Path) -> Authority<'_> {
        Authority::of(folder, CertificateParams::default())
    }

    /// Whose own certificate is good until then.
    pub(crate) fn until(folder: &Path, end: SystemTime) -> Authority<'_> {
        let mut params = CertificateParams::default();
        params.not_after = end.into();
        Authority::of(folder, params)
    }

    fn of(folder: &Path, mut params: CertificateParams) -> Authority<'_> {
        let key = KeyPair::generate().unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.join("authority.pem"), certificate.pem()).unwrap();
        Authority {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes `file`.pem and `file`.key.
    pub(crate) fn certify(&self, file: &str, name: &str) {
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        self.sign(file, &params);
    }

    /// The same, good until then.
    pub(crate) fn certify_until(&self, file: &str, name: &str, end: SystemTime) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = end.into();
        self.sign(file, &params);
    }

    fn sign(&self, file: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |end: &str| self.folder.join(format!("{file}.{end}"));
        fs::write(path("pem"), certificate.pem()).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
    }
}
