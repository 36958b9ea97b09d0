//! Loads the script again when one of its files has been changed: for development.
//!
//! Files are looked at by their times and sizes, and not heard of from the system
//! (inotify): they are few and known, so that looking costs microseconds, and it
//! works on network folders, on folders that a container is given from another
//! system, and with editors that write a new file and rename it. Nothing of it is
//! on the script's thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::{Event, Inbox, ScriptStatus};

/// The files that a script is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnFiles {
    /// Its own, and those of its modules.
    pub(crate) files: Vec<PathBuf>,
    /// Where it looks for modules.
    pub(crate) folders: Vec<PathBuf>,
}

/// Looks at the files, and tells the script's thread of changes.
pub(crate) struct Watch {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) files: watch::Receiver<OwnFiles>,
    pub(crate) status: watch::Receiver<ScriptStatus>,
}

/// How often it looks. A change is told when two looks in a row have found the
/// same: an editor may not be done with a file.
const LOOK: Duration = Duration::from_millis(200);

impl Watch {
    pub(crate) async fn run(self) {
        let count = self.files.borrow().files.len();
        info!(
            files = count,
            "the script's files are watched, and loaded when they change: not for production"
        );
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changes = Changes::default();
        loop {
            ticks.tick().await;
            let files = self.files.borrow().clone();
            let has_failed = self.status.borrow().last_error.is_some();
            let Ok(look) = spawn_blocking(move || Look::at(&files, has_failed)).await else {
                warn!("the script's files are not watched any more");
                return;
            };
            if changes.see(look) && self.inbox.push(Event::Changed).is_err() {
                return;
            }
        }
    }
}

/// When a file was written, in nanoseconds, its size, and which it is. None where
/// it cannot be seen.
type Stamp = Option<(i128, u64, u64)>;

/// What the files were like at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    files: BTreeMap<PathBuf, Stamp>,
    /// The names of all that could be imported. Only looked at after a load that
    /// has failed, perhaps for want of a file that is about to be written.
    names: Option<BTreeSet<PathBuf>>,
}

impl Look {
    fn at(own: &OwnFiles, has_failed: bool) -> Look {
        let files = own.files.iter().map(|file| (file.clone(), stamp(file)));
        Look {
            files: files.collect(),
            names: has_failed.then(|| names(own)),
        }
    }
}

fn stamp(file: &Path) -> Stamp {
    let found = fs::metadata(file).ok()?;
    let written = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    Some((written, found.size(), found.ino()))
}

fn names(own: &OwnFiles) -> BTreeSet<PathBuf> {
    let beside = own.files.iter().filter_map(|file| file.parent());
    let folders: BTreeSet<&Path> = own
        .folders
        .iter()
        .map(PathBuf::as_path)
        .chain(beside)
        .collect();
    let entries = folders
        .into_iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let paths = entries
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.extension().is_none_or(|extension| extension == "py"))
        .collect()
}

/// Decides what is a change. What it takes for one need be none: the script's
/// thread compares what is in the files.
#[derive(Debug, Default)]
struct Changes {
    /// What was there when it was last told of. Nothing at first: what is there then
    /// may have been written since the script was read.
    told: Option<Look>,
    /// What is there since the last look, and may be about to change once more.
    seen: Option<Look>,
}

impl Changes {
    /// Whether what is there now is to be loaded.
    fn see(&mut self, now: Look) -> bool {
        if self.told.as_ref() == Some(&now) {
            self.seen = None;
            return false;
        }
        if self.seen.as_ref() == Some(&now) {
            self.seen = None;
            self.told = Some(now);
            return true;
        }
        self.seen = Some(now);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(files: &[(&str, i128)], names: Option<&[&str]>) -> Look {
        let files = files
            .iter()
            .map(|(file, time)| (PathBuf::from(file), Some((*time, 1, 1))));
        Look {
            files: files.collect(),
            names: names.map(|names| names.iter().map(PathBuf::from).collect()),
        }
    }

    #[test]
    fn a_change_is_told_once_and_when_it_has_come_to_rest() {
        let mut changes = Changes::default();
        let at = |time| look(&[("main.py", time)], None);
        let seen: Vec<bool> = [1, 1, 1, 2, 3, 4, 4, 4, 5, 4, 4, 5, 5]
            .map(|time| changes.see(at(time)))
            .into();
        let told: Vec<usize> = (0..seen.len()).filter(|place| seen[*place]).collect();
        // Not while it changes, and not what was taken back.
        assert_eq!(told, [1, 6, 12]);
    }

    #[test]
    fn after_a_failure_a_new_file_is_a_change_too() {
        let mut changes = Changes::default();
        let failed = |names: &[&str]| look(&[("main.py", 1)], Some(names));
        for expected in [false, true, false] {
            assert_eq!(changes.see(failed(&["main.py"])), expected);
        }
        for expected in [false, true, false] {
            assert_eq!(changes.see(failed(&["extra.py", "main.py"])), expected);
        }
    }

    #[test]
    fn a_file_is_known_by_more_than_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("main.py");
        assert_eq!(stamp(&file), None);
        fs::write(&file, "a").unwrap();
        let first = stamp(&file);
        fs::write(folder.path().join("new"), "b").unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert_ne!(stamp(&file), first);
    }

    #[test]
    fn only_what_can_be_imported_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["main.py", ".main.py.swp", "notes.txt", "shop"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let own = OwnFiles {
            files: vec![folder.path().join("main.py")],
            folders: Vec::new(),
        };
        let names: Vec<_> = names(&own).into_iter().collect();
        assert_eq!(
            names,
            [folder.path().join("main.py"), folder.path().join("shop")]
        );
    }
}
