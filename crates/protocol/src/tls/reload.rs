//! Files that are read again when they have changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tracing::{info, warn};

use super::TlsError;

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// Files, and what they are read for.
pub(super) trait Source: Clone {
    type Material: Material;

    fn paths(&self) -> Vec<&Path>;

    /// Refuses what is of no use.
    fn read(&self) -> Result<Self::Material, TlsError>;
}

/// What has been read.
pub(super) trait Material {
    /// For whom the certificate is, as a log line says it.
    fn names(&self) -> String;

    /// When the first of the certificates ends, in seconds since 1970.
    fn earliest_end(&self) -> Option<u64>;
}

/// The files, and what was last read from them that was good.
pub(super) struct Reload<S: Source> {
    source: S,
    seen: Vec<Option<Stamp>>,
    looked: Instant,
    material: Arc<S::Material>,
}

/// What changes when a file does; `None` where there is no file. Two writes of
/// one length within a tick of the file system's clock look alike, unless the
/// second is a new file that was renamed into place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl<S: Source> Reload<S> {
    pub(super) fn read(source: S) -> Result<Self, TlsError> {
        // Before the files: what changes while they are read is seen next time.
        let seen = stamps(&source);
        let material = Arc::new(source.read()?);
        Ok(Reload {
            seen,
            looked: Instant::now(),
            material,
            source,
        })
    }

    /// Reads for `source` from now on.
    pub(super) fn replace(&mut self, source: S) -> Result<(), TlsError> {
        let seen = stamps(&source);
        self.material = Arc::new(source.read()?);
        (self.source, self.seen) = (source, seen);
        Ok(())
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    /// What is good at `now`: the files' content, or the last that was good.
    pub(super) fn material(&mut self, now: Instant) -> Arc<S::Material> {
        if now.saturating_duration_since(self.looked) >= LOOK {
            self.looked = now;
            let stamps = stamps(&self.source);
            if stamps != self.seen {
                self.seen = stamps;
                self.again();
            }
        }
        Arc::clone(&self.material)
    }

    fn again(&mut self) {
        match self.source.read() {
            Ok(material) => {
                info!(names = %material.names(), "certificates read again");
                self.material = Arc::new(material);
            }
            Err(error) => warn!(
                %error,
                "certificates have changed and are of no use, the ones before them stay"
            ),
        }
    }
}

fn stamps(source: &impl Source) -> Vec<Option<Stamp>> {
    source.paths().into_iter().map(Stamp::of).collect()
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        Some(Stamp {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: metadata.ino(),
        })
    }
}
