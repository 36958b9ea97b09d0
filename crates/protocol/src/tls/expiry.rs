//! Until when certificates are good.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::reload::{Material, Reload, Source};

/// Until when a node's certificates are good, in seconds since 1970; `None` where a
/// certificate does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The earliest of the node's own certificate and those between it and the
    /// authority.
    pub certificate: Option<u64>,
    /// The latest of the authority's: while it is replaced there are two.
    pub authority: Option<u64>,
}

impl Ends {
    pub(super) fn of(chain: &[CertificateDer<'_>], authority: &[CertificateDer<'_>]) -> Ends {
        Ends {
            certificate: chain.iter().filter_map(end).min(),
            authority: authority.iter().filter_map(end).max(),
        }
    }

    /// The earlier of the two.
    pub fn earliest(&self) -> Option<u64> {
        self.certificate.into_iter().chain(self.authority).min()
    }
}

/// A day on which no certificate is good: one that never ends says the year 9999.
const NEVER: u64 = 400_000_000_000;

/// When it ends. Whoever checks it for a later day is told so before anything else is
/// looked at, who has signed it for instance.
fn end(certificate: &CertificateDer<'_>) -> Option<u64> {
    let never = UnixTime::since_unix_epoch(Duration::from_secs(NEVER));
    let usage = KeyUsage::client_auth();
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    match parsed.verify_for_usage(&[], &[], &[], never, usage, None, None) {
        Err(Error::CertExpired { not_after, .. }) => Some(not_after.as_secs()),
        _ => None,
    }
}

/// What this process has loaded; whatever of it is gone is taken out when something is
/// added.
static LOADED: Mutex<Vec<Weak<dyn Ending>>> = Mutex::new(Vec::new());

/// Certificates that end one day.
pub(super) trait Ending: Send + Sync {
    fn earliest_end(&self) -> Option<u64>;
}

impl<S> Ending for Mutex<Reload<S>>
where
    S: Source + Send,
    S::Material: Send + Sync,
{
    fn earliest_end(&self) -> Option<u64> {
        let mut reload = self.lock().unwrap_or_else(PoisonError::into_inner);
        reload.material(Instant::now()).earliest_end()
    }
}

pub(super) fn remember(certificates: &Arc<impl Ending + 'static>) {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.retain(|one| one.strong_count() > 0);
    // The type, and no more of it, is forgotten.
    let certificates = Arc::clone(certificates);
    let certificates: Arc<dyn Ending> = certificates;
    loaded.push(Arc::downgrade(&certificates));
}

/// When the first of the certificates ends that this process goes by, in seconds since
/// 1970. Files that have changed are read again first, as for a new connection.
pub fn earliest_end() -> Option<u64> {
    let loaded = LOADED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let ends = loaded
        .iter()
        .filter_map(|one| one.upgrade()?.earliest_end());
    ends.min()
}
