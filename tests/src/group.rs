//! A group of real processes.

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use client::{Client, ClientError};
use protocol::v1::{ListNodesRequest, NodeRecord, NodeState, registry_client::RegistryClient};
use tempfile::TempDir;

use crate::{
    Player, Process, Roles, Signal, eventually, http, own_address,
    process::{children, signal_to},
};

/// The directory has a scene a moment before every gate has heard of it: then it is
/// worth another attempt.
fn let_in(login: Result<Player, ClientError>) -> Option<Player> {
    match login {
        Err(ClientError::Refused { reason }) if reason == "verify_unavailable" => None,
        login => Some(login.unwrap()),
    }
}

/// How a group runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// All of it in one process.
    Solo,
    /// A process for each role, under `redrabbit up`.
    Up,
    /// As `Up`, and roles that die are started again.
    UpRestarting,
    /// A process for each role, started by the test.
    Apart,
}

/// One master, one gate, one scene. Everything ends when this is dropped.
pub struct Group {
    running: Running,
    address: Ipv4Addr,
    folder: TempDir,
}

enum Running {
    Together(Process),
    Apart(Roles),
}

impl Group {
    /// Starts a group that runs `script`, and waits until it takes players.
    pub async fn start(runs: Runs, script: &str) -> Group {
        Group::with(runs, script, "").await
    }

    /// As [`start`](Self::start), with more lines for the topology.
    pub async fn with(runs: Runs, script: &str, more: &str) -> Group {
        let group = Group::launch(runs, script, more);
        group.is_ready().await;
        group
    }

    /// Starts a group and does not wait.
    pub fn launch(runs: Runs, script: &str, more: &str) -> Group {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        std::fs::write(folder.path().join("main.py"), script).unwrap();
        let mut topology = String::new();
        write!(
            topology,
            r#"
group = "GroupA"

[master]
listen = "{address}:10241"

[gates."gate@0"]
tcp = "{address}:10242"
websocket = "{address}:10243"
http = "{address}:10244"

[scenes."scene@0"]
script = "main.py"
{more}
"#
        )
        .unwrap();
        let file = folder.path().join("topology.toml");
        std::fs::write(&file, topology).unwrap();
        let log = folder.path().join("log");
        let file = file.to_str().unwrap();
        let together = |program, arguments: &[&str]| {
            Running::Together(Process::start(program, arguments, &log))
        };
        let running = match runs {
            Runs::Solo => together("redrabbit-solo", &["solo", file]),
            Runs::Up => together("redrabbit", &["up", file]),
            Runs::UpRestarting => together("redrabbit", &["up", "--restart", file]),
            Runs::Apart => Running::Apart(Roles::start(file, folder.path().to_owned())),
        };
        Group {
            running,
            address,
            folder,
        }
    }

    /// Waits until every role is ready.
    pub async fn is_ready(&self) {
        eventually("the group is ready", async || {
            let nodes = self.nodes().await?;
            let ready = nodes.iter().filter(|node| node.state() == NodeState::Ready);
            (ready.count() == 3).then_some(())
        })
        .await;
    }

    /// The directory, if the master is there.
    pub async fn nodes(&self) -> Option<Vec<NodeRecord>> {
        let mut registry = RegistryClient::connect(format!("http://{}:10241", self.address))
            .await
            .ok()?;
        let list = registry
            .list_nodes(ListNodesRequest::default())
            .await
            .ok()?;
        Some(list.into_inner().snapshot?.nodes)
    }

    pub fn tcp(&self) -> SocketAddr {
        (self.address, 10242).into()
    }

    pub fn websocket(&self) -> String {
        format!("ws://{}:10243/", self.address)
    }

    pub fn http(&self) -> SocketAddr {
        (self.address, 10244).into()
    }

    /// A player who has been let in.
    pub async fn player(&self, name: &str) -> Player {
        eventually("the player is let in", async || {
            let client = Client::connect_tcp(self.tcp()).await.unwrap();
            let_in(Player::login(client, name).await)
        })
        .await
    }

    /// A player who came over WebSocket.
    pub async fn websocket_player(&self, name: &str) -> Player {
        eventually("the player is let in", async || {
            let client = Client::connect_websocket(&self.websocket()).await.unwrap();
            let_in(Player::login(client, name).await)
        })
        .await
    }

    /// The script's file, to be changed.
    pub fn script(&self) -> PathBuf {
        self.folder.path().join("main.py")
    }

    /// What all of the group has printed.
    pub fn log(&self) -> String {
        match &self.running {
            Running::Together(process) => process.log(),
            Running::Apart(roles) => roles.log(),
        }
    }

    /// Waits until the log has this text. What a role has written is there a little later:
    /// it goes through `redrabbit up`.
    pub async fn says(&self, text: &str) {
        eventually(&format!("the log has {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    /// The process that was started: all of a solo group, or `redrabbit up`.
    pub fn process(&mut self) -> &mut Process {
        match &mut self.running {
            Running::Together(process) => process,
            Running::Apart(_) => panic!("there is no such process: the roles run apart"),
        }
    }

    /// The roles of a group that runs apart.
    pub fn roles(&mut self) -> &mut Roles {
        match &mut self.running {
            Running::Together(_) => panic!("the roles run together"),
            Running::Apart(roles) => roles,
        }
    }

    /// The process of a role under `redrabbit up`.
    pub async fn daemon(&mut self, program: &str) -> u32 {
        let up = self.process().id();
        eventually(program, async || {
            let found = children(up).into_iter().find(|(_, name)| name == program);
            found.map(|(pid, _)| pid)
        })
        .await
    }

    /// Sends a role's process under `redrabbit up` a signal that does not end it.
    pub async fn ask(&mut self, program: &str, signal: Signal) {
        signal_to(self.daemon(program).await, signal);
    }

    /// Hurts a role's process under `redrabbit up`, which is there no more when
    /// this is done.
    pub async fn hurt(&mut self, program: &str, signal: Signal) {
        let pid = self.daemon(program).await;
        let up = self.process().id();
        signal_to(pid, signal);
        eventually("a hurt process ends", async || {
            let there = children(up).iter().any(|(child, _)| *child == pid);
            (!there).then_some(())
        })
        .await;
    }

    /// A number that the gate's metrics show.
    pub async fn gate_metric(&self, name: &str) -> f64 {
        http::sample(&http::get(self.http(), "/metrics").await, name)
    }
}
