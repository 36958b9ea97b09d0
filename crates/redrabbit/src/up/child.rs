//! A child process that does not outlive us.

use std::{
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, kill_process_group, set_parent_process_death_signal,
};
use tokio::{net::unix::pipe, process::Command};

/// What to start.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) args: Vec<OsString>,
    /// Variables that it has beside our own.
    pub(super) env: Vec<(&'static str, String)>,
}

/// A process that we started, in a process group of its own: a Ctrl-C at the
/// terminal reaches us alone, and we decide who stops when.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
}

/// What the service manager that started *us* tells us alone.
const NOT_FOR_CHILDREN: [&str; 5] = [
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

impl Child {
    /// Starts it, with `notify_socket` for it to say that it is ready. The
    /// second part of the answer is everything that it writes, to stdout and
    /// to stderr, in the order in which it does.
    ///
    /// The system kills it when *the thread that called this* ends: call it on
    /// one that lives as long as the program, such as the main thread with a
    /// runtime that has no other. It does not reach a program that gains
    /// rights when it starts (setuid, file capabilities), nor what the child
    /// itself has started.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn spawn(
        launch: &Launch,
        notify_socket: &Path,
    ) -> io::Result<(Child, pipe::Receiver)> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.args)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .env("NOTIFY_SOCKET", notify_socket)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        for name in NOT_FOR_CHILDREN {
            command.env_remove(name);
        }
        let parent = getpid();
        // SAFETY: the closure runs in the child between fork and exec, where
        // only what is safe in a signal handler may be done: it makes two
        // system calls, and takes neither memory nor a lock.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                // If we died before that call, no signal will come.
                if getppid() == Some(parent) {
                    Ok(())
                } else {
                    Err(io::ErrorKind::NotConnected.into())
                }
            });
        }
        let process = command.spawn()?;
        // `command` goes here and with it our copies of the writing end: when
        // the child has closed its own, the reader comes to an end.
        drop(command);
        let group = process.id().and_then(|id| Pid::from_raw(id as i32));
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Child { process, group }, output))
    }

    /// Its number, for people.
    pub(super) fn pid(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Asks it to stop.
    pub(super) fn terminate(&self) {
        if let Some(pid) = self.living() {
            // It may have ended by itself at this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Has it read its files again.
    pub(super) fn hang_up(&self) {
        if let Some(pid) = self.living() {
            let _ = kill_process(pid, Signal::HUP);
        }
    }

    /// Ends it at once, and what it has started with it.
    pub(super) fn kill(&self) {
        if let Some(pid) = self.living() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Waits until it has ended; ends what it has started and left behind.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await?;
        if let Some(group) = self.group.take() {
            // Most often nobody is left in the group.
            let _ = kill_process_group(group, Signal::KILL);
        }
        Ok(status)
    }

    /// Its number as long as it is surely its own: numbers of the dead are
    /// given to others.
    fn living(&self) -> Option<Pid> {
        self.process.id().and_then(|id| Pid::from_raw(id as i32))
    }
}
