//! A real daemon in a process of its own, and a folder with its topology.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// Nothing here takes as long, unless it is broken.
pub(crate) const SOON: Duration = Duration::from_secs(20);

const GOOD: &str = r#"
    group = "GroupA"
    [master]
    listen = "127.0.0.1:0"
    [gates."gate@0"]
    tcp = "127.0.0.1:0"
    [gates."gate@1"]
    tcp = "127.0.0.1:0"
    [scenes."scene@0"]
    script = "main.py"
"#;

/// The example program `idle`, with a topology of its own.
pub(crate) struct Idle {
    pub(crate) folder: TempDir,
    command: Command,
}

/// A daemon that runs, and whose log nobody reads any more.
pub(crate) struct Unread {
    _folder: TempDir,
    child: Child,
}

/// A daemon that runs.
pub(crate) struct Running {
    folder: TempDir,
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// Every line that it has logged so far.
    pub(crate) log: String,
}

impl Idle {
    /// Whose topology is a good one, with `more` at its end.
    pub(crate) fn new(more: &str) -> Idle {
        Idle::with_topology(&format!("{GOOD}\n{more}"))
    }

    /// Whose topology is this.
    pub(crate) fn with_topology(text: &str) -> Idle {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program());
        command
            .arg("--topology")
            .arg(file)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        Idle { folder, command }
    }

    /// With these arguments too.
    pub(crate) fn args(mut self, args: &[&str]) -> Idle {
        self.command.args(args);
        self
    }

    /// With this variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Idle {
        self.command.env(name, value);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running {
            folder: self.folder,
            child,
            stderr,
            log: String::new(),
        }
    }

    /// Runs it to its end: its exit code, and what it wrote to stderr.
    pub(crate) async fn run(self) -> (i32, String) {
        let running = self.start();
        let (status, log) = running.ended().await;
        (status.code().unwrap(), log)
    }
}

impl Running {
    /// Waits until it has logged a line with `text`.
    pub(crate) async fn logs(&mut self, text: &str) {
        let reading = async {
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                let length = self.stderr.read_line(&mut line).await.unwrap();
                assert!(length > 0, "it ended without {text:?}: {}", self.log);
                self.log.push_str(&line);
            }
        };
        timeout(SOON, reading).await.unwrap();
    }

    /// Its topology.
    pub(crate) fn topology(&self) -> PathBuf {
        self.folder.path().join("topology.toml")
    }

    /// Makes its topology the good one with `more` at its end.
    pub(crate) fn rewrite(&self, more: &str) {
        std::fs::write(self.topology(), format!("{GOOD}\n{more}")).unwrap();
    }

    /// Closes the other end of its log.
    pub(crate) fn unread(self) -> Unread {
        Unread {
            _folder: self.folder,
            child: self.child,
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Waits until it has ended: how, and all that it has logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let ending = async {
            self.stderr.read_to_string(&mut self.log).await.unwrap();
            self.child.wait().await.unwrap()
        };
        let status = timeout(SOON, ending).await.unwrap();
        (status, self.log)
    }
}

impl Unread {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        timeout(SOON, self.child.wait()).await.unwrap().unwrap()
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
    kill_process(pid, signal).unwrap();
}

fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap();
    let program = folder.join("examples/idle");
    assert!(
        program.exists(),
        "{} is not built: test the whole package, or build its examples",
        program.display()
    );
    program
}

/// A certificate with these names that is its own authority, and its key.
pub(crate) fn self_signed(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}
