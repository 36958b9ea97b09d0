//! A `redrabbit up` that does not outlive us.

use std::{
    io::{self, Write, stderr},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::watch,
    time::timeout,
};
use tracing::warn;

/// A `redrabbit up` that we have started: killed when this is dropped, and whatever it
/// has started with it.
pub(super) struct Up {
    name: &'static str,
    process: Child,
    is_up: watch::Receiver<bool>,
}

impl Up {
    /// Starts it with a topology `file`; `state` is the folder of what its daemons keep.
    /// What it logs goes to our standard error, behind `name`.
    ///
    /// The system kills it when *the thread that called this* ends.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(
        name: &'static str,
        program: &Path,
        file: &Path,
        state: &Path,
    ) -> io::Result<Up> {
        let mut command = Command::new(program);
        command
            .arg("up")
            .arg(file)
            .env("STATE_DIRECTORY", state)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal reaches us alone.
            .process_group(0)
            .kill_on_drop(true);
        let parent = getpid();
        // SAFETY: the closure runs in the child between fork and exec, where only what
        // is safe in a signal handler may be done: it makes two system calls, and takes
        // neither memory nor a lock.
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
        let mut process = command.spawn()?;
        let (up, is_up) = watch::channel(false);
        if let Some(output) = process.stdout.take() {
            tokio::spawn(show(name, output, up));
        }
        Ok(Up {
            name,
            process,
            is_up,
        })
    }

    /// Waits until it says that all that it starts is up.
    ///
    /// # Errors
    /// It has ended before.
    pub(super) async fn is_up(&mut self) -> anyhow::Result<()> {
        if self.is_up.wait_for(|is_up| *is_up).await.is_ok() {
            return Ok(());
        }
        let status = self.ended().await;
        let name = self.name;
        anyhow::bail!("{name} does not come up ({status}): the log above says why")
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        self.process.wait().await.unwrap_or_default()
    }

    /// Asks it to stop, and kills it if it has not `within` that time.
    pub(super) async fn stop(mut self, within: Duration) {
        if let Some(pid) = self.process.id().and_then(|id| Pid::from_raw(id as i32)) {
            // It may have ended by itself at this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(within, self.process.wait()).await.is_err() {
            warn!(name = self.name, "not stopped in time: killed");
        }
    }
}

/// Shows what it says until it says no more.
async fn show(name: &'static str, output: ChildStdout, up: watch::Sender<bool>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // `up` speaks for itself so when every role is ready.
        if line.starts_with("up ") && line.contains(" is up: ") {
            up.send_replace(true);
        }
        // When nobody reads our log, we do not read its: it ends then, and we with it.
        if writeln!(stderr(), "{name:<6} {line}").is_err() {
            return;
        }
    }
}
