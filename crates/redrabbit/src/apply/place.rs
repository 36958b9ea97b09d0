//! Puts a file in the place of another, whole or not at all.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::ApplyError;

/// What a file has that was not there before: a secret may be in it.
const MODE: u32 = 0o640;

/// Puts a copy of `file` at `place`, with the mode and the owner of what is there, which
/// is kept beside it. Says where.
///
/// # Errors
/// [`ApplyError::Write`]: everything is as it was.
pub(super) fn put(file: &Path, place: &Path) -> Result<Option<PathBuf>, ApplyError> {
    // Of a link the file is meant, not the link.
    let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
    let wrong = |path: &Path| {
        let path = path.display().to_string();
        move |source| ApplyError::Write { path, source }
    };
    let content = fs::read(file).map_err(wrong(file))?;
    let backup = match fs::metadata(&place) {
        Ok(before) => {
            let backup = backup_of(&place);
            let same = fs::read(&place).map_err(wrong(&place))?;
            write(&backup, &same, Some(&before)).map_err(wrong(&backup))?;
            write(&place, &content, Some(&before)).map_err(wrong(&place))?;
            Some(backup)
        }
        Err(_) => {
            write(&place, &content, None).map_err(wrong(&place))?;
            None
        }
    };
    Ok(backup)
}

fn backup_of(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".bak");
    PathBuf::from(name)
}

/// A new file that is renamed into place: nobody sees half of it, and a disk that is
/// full changes nothing.
fn write(place: &Path, content: &[u8], like: Option<&fs::Metadata>) -> io::Result<()> {
    let folder = place.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    let mode = like.map_or(MODE, |like| like.mode() & 0o7777);
    if let Some(like) = like {
        // First: a change of owner may take bits of the mode away.
        fchown(file.as_file(), Some(like.uid()), Some(like.gid()))?;
    }
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(place)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_and_the_mode_of_another_which_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("edited"), "new").unwrap();
        assert_eq!(put(&at("edited"), &at("topology.toml")).unwrap(), None);
        let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(at("topology.toml")), 0o640);

        fs::set_permissions(at("topology.toml"), Permissions::from_mode(0o604)).unwrap();
        fs::write(at("edited"), "newer").unwrap();
        let backup = put(&at("edited"), &at("topology.toml")).unwrap().unwrap();
        assert_eq!(backup, at("topology.toml.bak"));
        assert_eq!(fs::read(&backup).unwrap(), b"new");
        assert_eq!(fs::read(at("topology.toml")).unwrap(), b"newer");
        assert_eq!((mode(backup), mode(at("topology.toml"))), (0o604, 0o604));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("real"), "old").unwrap();
        std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
        fs::write(at("edited"), "new").unwrap();
        put(&at("edited"), &at("link")).unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(fs::read(at("real")).unwrap(), b"new");
    }
}
