//! Whose certificates a client believes.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::ClientError;

/// Whose certificates a client believes: those that the system does, unless others are
/// [named](Self::authorities).
#[derive(Clone, Debug, Default)]
pub struct Trust {
    config: Option<Arc<ClientConfig>>,
}

impl Trust {
    /// Those that one of the authorities in `pem` has signed, and no others: for a game with
    /// an authority of its own, and for tests.
    ///
    /// # Errors
    /// [`ClientError::Trust`], where there is no certificate in it.
    pub fn authorities(pem: &[u8]) -> Result<Trust, ClientError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
        if roots.is_empty() {
            return Err(wrong(&"there is no certificate in the PEM text"));
        }
        Ok(Trust {
            config: Some(config(roots)?),
        })
    }

    /// What a handshake needs.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, ClientError> {
        static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        if let Some(config) = self.config.as_ref().or_else(|| SYSTEM.get()) {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        // Those that cannot be read are none that anybody would miss, unless all are.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(wrong(
                &"the system has no authorities: install ca-certificates",
            ));
        }
        let config = config(roots)?;
        Ok(Arc::clone(SYSTEM.get_or_init(|| config)))
    }
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, ClientError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn wrong(problem: &dyn std::fmt::Display) -> ClientError {
    ClientError::Trust {
        problem: problem.to_string(),
    }
}
