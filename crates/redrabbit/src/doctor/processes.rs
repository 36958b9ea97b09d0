//! Which daemons run on this machine, by their command lines.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use protocol::NodeName;

/// A daemon that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) node: NodeName,
}

const DAEMONS: [&str; 5] = [
    "broker-master",
    "broker-slave",
    "gate",
    "scene-host",
    "bridge",
];

/// Every process that there is.
pub(super) fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether the system shows us those of other users.
pub(super) fn all_are_seen() -> bool {
    fs::read("/proc/1/cmdline").is_ok()
}

/// The daemons that run by the file.
pub(super) fn of_file(file: &Path) -> Vec<Process> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let found = pids().into_iter().filter_map(|pid| {
        let (node, topology) = daemon(&command_line(pid)?)?;
        let is_it = match fs::read_link(format!("/proc/{pid}/cwd")) {
            Ok(folder) => fs::canonicalize(folder.join(&topology)).is_ok_and(|path| path == file),
            // Another user's: its folder is not shown to us.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                topology.is_relative() || topology == file
            }
            // It has just ended.
            Err(_) => false,
        };
        is_it.then_some(Process { pid, node })
    });
    found.collect()
}

/// What a process is called, for people: its program's name.
pub(super) fn program(pid: u32) -> Option<String> {
    let line = command_line(pid)?;
    let program = Path::new(line.first()?).file_name()?;
    Some(crate::names::printable(&program.to_string_lossy()))
}

fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    Some(
        words
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect(),
    )
}

/// Which node of which file it is, if it is the command line of a daemon.
fn daemon(words: &[OsString]) -> Option<(NodeName, PathBuf)> {
    // Behind an interpreter or a debugger the program is not the first word.
    let is_program = |word: &OsString| {
        let name = Path::new(word).file_name();
        DAEMONS
            .iter()
            .any(|daemon| name == Some(OsStr::new(daemon)))
    };
    let program = words.iter().take(2).position(is_program)?;
    let arguments = words.get(program + 1..)?;
    let value = |name: &str| {
        let with_equals = format!("{name}=");
        arguments.iter().enumerate().find_map(|(index, word)| {
            if word == name {
                return arguments.get(index + 1).cloned();
            }
            let rest = word.to_str()?.strip_prefix(&with_equals)?;
            Some(OsString::from(rest))
        })
    };
    let node = value("--name")?.to_str()?.parse().ok()?;
    Some((node, PathBuf::from(value("--topology")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, String)> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let (node, file) = daemon(&words)?;
        Some((node.to_string(), file.display().to_string()))
    }

    #[test]
    fn a_daemon_is_known_by_its_program_its_node_and_its_file() {
        let expected = Some(("gate@0".to_owned(), "a.toml".to_owned()));
        assert_eq!(
            read("/usr/lib/redrabbit/gate --topology a.toml --name gate@0"),
            expected
        );
        assert_eq!(
            read("gate --name=gate@0 --topology=a.toml --set x=1"),
            expected
        );
        assert_eq!(
            read("python3 /tmp/gate --topology a.toml --name gate@0"),
            expected
        );
        for other in [
            "gate --topology a.toml",
            "gate --name gate@0",
            "gate --topology a.toml --name nobody",
            "vim gate a b --topology a.toml --name gate@0 gate".trim_start_matches("vim gate "),
            "",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn this_very_process_is_seen() {
        assert!(pids().contains(&std::process::id()));
        assert!(program(std::process::id()).is_some());
    }
}
