//! `redrabbit up` as a process, over programs that stand in for the daemons.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Nothing here takes as long, unless it is broken.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A folder with a topology and programs that stand in for its daemons.
pub(crate) struct Stage {
    folder: TempDir,
    args: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
}

/// `redrabbit up` that runs.
pub(crate) struct Up {
    pub(crate) stage: Stage,
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// Every line of its log so far.
    pub(crate) log: String,
}

const TOPOLOGY: &str = r#"
    group = "GroupA"
    [master]
    listen = "127.0.0.1:10241"
    [gates."gate@0"]
    tcp = "127.0.0.1:10242"
    websocket = "127.0.0.1:10243"
    [scenes."scene@0"]
    script = "main.py"
    [limits]
    drain_grace = "1s"
"#;

const BRIDGES: &str = r#"
    [bridges."bridge@0"]
    [bridges."bridge@1"]
    [bridges."bridge@2"]
    machine = "elsewhere"
    [[groups]]
    name = "GroupA"
    master = "127.0.0.1:10241"
    [[groups]]
    name = "GroupB"
    master = "127.0.0.1:11241"
    [limits]
    drain_grace = "1s"
"#;

impl Stage {
    pub(crate) fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("topology.toml"), TOPOLOGY).unwrap();
        for program in [
            "broker-master",
            "broker-slave",
            "scene-host",
            "gate",
            "bridge",
        ] {
            let path = folder.path().join(program);
            fs::write(&path, include_str!("stand_in.py")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        Stage {
            folder,
            args: Vec::new(),
            variables: vec![("REDRABBIT_LOG_COLOR", "auto"), ("NO_COLOR", "")],
        }
    }

    /// With a slave in its topology too.
    pub(crate) fn with_slave(self) -> Stage {
        let slave = "[slaves.\"slave@0\"]\nlisten = \"127.0.0.1:10251\"\n";
        self.write("topology.toml", &format!("{TOPOLOGY}{slave}"));
        self
    }

    /// With a bridge's file in the place of a group's.
    pub(crate) fn of_bridges(self) -> Stage {
        self.write("topology.toml", BRIDGES);
        self
    }

    /// What the stand-in of `name` does, as JSON: see `stand_in.py`.
    pub(crate) fn conduct(self, name: &str, json: &str) -> Stage {
        self.write(&format!("{name}.json"), json);
        self
    }

    /// With these arguments too.
    pub(crate) fn args(mut self, args: &[&str]) -> Stage {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// With this variable.
    pub(crate) fn variable(mut self, name: &'static str, value: &'static str) -> Stage {
        self.variables.push((name, value));
        self
    }

    /// As if at a terminal that shows colours.
    pub(crate) fn in_colour(self) -> Stage {
        self.variable("REDRABBIT_LOG_COLOR", "always")
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// What has happened to the stand-ins, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("events")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Every process that was started, offspring included.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.path("pids")).unwrap();
        let numbers = text.lines().map(|line| line.parse().unwrap());
        numbers
            .map(|number| Pid::from_raw(number).unwrap())
            .collect()
    }

    /// Those of them that still run.
    pub(crate) fn living(&self) -> Vec<Pid> {
        self.pids()
            .into_iter()
            .filter(|pid| is_alive(*pid))
            .collect()
    }

    pub(crate) fn up(self) -> Up {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
        command
            .arg("up")
            .arg(self.path("topology.toml"))
            .arg("--bin-dir")
            .arg(self.folder.path())
            .args(&self.args)
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0);
        let mut child = command.spawn().unwrap();
        Up {
            stdout: child.stdout.take().map(BufReader::new),
            stage: self,
            child,
            log: String::new(),
        }
    }
}

impl Up {
    /// Waits until the log has a line with `text`, and gives it.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        let reading = async {
            let stdout = self.stdout.as_mut().unwrap();
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                let length = stdout.read_line(&mut line).await.unwrap();
                assert!(length > 0, "it ended without {text:?}:\n{}", self.log);
                self.log.push_str(&line);
            }
            line.trim_end().to_owned()
        };
        timeout(SOON, reading)
            .await
            .unwrap_or_else(|_| panic!("never said: {text}"))
    }

    /// Waits until the whole group is up.
    pub(crate) async fn comes_up(mut self) -> Up {
        self.says("group GroupA is up").await;
        self
    }

    /// Reads no more of its log.
    pub(crate) fn close_log(&mut self) {
        self.stdout = None;
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends a signal as a terminal does: to everybody in its process group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap() as i32).unwrap()
    }

    /// Waits until it has ended: how, and what is left of it.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String, Stage) {
        let ending = async {
            if let Some(mut stdout) = self.stdout.take() {
                stdout.read_to_string(&mut self.log).await.unwrap();
            }
            self.child.wait().await.unwrap()
        };
        let status = timeout(SOON, ending).await.unwrap();
        (status, self.log, self.stage)
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting)
        .await
        .unwrap_or_else(|_| panic!("not so: {what}"));
}

/// Whether a process runs. A zombie does not: it only waits to be counted.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    test_kill_process(pid).is_ok() && state != Some('Z')
}
