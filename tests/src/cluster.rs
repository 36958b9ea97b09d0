//! A group with several gates and scenes, each a process of its own.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output},
};

use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::v1::{ListNodesRequest, NodeRecord, NodeState, registry_client::RegistryClient};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{MASTER, Process, Signal, eventually, http, own_address, process::binary, within};

/// Gates, scenes, slaves and their master. Everything ends when this is dropped.
pub struct Cluster {
    address: Ipv4Addr,
    /// Before the folder: what a process has printed is shown when it goes.
    running: BTreeMap<String, Process>,
    folder: TempDir,
    starts: usize,
}

/// What a cluster is made of. All scenes run the same script.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    pub gates: u16,
    pub scenes: u16,
    pub slaves: u16,
    pub script: &'a str,
    /// More lines for the topology.
    pub more: &'a str,
}

impl Cluster {
    /// Starts everybody and waits until all are ready.
    pub async fn start(members: Members<'_>) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        std::fs::write(folder.path().join("main.py"), members.script).unwrap();
        let topology = topology(address, &members, &folder.path().join("state"));
        std::fs::write(folder.path().join("topology.toml"), topology).unwrap();
        let mut cluster = Cluster {
            address,
            folder,
            running: BTreeMap::new(),
            starts: 0,
        };
        cluster.run(MASTER);
        for (role, count) in [
            ("slave", members.slaves),
            ("scene", members.scenes),
            ("gate", members.gates),
        ] {
            for index in 0..count {
                cluster.run(&format!("{role}@{index}"));
            }
        }
        cluster.is_ready().await;
        cluster
    }

    /// Starts a process that is not running, for the first time or again.
    pub fn run(&mut self, name: &str) {
        let program = match role(name) {
            "master" => "broker-master",
            "slave" => "broker-slave",
            "scene" => "scene-host",
            other => other,
        };
        self.starts += 1;
        let log = self
            .folder
            .path()
            .join(format!("{name}.{}.log", self.starts));
        let topology = self.topology();
        let arguments = ["--topology", topology.to_str().unwrap(), "--name", name];
        let process = Process::start(program, &arguments, &log);
        self.running.insert(name.to_owned(), process);
    }

    /// Sends a signal that does not end the process, or not at once.
    pub fn signal(&self, name: &str, signal: Signal) {
        self.running[name].signal(signal);
    }

    /// Sends a signal that ends the process, and waits for that.
    pub async fn end(&mut self, name: &str, signal: Signal) {
        self.signal(name, signal);
        self.has_ended(name).await;
    }

    /// Waits until the process has ended.
    pub async fn has_ended(&mut self, name: &str) {
        let mut process = self.running.remove(name).unwrap();
        process.ended().await;
    }

    /// The process of a node.
    pub fn process(&self, name: &str) -> &Process {
        &self.running[name]
    }

    /// What a process has printed.
    pub fn log(&self, name: &str) -> String {
        self.running[name].log()
    }

    /// Waits until everybody who runs is ready, and nobody else is there.
    pub async fn is_ready(&self) {
        eventually("all that run are ready", async || {
            let mut nodes = self.nodes().await?;
            nodes.retain(|node| node.state() == NodeState::Ready);
            let mut names: Vec<_> = nodes.into_iter().map(|node| node.name).collect();
            names.sort();
            names.iter().eq(self.running.keys()).then_some(())
        })
        .await;
    }

    /// The directory, if the master is there.
    pub async fn nodes(&self) -> Option<Vec<NodeRecord>> {
        let master = format!("http://{}:{}", self.address, port(MASTER));
        let mut registry = RegistryClient::connect(master).await.ok()?;
        let list = registry.list_nodes(ListNodesRequest::default()).await;
        Some(list.ok()?.into_inner().snapshot?.nodes)
    }

    /// A node of this process.
    pub async fn node(&self, name: &str, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            uplink: Uplink::Remote((self.address, port(MASTER)).into()),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        within("the node joins", node.ready()).await;
        node
    }

    /// Where clients reach a gate by TCP.
    pub fn tcp(&self, gate: &str) -> SocketAddr {
        (self.address, port(gate)).into()
    }

    /// Where clients reach a gate by WebSocket.
    pub fn websocket(&self, gate: &str) -> String {
        format!("ws://{}:{}/", self.address, port(gate) + 2000)
    }

    /// A metric of a gate or a scene, all labels together.
    pub async fn metric(&self, name: &str, metric: &str) -> u64 {
        let address = (self.address, port(name) + 1000).into();
        let what = format!("{name} shows its metrics");
        http::sample(&within(&what, http::get(address, "/metrics")).await, metric) as u64
    }

    /// The file that describes the group.
    pub fn topology(&self) -> PathBuf {
        self.folder.path().join("topology.toml")
    }

    /// The folder of the script, and of what it writes.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The files in a folder of the group's state whose paths end so.
    pub fn find(&self, end: &str) -> Vec<PathBuf> {
        let mut folders = vec![self.folder.path().join("state")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.ends_with(end) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Runs `redrabbit` with these arguments and the group's file, to its end.
    pub async fn redrabbit(&self, arguments: &[&str]) -> Output {
        within("the command ends", self.begin_redrabbit(arguments))
            .await
            .unwrap()
    }

    /// As [`redrabbit`](Self::redrabbit), and it may take its time.
    pub fn begin_redrabbit(&self, arguments: &[&str]) -> JoinHandle<Output> {
        let mut command = Command::new(binary("redrabbit"));
        command
            .args(arguments)
            .arg("--topology")
            .arg(self.topology());
        tokio::task::spawn_blocking(move || command.output().unwrap())
    }
}

fn topology(address: Ipv4Addr, members: &Members<'_>, state: &std::path::Path) -> String {
    let mut text = String::from("group = \"GroupA\"\n");
    let master = port(MASTER);
    writeln!(text, "[master]\nlisten = \"{address}:{master}\"").unwrap();
    writeln!(text, "state_dir = {state:?}").unwrap();
    let mut add = |role: &str, count, lines: &dyn Fn(u16) -> String| {
        for index in 0..count {
            let name = format!("{role}@{index}");
            let port = port(&name);
            writeln!(text, "[{role}s.\"{name}\"]\n{}", lines(port)).unwrap();
            writeln!(text, "http = \"{address}:{}\"", port + 1000).unwrap();
        }
    };
    add("slave", members.slaves, &|port| {
        format!("listen = \"{address}:{port}\"")
    });
    add("scene", members.scenes, &|_| {
        format!("script = \"main.py\"\nstate_dir = {state:?}")
    });
    add("gate", members.gates, &|port| {
        let websocket = port + 2000;
        format!("tcp = \"{address}:{port}\"\nwebsocket = \"{address}:{websocket}\"")
    });
    text + members.more
}

fn role(name: &str) -> &str {
    name.split_once('@').unwrap().0
}

fn port(name: &str) -> u16 {
    let (role, index) = name.split_once('@').unwrap();
    let first = match role {
        "master" => 10100,
        "slave" => 10200,
        "scene" => 10300,
        _ => 10400,
    };
    first + index.parse::<u16>().unwrap()
}
