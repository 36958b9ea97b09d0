//! The script's file: read with its hash, replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

/// Scripts are written by hand; what is longer than this is not one.
pub(super) const MAX_SCRIPT_BYTES: usize = 512 * 1024;

/// The file that the scene loads its script from.
pub(super) struct ScriptFile {
    path: Arc<Path>,
    /// Held from the look at what the file holds to its replacement, so that
    /// of two pages that save at once one sees the other's save.
    writing: Mutex<()>,
}

/// The right to replace the file.
pub(super) struct Writing<'a> {
    path: Arc<Path>,
    _alone: MutexGuard<'a, ()>,
}

/// What the file held when it was read.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) source: String,
    pub(super) hash: String,
}

impl ScriptFile {
    pub(super) fn new(path: &Path) -> ScriptFile {
        ScriptFile {
            path: Arc::from(path),
            writing: Mutex::new(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn read(&self) -> io::Result<Content> {
        let path = self.path.clone();
        blocking(move || read(&path)).await
    }

    pub(super) async fn lock(&self) -> Writing<'_> {
        Writing {
            path: self.path.clone(),
            _alone: self.writing.lock().await,
        }
    }
}

impl Writing<'_> {
    /// The hash of what the file holds now; none when there is no file.
    pub(super) async fn hash(&self) -> io::Result<Option<String>> {
        let path = self.path.clone();
        let read = blocking(move || fs::read(path)).await;
        match read {
            Ok(bytes) => Ok(Some(hash(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file and gives the new hash. Whoever opens it, also after
    /// a loss of power, finds the old source or the new one, whole.
    pub(super) async fn replace(self, source: String) -> io::Result<String> {
        let path = self.path.clone();
        blocking(move || replace(&path, source.as_bytes()).map(|()| hash(source.as_bytes()))).await
    }
}

/// The whole SHA-256 in hexadecimal; the scene's version shows its first digits.
pub(super) fn hash(source: &[u8]) -> String {
    Sha256::digest(source)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn read(path: &Path) -> io::Result<Content> {
    let bytes = fs::read(path)?;
    if bytes.len() > MAX_SCRIPT_BYTES {
        let text = format!(
            "the script has {} bytes, and the page takes {MAX_SCRIPT_BYTES}",
            bytes.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let hash = hash(&bytes);
    let source = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the script is not UTF-8 text"))?;
    Ok(Content { source, hash })
}

fn replace(path: &Path, source: &[u8]) -> io::Result<()> {
    // A link stays a link: what it names is replaced.
    let path: PathBuf = fs::canonicalize(path).or_else(|_| std::path::absolute(path))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::Builder::new()
        .prefix(".playground-")
        .suffix(".tmp")
        .tempfile_in(folder)?;
    new.write_all(source)?;
    if let Ok(old) = fs::metadata(&path) {
        // As root in somebody's checkout, their file stays theirs; others
        // cannot give files away, and need not.
        let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
        new.as_file().set_permissions(old.permissions())?;
    } else {
        new.as_file()
            .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    }
    new.as_file().sync_all()?;
    new.persist(&path)?;
    File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn replacing_keeps_the_mode_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.py");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn reader_of_the_old_file_keeps_the_old_source_whole() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.py");
        fs::write(&path, "old source").unwrap();
        let mut open = File::open(&path).unwrap();
        replace(&path, b"new").unwrap();
        let mut seen = String::new();
        open.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "old source");
    }

    #[test]
    fn replacing_through_a_link_keeps_the_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.py"), folder.path().join("main.py"));
        fs::write(&path, "old").unwrap();
        symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn failed_write_leaves_the_old_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.py");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
