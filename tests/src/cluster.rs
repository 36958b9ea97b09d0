//! A group with several gates and scenes, each a process of its own.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output},
};

use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::{
    Secret,
    v1::{ListNodesRequest, NodeRecord, NodeState, registry_client::RegistryClient},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    MASTER, Place, Process, Signal, eventually, http, own_address, process::binary, within,
};

/// Gates, scenes, slaves and their master. Everything ends when this is dropped.
pub struct Cluster {
    address: Ipv4Addr,
    place: Place,
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
        let cluster = Cluster::launch(Place::default(), members);
        cluster.is_ready().await;
        cluster
    }

    /// Starts everybody, and does not wait.
    pub fn launch(place: Place, members: Members<'_>) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        std::fs::write(folder.path().join("main.py"), members.script).unwrap();
        let topology = place.topology(address, &members, &folder.path().join("state"));
        std::fs::write(folder.path().join("topology.toml"), topology).unwrap();
        let mut cluster = Cluster {
            address,
            place,
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
        self.gates_can_verify().await;
    }

    /// Waits until every gate knows the scene that verifies clients: it hears of a scene
    /// a moment after the directory has it.
    pub(crate) async fn gates_can_verify(&self) {
        for gate in self.running.keys().filter(|name| role(name) == "gate") {
            eventually(&format!("{gate} knows who verifies clients"), async || {
                let says = self.readiness(gate).await;
                let cannot = says == "starting" || says.ends_with("the group");
                (!cannot).then_some(())
            })
            .await;
        }
    }

    /// Waits until this node is in the directory, and ready.
    pub async fn has(&self, name: &str) {
        eventually(&format!("{name} is ready"), async || {
            let nodes = self.nodes().await?;
            let found = nodes.into_iter().find(|node| node.name == name)?;
            (found.state() == NodeState::Ready).then_some(())
        })
        .await;
    }

    /// The directory, if the master is there.
    pub async fn nodes(&self) -> Option<Vec<NodeRecord>> {
        let master = format!("http://{}", self.master());
        let mut registry = RegistryClient::connect(master).await.ok()?;
        let secret = self.place.secret.clone();
        let list = registry.list_nodes(ListNodesRequest { secret }).await;
        Some(list.ok()?.into_inner().snapshot?.nodes)
    }

    /// Where nodes reach the master.
    pub fn master(&self) -> SocketAddr {
        (self.address, self.port(MASTER)).into()
    }

    /// Which group it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The processes that run.
    pub fn names(&self) -> Vec<String> {
        self.running.keys().cloned().collect()
    }

    /// A node of this process.
    pub async fn node(&self, name: &str, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            uplink: Uplink::Remote(self.master()),
            secret: Secret::new(self.place.secret.clone()),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        within("the node joins", node.ready()).await;
        node
    }

    /// Where clients reach a gate by TCP.
    pub fn tcp(&self, gate: &str) -> SocketAddr {
        (self.address, self.port(gate)).into()
    }

    /// Where clients reach a gate by WebSocket.
    pub fn websocket(&self, gate: &str) -> String {
        format!("ws://{}:{}/", self.address, self.port(gate) + 2000)
    }

    /// A metric of a gate or a scene, all labels together.
    pub async fn metric(&self, name: &str, metric: &str) -> u64 {
        let address = (self.address, self.port(name) + 1000).into();
        let what = format!("{name} shows its metrics");
        http::sample(&within(&what, http::get(address, "/metrics")).await, metric) as u64
    }

    /// What a gate or a scene says of whether it takes work: "ready", or why not.
    pub async fn readiness(&self, name: &str) -> String {
        let address = (self.address, self.port(name) + 1000).into();
        let page = within("it says so", http::get(address, "/readyz")).await;
        page.trim().to_owned()
    }

    fn port(&self, name: &str) -> u16 {
        self.place.port(name)
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

fn role(name: &str) -> &str {
    name.split_once('@').unwrap().0
}
