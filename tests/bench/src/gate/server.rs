//! What is loaded: a group of released processes, or a peer.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use protocol::client::{CMD_VERIFY, FLAG_TICKET, HEAD_BYTES, encode_frame};
use tempfile::TempDir;

use super::{
    usage::{Part, Processes},
    wire::Wire,
};
use crate::process::{Owned, beside, free_address, start};

/// Whose messages are measured.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The programs of a folder; those beside this one unless it is given.
    Group(Option<PathBuf>),
    /// A socket server of this tool that sends back what it reads.
    Bare,
    /// NATS core; each client gets its own messages back.
    Nats,
    /// Somebody else's server of the same framing that listens already.
    Other { address: SocketAddr, pid: u32 },
}

/// How the group is laid out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// Whether a slave carries the messages, and not the master.
    pub(crate) slave: bool,
    /// What the topology has beside what is needed, as `KEY=VALUE`.
    pub(crate) settings: Vec<String>,
    /// What the scene runs instead of the usual script. A second scene runs it,
    /// too, which is not measured.
    pub(crate) script: Option<&'static str>,
    /// Variables of the scenes' environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Whether there is a login gate as well, which is measured as a gate.
    pub(crate) login_gate: bool,
    /// The lines of what the gate shows its clients.
    pub(crate) certificate: Option<String>,
}

/// Processes at work, until this is dropped.
pub(crate) struct Server {
    tcp: SocketAddr,
    websocket: Option<SocketAddr>,
    login: Option<SocketAddr>,
    pub(crate) processes: Processes,
    is_nats: bool,
    _owned: Vec<Owned>,
    /// The topology, the script, the logs.
    _folder: TempDir,
}

const SCRIPT: &str = include_str!("script.py");
/// How long a group may take until it lets somebody in.
const START: Duration = Duration::from_secs(30);

/// Nothing here is to bite; what a row is about is set by `--set`.
const LIMITS: &str = r#"
[limits]
frames_per_second = 1000000
frame_burst = 1000000
sessions_per_gate = 100000
session_window = 64
verify_timeout = "60s"
idle_timeout = "1h"
call_timeout = "30s"
drain_grace = "1s"
"#;

impl Server {
    /// Starts what `subject` says, and waits until it takes clients.
    pub(crate) fn start(subject: &Subject, layout: &Layout) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let tcp = free_address()?;
        match &subject.kind {
            Kind::Group(programs) => group(programs.as_deref(), layout, folder),
            Kind::Bare => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("echo").arg(tcp.to_string());
                one(command, tcp, folder, false)
            }
            Kind::Nats => {
                let mut command = Command::new("nats-server");
                command.args(["--addr", &tcp.ip().to_string()]);
                command.args(["--port", &tcp.port().to_string()]);
                one(command, tcp, folder, true)
            }
            Kind::Other { address, pid } => Ok(Server {
                tcp: *address,
                websocket: None,
                login: None,
                processes: Processes(vec![(Part::Gate, *pid)]),
                is_nats: false,
                _owned: Vec::new(),
                _folder: folder,
            }),
        }
    }

    /// The process of the scene that is measured.
    pub(crate) fn scene(&self) -> Option<u32> {
        let mut processes = self.processes.0.iter();
        processes.find_map(|(part, pid)| (*part == Part::Scene).then_some(*pid))
    }

    /// Where clients connect that have a client of their own.
    pub(crate) fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// The same by WebSocket.
    pub(crate) fn websocket(&self) -> Result<SocketAddr> {
        self.websocket.context("this peer has no WebSocket")
    }

    /// Where clients log in that are sent on.
    pub(crate) fn login(&self) -> Result<SocketAddr> {
        self.login.context("there is no login gate")
    }

    /// Where and how the client of this number connects.
    pub(crate) fn door(&self, websocket: bool, number: usize) -> Result<(SocketAddr, Wire)> {
        if self.is_nats {
            return Ok((self.tcp, Wire::Nats(number)));
        }
        match (websocket, self.websocket) {
            (false, _) => Ok((self.tcp, Wire::Tcp)),
            (true, Some(address)) => Ok((address, Wire::WebSocket)),
            (true, None) => bail!("this peer has no WebSocket"),
        }
    }
}

fn group(programs: Option<&Path>, layout: &Layout, folder: TempDir) -> Result<Server> {
    let [master, slave, tcp, websocket, login] = [(); 5].map(|()| free_address());
    let (master, slave, tcp, websocket, login) = (master?, slave?, tcp?, websocket?, login?);
    let path = folder.path();
    let topology = path.join("topology.toml");
    std::fs::write(path.join("bench.py"), layout.script.unwrap_or(SCRIPT))?;
    let mut text = format!(
        "group = \"bench\"\n\n[master]\nlisten = \"{master}\"\nstate_dir = \"state\"\n\n\
         [scenes.\"scene@0\"]\nscript = \"bench.py\"\n\n\
         [gates.\"gate@0\"]\ntcp = \"{tcp}\"\nwebsocket = \"{websocket}\"\n"
    );
    if let Some(lines) = &layout.certificate {
        text += lines;
    }
    if layout.login_gate {
        text += &format!("\n[gates.\"gate@1\"]\nmode = \"login\"\ntcp = \"{login}\"\n");
    }
    if layout.slave {
        text += &format!("\n[slaves.\"slave@0\"]\nlisten = \"{slave}\"\n");
    }
    if layout.script.is_some() {
        text += "\n[scenes.\"scene@1\"]\nscript = \"bench.py\"\n";
    }
    text += LIMITS;
    std::fs::write(&topology, text)?;

    let mut roles = vec![(Some(Part::Broker), "broker-master", "master@0")];
    if layout.slave {
        roles.push((Some(Part::Broker), "broker-slave", "slave@0"));
    }
    if layout.script.is_some() {
        roles.push((None, "scene-host", "scene@1"));
    }
    roles.push((Some(Part::Scene), "scene-host", "scene@0"));
    roles.push((Some(Part::Gate), "gate", "gate@0"));
    if layout.login_gate {
        roles.push((Some(Part::Gate), "gate", "gate@1"));
    }
    let (mut owned, mut processes) = (Vec::new(), Vec::new());
    for (part, program, name) in roles {
        let program = match programs {
            Some(folder) => folder.join(program),
            None => beside(program)?,
        };
        let mut command = Command::new(program);
        command.arg("--topology").arg(&topology);
        command.args(["--name", name]);
        for setting in &layout.settings {
            command.arg(format!("--set={setting}"));
        }
        command.envs(layout.environment.iter().cloned());
        let log = path.join(name);
        let process = start(command, Stdio::from(File::create(&log)?), &log)?;
        processes.extend(part.map(|part| (part, process.id())));
        owned.push(process);
    }
    let server = Server {
        tcp,
        websocket: Some(websocket),
        login: layout.login_gate.then_some(login),
        processes: Processes(processes),
        is_nats: false,
        _owned: owned,
        _folder: folder,
    };
    let logs = server._folder.path();
    // Who speaks TLS has to see for itself.
    if layout.certificate.is_none() {
        wait(|| Ok(first_flags(tcp)? == [0; 2])).with_context(|| said(logs))?;
    }
    if layout.login_gate {
        wait(|| Ok(first_flags(login)? == FLAG_TICKET.to_le_bytes()))
            .with_context(|| said(logs))?;
    }
    Ok(server)
}

/// A peer of one process.
fn one(command: Command, tcp: SocketAddr, folder: TempDir, is_nats: bool) -> Result<Server> {
    let log = folder.path().join("log");
    let process = start(command, Stdio::from(File::create(&log)?), &log)?;
    wait(|| Ok(TcpStream::connect(tcp).is_ok())).with_context(|| said(folder.path()))?;
    Ok(Server {
        tcp,
        websocket: None,
        login: None,
        processes: Processes(vec![(Part::Gate, process.id())]),
        is_nats,
        _owned: vec![process],
        _folder: folder,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is nothing to wait on but the port, and no runtime here"
)]
fn wait(is_there: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_there().unwrap_or(false) {
        if begun.elapsed() > START {
            bail!("no client is let in within {START:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What somebody who comes now is told: 0 where it is let in.
fn first_flags(gate: SocketAddr) -> Result<[u8; 2]> {
    let mut socket = TcpStream::connect(gate)?;
    socket.set_read_timeout(Some(START))?;
    socket.write_all(&encode_frame(CMD_VERIFY, 0, b"probe"))?;
    let mut head = [0; HEAD_BYTES];
    socket.read_exact(&mut head)?;
    Ok([head[6], head[7]])
}

/// What the processes have written, for whoever wants to know why they do not
/// work.
fn said(folder: &Path) -> String {
    let logs = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = logs.filter(|log| log.path().extension().is_none());
    logs.filter_map(|log| std::fs::read_to_string(log.path()).ok())
        .collect()
}
