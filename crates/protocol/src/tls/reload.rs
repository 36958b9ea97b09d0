//! Files that are read again when they have changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tracing::{info, warn};

use super::{TlsError, TlsFiles, material::Material};

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The files, and what was last read from them that was good.
pub(super) struct Reload {
    files: TlsFiles,
    required: Vec<String>,
    seen: [Option<Stamp>; 3],
    looked: Instant,
    material: Arc<Material>,
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

impl Reload {
    pub(super) fn read(files: TlsFiles) -> Result<Reload, TlsError> {
        // Before the files: what changes while they are read is seen next time.
        let seen = stamps(&files);
        let material = Arc::new(Material::read(&files, &[])?);
        Ok(Reload {
            required: Vec::new(),
            seen,
            looked: Instant::now(),
            material,
            files,
        })
    }

    /// From now on a certificate without `name` is no use.
    pub(super) fn require(&mut self, name: String) -> Result<(), TlsError> {
        let required = [self.required.clone(), vec![name]].concat();
        self.material = Arc::new(Material::read(&self.files, &required)?);
        self.required = required;
        Ok(())
    }

    /// Reads `files` from now on.
    pub(super) fn replace(&mut self, files: TlsFiles) -> Result<(), TlsError> {
        let seen = stamps(&files);
        self.material = Arc::new(Material::read(&files, &self.required)?);
        (self.files, self.seen) = (files, seen);
        Ok(())
    }

    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// What is good at `now`: the files' content, or the last that was good.
    pub(super) fn material(&mut self, now: Instant) -> Arc<Material> {
        if now.saturating_duration_since(self.looked) >= LOOK {
            self.looked = now;
            let stamps = stamps(&self.files);
            if stamps != self.seen {
                self.seen = stamps;
                self.again();
            }
        }
        Arc::clone(&self.material)
    }

    fn again(&mut self) {
        match Material::read(&self.files, &self.required) {
            Ok(material) => {
                self.material = Arc::new(material);
                info!(names = %self.material.names, "certificates read again");
            }
            Err(error) => warn!(
                %error,
                "certificates have changed and are of no use, the ones before them stay"
            ),
        }
    }
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 3] {
    [&files.authority, &files.certificate, &files.key].map(|path| Stamp::of(path))
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
