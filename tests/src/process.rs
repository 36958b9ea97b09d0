//! Processes that a test starts, with what they print.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::eventually;

/// A process and its log; it is killed when this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// What daemons log that are started from now on, and that they do so in JSON.
static LEVELS: OnceLock<&str> = OnceLock::new();

/// Daemons that this test starts from now on log these levels, in JSON.
pub fn log_in_json(levels: &'static str) {
    LEVELS.set(levels).unwrap();
}

impl Process {
    /// Starts one of our programs; what it prints goes to `log`.
    pub fn start(program: &str, arguments: &[&str], log: &Path) -> Process {
        let mut command = Command::new(binary(program));
        command.args(arguments);
        if LEVELS.get().is_some() {
            command.args(["--log-format", "json"]);
        }
        Process::spawn(command, log)
    }

    /// Starts any program.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Process {
        let output = File::create(log).unwrap();
        command
            .env("RUST_LOG", LEVELS.get().copied().unwrap_or("info"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let child = end_with_parent(&mut command)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Process {
            child,
            log: log.to_owned(),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where what it prints goes.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn signal(&self, signal: Signal) {
        signal_to(self.id(), signal);
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("a process ends", async || child.try_wait().unwrap()).await
    }

    /// Whether it has ended, by itself or not.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Sends a signal to a process that the test has started.
pub(crate) fn signal_to(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

/// The kernel ends the process when the thread that starts it is gone, however
/// it went.
pub(crate) fn end_with_parent(command: &mut Command) -> &mut Command {
    let hook = || -> io::Result<()> { Ok(set_parent_process_death_signal(Some(Signal::KILL))?) };
    // SAFETY: between fork and exec there is one system call, which neither
    // allocates nor takes a lock.
    unsafe { command.pre_exec(hook) }
}

/// A program of this build: beside this one, or above it where this is a test.
pub fn binary(program: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let beside = own.with_file_name(program);
    let above = own.parent().unwrap().with_file_name(program);
    let found = [beside, above].into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is not built: run `cargo build --workspace` first"))
}

/// How many files a process has open.
pub fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}

/// How much memory a process has.
pub fn resident_bytes(pid: u32) -> u64 {
    let pages: u64 = std::fs::read_to_string(format!("/proc/{pid}/statm"))
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    pages * 4096
}

/// The children of a process, each with the name of its program.
pub(crate) fn children(pid: u32) -> Vec<(u32, String)> {
    let mut children = Vec::new();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return children;
    };
    for thread in threads.flatten() {
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in list.split_whitespace() {
            let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            children.push((child.parse().unwrap(), name.trim().to_owned()));
        }
    }
    children
}
