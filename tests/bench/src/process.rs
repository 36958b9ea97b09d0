//! The processes that a load needs. Each ends with the tool, however that ends.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use tempfile::TempDir;

use crate::{
    job::{Job, Measured, READY},
    peer::Peer,
};

/// A broker at work, until this is dropped.
pub(crate) struct Broker {
    child: Owned,
    address: SocketAddr,
    /// Its topology and its log.
    _folder: TempDir,
}

/// A side of a load, until this is dropped.
pub(crate) struct SideProcess {
    child: Owned,
    output: BufReader<ChildStdout>,
}

/// A process that is killed when this is dropped.
pub(crate) struct Owned(Child);

impl Owned {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// How long a broker may take to listen.
const START: Duration = Duration::from_secs(10);

impl Broker {
    /// Starts what `peer` speaks to, on a loopback port of its own.
    pub(crate) fn start(peer: Peer, workers: Option<usize>) -> Result<Broker> {
        let address = free_address()?;
        let folder = tempfile::tempdir()?;
        let command = match peer {
            Peer::Ours | Peer::Link => ours(address, folder.path(), "bench", "", workers)?,
            Peer::Nats => nats(address),
        };
        Broker::run(command, address, folder)
    }

    /// Starts the master of a group of this name, with more lines for its topology.
    pub(crate) fn of_group(group: &str, more: &str) -> Result<Broker> {
        let address = free_address()?;
        let folder = tempfile::tempdir()?;
        let command = ours(address, folder.path(), group, more, None)?;
        Broker::run(command, address, folder)
    }

    fn run(command: Command, address: SocketAddr, folder: TempDir) -> Result<Broker> {
        let log = folder.path().join("log");
        let mut broker = Broker {
            child: start(command, Stdio::from(File::create(&log)?), &log)?,
            address,
            _folder: folder,
        };
        broker.wait_until_it_listens(&log)?;
        Ok(broker)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "there is nothing to wait on but the port, and no runtime here"
    )]
    fn wait_until_it_listens(&mut self, log: &Path) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.0.try_wait()?;
            if ended.is_some() || begun.elapsed() > START {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the broker does not listen on {}: {said}", self.address);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl SideProcess {
    /// Starts this program again, as one side.
    pub(crate) fn start(job: &Job) -> Result<SideProcess> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("side").arg(serde_json::to_string(job)?);
        let mut child = start(command, Stdio::piped(), Path::new(""))?;
        let output = child.0.stdout.take().context("a side has no output")?;
        Ok(SideProcess {
            child,
            output: BufReader::new(output),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Waits for a responder. It ends itself when it is too long at it, so that
    /// this cannot wait for ever.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim() == READY {
            true => Ok(()),
            false => bail!("the responder ended before it was ready"),
        }
    }

    /// Waits for a requester, as [`wait_until_ready`](Self::wait_until_ready)
    /// does.
    pub(crate) fn measured(mut self) -> Result<Measured> {
        let mut line = String::new();
        self.output.read_to_string(&mut line)?;
        serde_json::from_str(&line).context("the requester ended before it had measured anything")
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ours(
    address: SocketAddr,
    folder: &Path,
    group: &str,
    more: &str,
    workers: Option<usize>,
) -> Result<Command> {
    let topology = folder.join("topology.toml");
    let text = format!("group = \"{group}\"\n\n[master]\nlisten = \"{address}\"\n{more}");
    std::fs::write(&topology, text)?;
    let mut command = Command::new(beside("broker-master")?);
    command.arg("--topology").arg(topology);
    command.args(["--name", "master@0"]);
    if let Some(workers) = workers {
        command.arg(format!("--set=master.workers={workers}"));
    }
    Ok(command)
}

fn nats(address: SocketAddr) -> Command {
    let mut command = Command::new("nats-server");
    command.args(["--addr", &address.ip().to_string()]);
    command.args(["--port", &address.port().to_string()]);
    command
}

/// A program of the same build, beside this one.
pub(crate) fn beside(program: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(program);
    if !path.exists() {
        let release = if cfg!(debug_assertions) {
            ""
        } else {
            " --release"
        };
        bail!(
            "{} is not built: run `cargo build{release} -p {program}` first",
            path.display()
        );
    }
    Ok(path)
}

pub(crate) fn start(mut command: Command, output: Stdio, log: &Path) -> Result<Owned> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(output);
    if !log.as_os_str().is_empty() {
        command.stderr(File::options().append(true).open(log)?);
    }
    // SAFETY: between fork and exec there is one system call, which neither
    // allocates nor takes a lock.
    unsafe { command.pre_exec(end_with_parent) };
    match command.spawn() {
        Ok(child) => Ok(Owned(child)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no {program} on this machine: install the package of that name")
        }
        Err(error) => Err(error).with_context(|| format!("{program} does not start")),
    }
}

/// The kernel ends the process when the tool is killed.
fn end_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// A port of loopback that nobody had a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
