//! A certificate that is shown to clients, who have none of their own.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use super::{
    CertificateFiles, Ends, PeerNames, TlsError, expiry,
    material::{certificates, private_key, wrong_key},
    reload::{self, Reload},
};

/// TLS for clients: TLS 1.3 and 1.2, and no question who they are. Certificate and key are
/// read again when their files have changed, like those of nodes. Clones are one.
#[derive(Clone)]
pub struct PublicTls {
    reload: Arc<Mutex<Reload<CertificateFiles>>>,
}

/// What a handshake needs.
pub(super) struct Shown {
    config: Arc<ServerConfig>,
    names: PeerNames,
    ends: Ends,
}

impl PublicTls {
    /// Reads the files. A certificate that has ended is used, with a warning: nothing
    /// would be better for those whom it is shown to.
    ///
    /// # Errors
    /// [`TlsError::File`], which names the file and says what to do.
    pub fn load(files: CertificateFiles) -> Result<PublicTls, TlsError> {
        let reload = Arc::new(Mutex::new(Reload::read(files)?));
        expiry::remember(&reload);
        Ok(PublicTls { reload })
    }

    /// For handshakes that begin now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.shown().config))
    }

    /// Until when the certificate is good.
    pub fn ends(&self) -> Ends {
        self.shown().ends
    }

    fn shown(&self) -> Arc<Shown> {
        let mut reload = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        reload.material(Instant::now())
    }
}

/// Where the files are; never what is in them.
impl std::fmt::Debug for PublicTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reload = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("PublicTls").field(reload.source()).finish()
    }
}

impl reload::Source for CertificateFiles {
    type Material = Shown;

    fn paths(&self) -> Vec<&Path> {
        vec![&self.certificate, &self.key]
    }

    fn read(&self) -> Result<Shown, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = private_key(&self.key)?;
        let names = PeerNames::of(&chain[0]);
        let ends = Ends::of(&chain, &[]);
        if ends.earliest().is_some_and(|end| end < now()) {
            let file = self.certificate.display();
            warn!(%file, "the certificate for clients has ended: give another one");
        }
        let wrong = |error: rustls::Error| wrong_key(&self.certificate, &self.key, &error);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(wrong)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(wrong)?;
        // Who comes back shakes hands in half the time, and costs no memory meanwhile.
        config.ticketer = ring::Ticketer::new().map_err(wrong)?;
        Ok(Shown {
            config: Arc::new(config),
            names,
            ends,
        })
    }
}

impl reload::Material for Shown {
    fn names(&self) -> String {
        self.names.0.join(", ")
    }

    fn earliest_end(&self) -> Option<u64> {
        self.ends.earliest()
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
