//! A group whose roles are started, and ended, one by one.

use std::{collections::HashMap, path::PathBuf};

use crate::{Process, Signal};

/// The programs of a group, each with its node's name, in the order in which
/// they start.
pub const ROLES: [(&str, &str); 3] = [
    ("broker-master", "master@0"),
    ("scene-host", "scene@0"),
    ("gate", "gate@0"),
];

/// The processes of a group.
pub struct Roles {
    folder: PathBuf,
    topology: String,
    running: HashMap<&'static str, Process>,
    starts: usize,
}

impl Roles {
    /// All of them, for the group that `topology` describes; logs go to
    /// `folder`.
    pub(crate) fn start(topology: &str, folder: PathBuf) -> Roles {
        let mut roles = Roles {
            folder,
            topology: topology.to_owned(),
            running: HashMap::new(),
            starts: 0,
        };
        for (program, _) in ROLES {
            roles.run(program);
        }
        roles
    }

    /// Starts a role that is not running.
    pub fn run(&mut self, program: &str) {
        let (program, name) = *ROLES.iter().find(|(own, _)| *own == program).unwrap();
        self.starts += 1;
        let log = self.folder.join(format!("{name}.{}.log", self.starts));
        let arguments = ["--topology", &self.topology, "--name", name];
        self.running
            .insert(program, Process::start(program, &arguments, &log));
    }

    pub fn process(&self, program: &str) -> &Process {
        &self.running[program]
    }

    /// Sends the signal and waits for the role's end.
    pub async fn end(&mut self, program: &str, signal: Signal) {
        let mut process = self.running.remove(program).unwrap();
        process.signal(signal);
        process.ended().await;
    }

    /// What all of those that run have printed.
    pub(crate) fn log(&self) -> String {
        self.running.values().map(Process::log).collect()
    }
}
