//! The run of a master, and the file that tells the next one of it.
//!
//! The file is one line, `EPOCH running IDENTITY` or `EPOCH empty IDENTITY`. A
//! master writes the first when it starts and the second when it stops with nobody
//! left in its group. So a master that finds `running` knows that nodes of an earlier
//! run may live, and takes them back before anybody else comes in.
//!
//! The identity is 64 random bits, written as 16 hexadecimal digits: the group's from
//! its first start on, whatever its name. Earlier versions wrote none, and a line
//! without one is read as they meant it.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    num::NonZeroU64,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

/// A run of the master.
#[derive(Debug)]
pub(crate) struct Run {
    /// Higher than that of any run before.
    pub(crate) epoch: u32,
    /// Whether an earlier run had members, as far as anybody knows.
    pub(crate) rebuild: bool,
    /// Which group of its name this is, in every run that the file tells of.
    pub(crate) identity: NonZeroU64,
    file: Option<PathBuf>,
}

/// Why a master does not start. Whoever operates it has to act: a master that
/// went on with a guess could give a NodeId a second time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EpochError {
    /// The file is there and cannot be read.
    #[error("the epoch file {} cannot be read: {error}; let the master read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why; told in the text, and so no source of it.
        error: io::Error,
    },
    /// The file is not one of ours.
    #[error(
        "the epoch file {} says `{content}` and not `EPOCH running IDENTITY` or \
         `EPOCH empty IDENTITY`, the identity in 16 digits of `0` to `9` and `a` to `f`: delete \
         it if no node of the group is running, and stop them first otherwise. Bridges take the \
         group for another one of its name then, until they have joined it again",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// The beginning of what it says.
        content: String,
    },
    /// The file cannot be written.
    #[error("the epoch file {} cannot be written: {error}; let the master write to its folder", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why; told in the text, and so no source of it.
        error: io::Error,
    },
}

/// What an earlier run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    epoch: u32,
    running: bool,
    identity: Option<NonZeroU64>,
}

impl Run {
    /// Begins the run that comes after the one that `file` tells of, and says so
    /// there. Without a file there is no earlier run.
    pub(crate) fn begin(file: Option<PathBuf>, now: SystemTime) -> Result<Run, EpochError> {
        let Some(path) = file else {
            return Ok(Run {
                epoch: next(None, now),
                rebuild: false,
                identity: rand::random(),
                file: None,
            });
        };
        let earlier = read(&path)?;
        let run = Run {
            epoch: next(earlier, now),
            rebuild: earlier.is_some_and(|word| word.running),
            identity: earlier
                .and_then(|word| word.identity)
                .unwrap_or_else(rand::random),
            file: Some(path),
        };
        run.write(true)?;
        Ok(run)
    }

    /// Ends the run with nobody left in the group: the next one has nobody to
    /// wait for.
    pub(crate) fn end_empty(&self) -> Result<(), EpochError> {
        self.write(false)
    }

    fn write(&self, running: bool) -> Result<(), EpochError> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let word = if running { "running" } else { "empty" };
        let line = format!("{} {word} {:016x}\n", self.epoch, self.identity);
        replace(path, &line).map_err(|error| EpochError::Write {
            path: path.clone(),
            error,
        })
    }
}

fn read(path: &Path) -> Result<Option<Word>, EpochError> {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(EpochError::Read {
                path: path.to_owned(),
                error,
            });
        }
    };
    let content = String::from_utf8_lossy(&content);
    match parse(&content) {
        Some(word) => Ok(Some(word)),
        None => Err(EpochError::Content {
            path: path.to_owned(),
            content: content
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(60)
                .collect(),
        }),
    }
}

fn parse(content: &str) -> Option<Word> {
    let mut words = content.strip_suffix('\n')?.split(' ');
    let (epoch, word) = (words.next()?.parse().ok()?, words.next()?);
    let identity = match words.next() {
        Some(digits) => Some(parse_identity(digits)?),
        None => None,
    };
    // The last of all epochs has no next one.
    if epoch == u32::MAX {
        return None;
    }
    let running = match word {
        "running" => true,
        "empty" => false,
        _ => return None,
    };
    words.next().is_none().then_some(Word {
        epoch,
        running,
        identity,
    })
}

/// An identity in the one way in which it is written.
fn parse_identity(digits: &str) -> Option<NonZeroU64> {
    let identity = u64::from_str_radix(digits, 16).ok()?;
    (format!("{identity:016x}") == digits).then(|| NonZeroU64::new(identity))?
}

/// Puts `content` into the file so that after a crash there is the old content
/// or the new one, and nothing between.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // What is in there is believed: others have no business in it.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let written = write(&new, content).and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        // Half of it is of no use to anybody.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// The epoch of a run that starts now: eighths of a second since the start of
/// 2025, which fits 32 bits until 2042, or one more than the run before where
/// the clock does not say more. A clock that is past 2042 says nothing: all runs after
/// this one would have to be higher. Two masters of one process never share a run,
/// however quickly one follows the other.
fn next(earlier: Option<Word>, now: SystemTime) -> u32 {
    static LATEST: AtomicU32 = AtomicU32::new(0);
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH + YEAR_2025)
        .unwrap_or_default();
    let clock = u32::try_from(since.as_millis() / 125).unwrap_or_default();
    let run = clock.max(earlier.map_or(0, |word| word.epoch + 1));
    let latest = LATEST.fetch_max(run, Ordering::Relaxed);
    if run > latest {
        run
    } else {
        LATEST.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// From the Unix epoch to the start of 2025.
const YEAR_2025: Duration = Duration::from_secs(1_735_689_600);

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(path: &Path) -> Result<Run, EpochError> {
        Run::begin(Some(path.to_owned()), SystemTime::now())
    }

    #[test]
    fn a_run_comes_after_the_one_that_the_file_tells_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not/there/yet.epoch");
        let first = begin(&path).unwrap();
        assert!(!first.rebuild);
        let said = fs::read_to_string(&path).unwrap();
        let identity = first.identity;
        assert_eq!(said, format!("{} running {identity:016x}\n", first.epoch));

        let after_a_crash = begin(&path).unwrap();
        assert!(after_a_crash.rebuild && after_a_crash.epoch > first.epoch);
        after_a_crash.end_empty().unwrap();
        let after_a_clean_end = begin(&path).unwrap();
        assert!(!after_a_clean_end.rebuild);
        assert!(after_a_clean_end.epoch > after_a_crash.epoch);
        // Whatever ends, it is the same group.
        assert_eq!(after_a_crash.identity, identity);
        assert_eq!(after_a_clean_end.identity, identity);
    }

    #[test]
    fn a_file_from_before_identities_gets_one_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.epoch");
        for (line, rebuild) in [("7 running\n", true), ("7 empty\n", false)] {
            fs::write(&path, line).unwrap();
            let first = begin(&path).unwrap();
            assert_eq!(first.rebuild, rebuild);
            assert_eq!(begin(&path).unwrap().identity, first.identity);
        }
    }

    #[test]
    fn an_identity_has_all_its_digits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.epoch");
        fs::write(&path, "7 empty 00000000000000f1\n").unwrap();
        let run = begin(&path).unwrap();
        assert_eq!(run.identity.get(), 0xf1);
        let said = fs::read_to_string(&path).unwrap();
        assert!(said.ends_with(" running 00000000000000f1\n"), "{said}");
    }

    #[test]
    fn a_clock_that_went_back_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.epoch");
        fs::write(&path, "4000000000 empty\n").unwrap();
        let run = Run::begin(Some(path), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!((run.epoch, run.rebuild), (4_000_000_001, false));
    }

    #[test]
    fn a_clock_that_is_a_century_ahead_uses_no_runs_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.epoch");
        fs::write(&path, "4000000000 empty\n").unwrap();
        let century = SystemTime::now() + Duration::from_secs(100 * 365 * 86_400);
        for epoch in 4_000_000_001..4_000_000_004 {
            let run = Run::begin(Some(path.clone()), century).unwrap();
            assert_eq!(run.epoch, epoch);
        }
    }

    #[test]
    fn without_a_file_there_is_nobody_to_wait_for() {
        let one = Run::begin(None, SystemTime::now()).unwrap();
        let two = Run::begin(None, SystemTime::now()).unwrap();
        assert!(!one.rebuild && !two.rebuild && two.epoch > one.epoch);
        assert_ne!(one.identity, two.identity);
        one.end_empty().unwrap();
    }

    #[test]
    fn a_file_that_says_anything_else_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.epoch");
        for content in [
            "",
            "\n",
            "7",
            "7 running",
            "7 walking\n",
            "7 running\n7 running\n",
            "-7 empty\n",
            "4294967295 empty\n",
            "4294967296 empty\n",
            "7 running \n",
            "7 running f1\n",
            "7 running 00000000000000F1\n",
            "7 running +0000000000000f1\n",
            "7 running 000000000000000g\n",
            "7 running 00000000000000001\n",
            "7 running 0000000000000000\n",
            "7 running 00000000000000f1 \n",
            "7 running  00000000000000f1\n",
            "7 running 00000000000000f1\n7 running 00000000000000f1\n",
            "7 running 00000000000000f1",
        ] {
            fs::write(&path, content).unwrap();
            let error = begin(&path).unwrap_err();
            assert!(
                matches!(error, EpochError::Content { .. }),
                "{content:?} was taken: {error}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = begin(folder.path()).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        let beneath_a_file = folder.path().join("file");
        fs::write(&beneath_a_file, "").unwrap();
        let error = Run::begin(Some(beneath_a_file.join("group.epoch")), SystemTime::now())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("the epoch file "), "{error}");
    }
}
