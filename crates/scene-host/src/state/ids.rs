//! Ids that are given once in a group, whatever happens to clocks and processes.
//!
//! ```text
//!  0 | 51 bits: counter                              | 12 bits: N of scene@N
//!    | milliseconds since 2025 (41) | sequence (10)  |
//! ```
//!
//! The counter only rises. It follows the clock, so that ids sort by when they
//! were given; where more than 1,024 are given within a millisecond, or the clock
//! steps back, it simply goes on, ahead of the clock. Before ids of a block are
//! given, the end of the block is on the disk, in the scene's folder: a process
//! that starts later begins there, if its clock is not past that already. The file
//! is read and written under a lock, so that two processes of one name that
//! overlap have different blocks.
//!
//! Without a folder the clock alone keeps ids of two processes apart.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing::warn;

use crate::state::StateFolder;

/// Gives ids.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// The counter of the next id, and what it may not reach.
    next: u64,
    end: u64,
}

/// Why there is no id.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdError {
    #[error(
        "scene@{0} is beyond scene@4095, the last one that gives ids: use a lower number, or ids \
         of your own"
    )]
    TooManyScenes(u32),
    #[error(
        "{path} does not say which ids were given before. Restore it from a backup; or, if ids of \
         this scene were kept nowhere, remove it; or write `{HEAD}` and a number above \
         the greatest id that you find, divided by 4096"
    )]
    Damaged { path: String },
    #[error("what ids are given cannot be kept in {path}: {source}")]
    NotKept { path: String, source: io::Error },
    #[error("all ids of this scene have been given; is the machine's clock right?")]
    UsedUp,
}

/// How many bits the number of a scene has, and the sequence within a millisecond.
const SCENE_BITS: u32 = 12;
const SEQUENCE_BITS: u32 = 10;

/// The counter is below this, so that an id is less than 2^63.
const LAST: u64 = 1 << (63 - SCENE_BITS);

/// 2025-01-01, from when milliseconds are counted.
const BEGIN: Duration = Duration::from_secs(1_735_689_600);

/// As many as a minute has: so often the disk is written to.
const BLOCK: u64 = 60_000 << SEQUENCE_BITS;

/// Where the end of the last block is kept, and what is before it in the file.
const FILE: &str = "ids";
const LOCK: &str = "ids.lock";
const HEAD: &str = "redrabbit-ids 1";

impl Ids {
    /// An id that was never given before; `scene` is the number in the scene's
    /// name.
    pub(crate) fn next(&mut self, scene: u32, state: &StateFolder) -> Result<u64, IdError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH + BEGIN);
        // A clock that was never set: the file knows better.
        let now = since.map_or(0, |since| since.as_millis());
        self.next_at(u64::try_from(now).unwrap_or(u64::MAX), scene, state)
    }

    fn next_at(&mut self, now: u64, scene: u32, state: &StateFolder) -> Result<u64, IdError> {
        if scene >= 1 << SCENE_BITS {
            return Err(IdError::TooManyScenes(scene));
        }
        let counter = self.next.max(now.saturating_mul(1 << SEQUENCE_BITS));
        let counter = if counter < self.end {
            counter
        } else {
            if self.end == 0 && state.path().is_none() {
                warn!(
                    "the scene has no state folder: its ids are unique as long as the clock does \
                     not step back while it is restarted"
                );
            }
            let (begin, end) = reserve(counter, state)?;
            self.end = end;
            begin
        };
        self.next = counter + 1;
        Ok(counter << SCENE_BITS | u64::from(scene))
    }
}

/// Takes a block that begins at `wanted`, or where others have ended.
fn reserve(wanted: u64, state: &StateFolder) -> Result<(u64, u64), IdError> {
    let block = |begin: u64| match begin.checked_add(BLOCK) {
        Some(end) if end <= LAST => Ok((begin, end)),
        _ => Err(IdError::UsedUp),
    };
    let Some(path) = state.path() else {
        return block(wanted);
    };
    let path = path.join(FILE).display().to_string();
    let not_kept = |source| IdError::NotKept {
        path: path.clone(),
        source,
    };
    let _locked = state.create().and_then(lock).map_err(not_kept)?;
    let taken = match state.read(FILE).map_err(not_kept)? {
        None => 0,
        Some(text) => read(&text).ok_or_else(|| IdError::Damaged { path: path.clone() })?,
    };
    let (begin, end) = block(wanted.max(taken))?;
    let text = format!("{HEAD} {end}\n");
    state.replace(FILE, &[text.as_bytes()]).map_err(not_kept)?;
    Ok((begin, end))
}

/// Waits for whoever else takes a block, which takes a moment; held until it is
/// dropped.
fn lock(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(folder.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

/// The end of the last block, as the file says it.
fn read(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    let end = text.strip_prefix(HEAD)?.strip_prefix(' ')?;
    end.trim_end().parse().ok().filter(|end| *end <= LAST)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs};

    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 60_000_000_000;

    fn folder(place: &Path) -> StateFolder {
        StateFolder::new(Some(place), &"scene@0".parse().unwrap())
    }

    proptest! {
        // Each writes to the disk.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn an_id_is_never_given_twice_and_ids_of_a_process_rise(
            steps in prop::collection::vec(
                // Often the clock stands still, or is where it was before.
                (0..4_u8, prop_oneof![Just(0), Just(1_000), Just(-1_000), -200_000..200_000_i64],
                1..50_usize),
                1..40,
            ),
        ) {
            let place = tempfile::tempdir().unwrap();
            let state = folder(place.path());
            // Two processes of one name, and clocks that go as they like.
            let mut processes = [Ids::default(), Ids::default()];
            let mut last = [0, 0];
            let (mut now, mut given) = (NOW, HashSet::new());
            for (what, step, count) in steps {
                now = now.saturating_add_signed(step);
                let which = usize::from(what % 2);
                if what >= 2 {
                    processes[which] = Ids::default();
                    last[which] = 0;
                }
                for _ in 0..count {
                    let id = processes[which].next_at(now, 7, &state).unwrap();
                    prop_assert!(given.insert(id), "{} was given twice", id);
                    prop_assert!(id > last[which] && id < 1 << 63);
                    prop_assert_eq!(id & 0xfff, 7);
                    last[which] = id;
                }
            }
        }
    }

    #[test]
    fn ids_follow_the_clock_and_go_on_where_they_are_faster() {
        let (mut ids, state) = (Ids::default(), StateFolder::default());
        let mut next = |now| ids.next_at(now, 0, &state).unwrap() >> SCENE_BITS;
        assert_eq!(next(NOW), NOW << SEQUENCE_BITS);
        assert_eq!(next(NOW + 1), (NOW + 1) << SEQUENCE_BITS);
        for n in 1..=5_000 {
            assert_eq!(next(NOW + 1), ((NOW + 1) << SEQUENCE_BITS) + n);
        }
        assert_eq!(next(NOW - 5_000), ((NOW + 1) << SEQUENCE_BITS) + 5_001);
    }

    #[test]
    fn the_disk_is_written_to_once_a_minute() {
        let place = tempfile::tempdir().unwrap();
        let (mut ids, state) = (Ids::default(), folder(place.path()));
        let mut kept = HashSet::new();
        for second in 0..600 {
            ids.next_at(NOW + second * 1_000, 0, &state).unwrap();
            kept.insert(state.read(FILE).unwrap());
        }
        assert_eq!(kept.len(), 10);
    }

    #[test]
    fn a_file_that_says_nothing_is_an_error_that_says_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let state = folder(place.path());
        for text in [
            "",
            "nonsense",
            "redrabbit-ids 1 -5",
            "redrabbit-ids 2 5",
            "redrabbit-ids 1 99999999999999999999",
            "redrabbit-ids 1 9999999999999999",
        ] {
            state.replace(FILE, &[text.as_bytes()]).unwrap();
            let error = Ids::default().next_at(NOW, 0, &state).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("scene@0/ids"), "{error}");
            assert!(error.contains("Restore it from a backup"), "{error}");
            // It is left as it is, for whoever looks into it.
            assert_eq!(state.read(FILE).unwrap().unwrap(), text.as_bytes());
        }
        fs::remove_file(state.path().unwrap().join(FILE)).unwrap();
        Ids::default().next_at(NOW, 0, &state).unwrap();
    }

    #[test]
    fn what_cannot_be_kept_or_told_apart_is_not_given() {
        let place = tempfile::tempdir().unwrap();
        let state = folder(place.path());
        fs::write(place.path().join("scene@0"), "no folder").unwrap();
        let mut ids = Ids::default();
        let error = ids.next_at(NOW, 0, &state).unwrap_err();
        assert!(matches!(error, IdError::NotKept { .. }), "{error}");
        let none = StateFolder::default();
        ids.next_at(NOW, 4_095, &none).unwrap();
        assert!(matches!(
            ids.next_at(NOW, 4_096, &none),
            Err(IdError::TooManyScenes(4_096))
        ));
        assert!(matches!(
            ids.next_at(u64::MAX, 0, &none),
            Err(IdError::UsedUp)
        ));
    }
}
