//! A machine to look at.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

/// A machine's folder of configuration, and programs that stand in for the system's.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) code: i32,
    pub(crate) findings: Vec<Value>,
}

pub(crate) const GROUP: &str = r#"
group = "GroupA"
[master]
machine = "game-1"
listen = "127.0.0.1:0"
[scenes."scene@0"]
machine = "game-1"
script = "main.py"
[scenes."scene@9"]
machine = "game-9"
script = "other.py"
"#;

impl Machine {
    pub(crate) fn new(topology: &str) -> Machine {
        let machine = Machine {
            folder: tempfile::tempdir().unwrap(),
        };
        machine.write("topology.toml", topology);
        machine.write("machine", "game-1\n");
        machine.write("main.py", "import ffext\n");
        machine.program("timedatectl", "echo yes");
        machine
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// A program of the system that does this.
    pub(crate) fn program(&self, name: &str, script: &str) {
        self.write(name, &format!("#!/bin/sh\n{script}\n"));
        self.mode(name, 0o755);
    }

    pub(crate) fn mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let system = std::env::var("PATH").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
        command
            .arg("doctor")
            .arg(self.path("topology.toml"))
            .arg("--etc")
            .arg(self.folder.path())
            .args(args)
            .env("PATH", format!("{}:{system}", self.folder.path().display()))
            .env("STATE_DIRECTORY", self.folder.path());
        command
    }

    pub(crate) fn doctor(&self, args: &[&str]) -> Found {
        let output = self.command(args).arg("--json").output().unwrap();
        let findings = serde_json::from_slice(&output.stdout);
        Found {
            code: output.status.code().unwrap(),
            findings: findings.unwrap_or_else(|_| panic!("{output:?}")),
        }
    }
}

impl Found {
    /// What a check has found that is not as it should be, and what to do.
    pub(crate) fn wrong(&self, check: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of_it = self.findings.iter().filter(|one| one["check"] == check);
        let wrong = of_it.filter(|one| one["status"] != "ok");
        wrong
            .map(|one| (text(&one["text"]), text(&one["fix"])))
            .collect()
    }

    /// The same, where there is one such finding and it has this status.
    pub(crate) fn one(&self, check: &str, status: &str) -> (String, String) {
        let wrong = self.wrong(check);
        assert_eq!(wrong.len(), 1, "{self:?}");
        let is_it = |one: &&Value| one["check"] == check && one["status"] == status;
        assert!(self.findings.iter().any(|one| is_it(&one)), "{self:?}");
        wrong.into_iter().next().unwrap()
    }

    pub(crate) fn is_good(&self, check: &str) -> bool {
        let mut of_it = self.findings.iter().filter(|one| one["check"] == check);
        of_it.clone().count() > 0 && of_it.all(|one| one["status"] == "ok")
    }
}
