//! A `redrabbit up` that runs a file is told to read it again.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{ApplyError, voice::Voice};

/// Tells the process `pid`, or the one that runs the file at `place`.
pub(super) fn tell(pid: Option<u32>, place: &Path, say: Voice) -> Result<(), ApplyError> {
    let pids = match pid {
        Some(pid) => vec![pid],
        None => running(place),
    };
    if pids.is_empty() {
        return Err(ApplyError::NobodyRuns {
            place: place.display().to_string(),
        });
    }
    for pid in pids {
        let signalled = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| kill_process(pid, Signal::HUP));
        signalled.map_err(|source| ApplyError::Tell {
            pid,
            source: source.into(),
        })?;
        say.told(pid);
    }
    Ok(())
}

/// Every `redrabbit up` of the file, by its command line.
fn running(place: &Path) -> Vec<u32> {
    let Ok(place) = fs::canonicalize(place) else {
        return Vec::new();
    };
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| runs(*pid, &place)).collect()
}

fn runs(pid: u32, place: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let (Ok(line), Ok(folder)) = (
        fs::read(process.join("cmdline")),
        fs::read_link(process.join("cwd")),
    ) else {
        return false;
    };
    let words = line.split(|byte| *byte == 0);
    let words: Vec<OsString> = words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    is_up(&words)
        && words[2..]
            .iter()
            .any(|word| fs::canonicalize(folder.join(word)).is_ok_and(|path| path == place))
}

/// Whether it is a command line of `up`.
fn is_up(words: &[OsString]) -> bool {
    let program = words.first().map(Path::new).and_then(Path::file_name);
    program == Some(OsStr::new("redrabbit")) && words.get(1).is_some_and(|word| word == "up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_up_is_told() {
        let is = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            is_up(&words)
        };
        assert!(is("/usr/bin/redrabbit up a.toml"));
        assert!(!is("redrabbit apply a.toml"));
        assert!(!is("vim up a.toml"));
        assert!(!is("redrabbit"));
        assert!(!is_up(&[]));
    }
}
