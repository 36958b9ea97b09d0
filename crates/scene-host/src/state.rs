//! The folder in which a scene keeps what outlives it.

pub(crate) mod ids;
pub(crate) mod snapshot;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use protocol::NodeName;

/// A scene's own folder, made when something is first put there. What is in it
/// is believed at the next start: others have no business in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateFolder {
    path: Option<PathBuf>,
}

/// Whoever else can write there can choose with what a scene begins.
fn check_owner(path: &Path) -> io::Result<()> {
    let folder = fs::metadata(path)?;
    let is_own = folder.uid() == rustix::process::geteuid().as_raw();
    if is_own && folder.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{} is another user's, or others may write to it: give the scene a state_dir of its \
             own (chown it, chmod 700)",
            path.display()
        ),
    ))
}

impl StateFolder {
    /// The folder of `scene` in `state_dir`, the group's; without that there is
    /// none.
    pub(crate) fn new(state_dir: Option<&Path>, scene: &NodeName) -> Self {
        StateFolder {
            path: state_dir.map(|folder| folder.join(scene.as_str())),
        }
    }

    /// Where it is, or would be.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Makes it, if it is not there, for this user alone.
    ///
    /// # Errors
    /// The system's; `NotFound` if the scene was given none.
    pub(crate) fn create(&self) -> io::Result<&Path> {
        let path = self.path.as_deref().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "the scene was given no folder for its state",
            )
        })?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        check_owner(path)?;
        Ok(path)
    }

    /// What `file` in it holds; nothing if it is not there.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(&self, file: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        if path.exists() {
            check_owner(path)?;
        }
        match fs::read(path.join(file)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts `parts`, one after the other, into `file` so that after a crash there
    /// is the old content or the new one, and nothing between.
    ///
    /// # Errors
    /// The system's; what was there before is there still, and no part of the new.
    pub(crate) fn replace(&self, file: &str, parts: &[&[u8]]) -> io::Result<()> {
        let folder = self.create()?;
        let new = folder.join(format!("{file}.new"));
        let written = write(&new, parts).and_then(|()| fs::rename(&new, folder.join(file)));
        if let Err(error) = written {
            // Half of it would only take the room that was missing.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        File::open(folder)?.sync_all()
    }

    /// Gives a file another name; one that has that name is gone.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn rename(&self, file: &str, to: &str) -> io::Result<()> {
        let folder = self.create()?;
        fs::rename(folder.join(file), folder.join(to))?;
        File::open(folder)?.sync_all()
    }
}

fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(state_dir: Option<&Path>) -> StateFolder {
        StateFolder::new(state_dir, &"scene@0".parse().unwrap())
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_believed() {
        let place = tempfile::tempdir().unwrap();
        let state = folder(Some(place.path()));
        state.replace("a", &[b"ours"]).unwrap();
        let path = state.path().unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        for refused in [state.read("a").map(drop), state.replace("a", &[b"theirs"])] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("chmod 700"), "{error}");
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state.read("a").unwrap().unwrap(), b"ours");
    }

    #[test]
    fn it_is_made_when_it_is_needed_and_for_its_user_alone() {
        let place = tempfile::tempdir().unwrap();
        let group = place.path().join("GroupA");
        let state = folder(Some(&group));
        assert_eq!(state.read("a").unwrap(), None);
        assert!(!group.exists());
        state.replace("a", &[b"one, ", b"two"]).unwrap();
        assert_eq!(state.read("a").unwrap().unwrap(), b"one, two");
        for path in [group.as_path(), state.path().unwrap()] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
        let file = fs::metadata(state.path().unwrap().join("a")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let state = folder(Some(place.path()));
        state.replace("a", &[b"one"]).unwrap();
        // What cannot be replaced by a file.
        fs::create_dir_all(state.path().unwrap().join("b/c")).unwrap();
        state.replace("b", &[b"two"]).unwrap_err();
        let mut names: Vec<_> = fs::read_dir(state.path().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn without_one_there_is_nothing_to_find_and_nowhere_to_put_it() {
        let state = folder(None);
        assert_eq!(state.read("a").unwrap(), None);
        assert!(state.replace("a", &[b"one"]).is_err());
    }
}
