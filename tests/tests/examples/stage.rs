//! A copy of the project's examples and configurations, on an address of its own,
//! and the group of one of them.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use tests::{Process, binary, own_address};

use crate::readme::Readme;

pub(crate) const EXAMPLES: &str = "crates/scene-host/examples";

/// Where the examples are copied to, and where their groups listen.
pub(crate) struct Stage {
    folder: TempDir,
    address: Ipv4Addr,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        for part in [EXAMPLES, "configs"] {
            let state = folder.path().join("state");
            let own = |topology: String| of_this_stage(&topology, address, &state);
            copy(&root().join(part), &folder.path().join(part), &own);
        }
        Stage { folder, address }
    }

    /// The README of an example.
    pub(crate) fn readme(&self, example: &str) -> Readme {
        let file = root().join(EXAMPLES).join(example).join("README.md");
        Readme::new(&fs::read_to_string(file).unwrap())
    }

    /// Runs what `redrabbit` is told in a README: the files are those of this stage.
    pub(crate) fn redrabbit(&self, subcommand: &str, words: &[String]) -> Process {
        let mut words: Vec<String> = words.iter().map(|word| self.here(word)).collect();
        words.insert(0, subcommand.to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Process::start("redrabbit", &words, &self.folder.path().join("log"))
    }

    /// Runs it to its end.
    pub(crate) fn ends(&self, subcommand: &str, words: &[String]) -> Output {
        let mut command = Command::new(binary("redrabbit"));
        command.arg(subcommand);
        command.args(words.iter().map(|word| self.here(word)));
        command.output().unwrap()
    }

    /// Puts another text into a file of this stage.
    pub(crate) fn put(&self, before: &str, after: &str, file: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(before), "{file} has no {before}");
        fs::write(self.path(file), text.replace(before, after)).unwrap();
    }

    /// A word of a command, about this stage: its files, its address.
    pub(crate) fn here(&self, word: &str) -> String {
        if word.starts_with("crates/") || word.starts_with("configs/") {
            return self.path(word).to_str().unwrap().to_owned();
        }
        word.replace("127.0.0.1", &self.address.to_string())
    }

    /// A file of the project, as it is on this stage.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }
}

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A topology with its own address, and with state of its own.
fn of_this_stage(topology: &str, address: Ipv4Addr, state: &Path) -> String {
    let mut text = String::new();
    for line in topology.lines() {
        text += &line.replace("127.0.0.1", &address.to_string());
        text += "\n";
        if line == "[master]" || line.starts_with("[scenes.") {
            text += &format!("state_dir = {state:?}\n");
        }
    }
    text
}

/// Topologies are made this stage's own; everything else is copied as it is.
fn copy(from: &Path, to: &Path, own: &impl Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let is_topology = from
            .extension()
            .is_some_and(|extension| extension == "toml");
        if entry.file_type().unwrap().is_dir() {
            copy(&from, &to, own);
        } else if is_topology {
            fs::write(to, own(fs::read_to_string(&from).unwrap())).unwrap();
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}
