//! The brokers of a group, each a process of its own.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
};

use ffrpc::{NodeConfig, Uplink};
use protocol::{
    Secret,
    v1::{ListNodesRequest, NodeRecord, NodeState, Role, registry_client::RegistryClient},
};
use tempfile::TempDir;

use crate::{Process, Signal, eventually, http, own_address, within};

/// A master and its slaves. Everything ends when this is dropped.
pub struct Brokers {
    address: Ipv4Addr,
    secret: Secret,
    /// Before the folder: what a broker has printed is shown when it goes.
    running: BTreeMap<String, Process>,
    folder: TempDir,
    starts: usize,
}

/// The master's name in its group.
pub const MASTER: &str = "master@0";

/// How many slaves the topology has; any of them may run.
const SLAVES: u16 = 8;

impl Brokers {
    /// Starts the master and the first `slaves` slaves, and waits until all of
    /// them are ready.
    pub async fn start(slaves: u16) -> Brokers {
        Brokers::with(slaves, "").await
    }

    /// As [`start`](Self::start), with more lines for the topology.
    pub async fn with(slaves: u16, more: &str) -> Brokers {
        let brokers = Brokers::at(own_address(), Secret::default(), more);
        brokers.up(slaves).await
    }

    /// As [`start`](Self::start), on an address that others than this machine
    /// may reach.
    pub async fn beyond_loopback(address: Ipv4Addr, slaves: u16) -> Brokers {
        let secret = "nobody else is in this network";
        let more = format!("[security]\nsecret = \"{secret}\"\nallow_plaintext = true\n");
        let brokers = Brokers::at(address, Secret::new(secret), &more);
        brokers.up(slaves).await
    }

    fn at(address: Ipv4Addr, secret: Secret, more: &str) -> Brokers {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let mut topology = String::new();
        write!(
            topology,
            "group = \"GroupA\"\n\n[master]\nlisten = \"{address}:{}\"\nhttp = \"{address}:{}\"\nstate_dir = {state:?}\n",
            port(MASTER),
            http_port(MASTER),
        )
        .unwrap();
        for index in 0..SLAVES {
            let name = slave(index);
            write!(
                topology,
                "\n[slaves.\"{name}\"]\nlisten = \"{address}:{}\"\nhttp = \"{address}:{}\"\n",
                port(&name),
                http_port(&name),
            )
            .unwrap();
        }
        write!(topology, "\n{more}").unwrap();
        std::fs::write(folder.path().join("topology.toml"), topology).unwrap();
        Brokers {
            address,
            secret,
            folder,
            running: BTreeMap::new(),
            starts: 0,
        }
    }

    async fn up(mut self, slaves: u16) -> Brokers {
        self.run(MASTER);
        for index in 0..slaves {
            self.run(&slave(index));
        }
        self.has_slaves(slaves.into()).await;
        self
    }

    /// Starts a broker that is not running: for the first time, or again where
    /// it was.
    pub fn run(&mut self, name: &str) {
        let program = match name {
            MASTER => "broker-master",
            _ => "broker-slave",
        };
        self.starts += 1;
        let log = self
            .folder
            .path()
            .join(format!("{name}.{}.log", self.starts));
        let topology = self.folder.path().join("topology.toml");
        let arguments = ["--topology", topology.to_str().unwrap(), "--name", name];
        let process = Process::start(program, &arguments, &log);
        self.running.insert(name.to_owned(), process);
    }

    /// Sends a signal that does not end the broker.
    pub fn signal(&self, name: &str, signal: Signal) {
        self.running[name].signal(signal);
    }

    /// Sends a signal that ends the broker, and waits for that.
    pub async fn end(&mut self, name: &str, signal: Signal) {
        let mut process = self.running.remove(name).unwrap();
        process.signal(signal);
        process.ended().await;
    }

    /// What a broker has printed.
    pub fn log(&self, name: &str) -> String {
        self.running[name].log()
    }

    /// The brokers that run.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.running.keys().map(String::as_str)
    }

    /// Where nodes reach the master.
    pub fn master(&self) -> SocketAddr {
        (self.address, port(MASTER)).into()
    }

    /// Where nodes reach a broker.
    pub fn address(&self, name: &str) -> SocketAddr {
        (self.address, port(name)).into()
    }

    /// What a node of this group has to be told.
    pub fn config(&self, name: &str) -> NodeConfig {
        NodeConfig {
            name: name.parse().unwrap(),
            role: Role::Service,
            uplink: Uplink::Remote(self.master()),
            secret: self.secret.clone(),
            ..NodeConfig::default()
        }
    }

    /// The directory, if the master is there.
    pub async fn nodes(&self) -> Option<Vec<NodeRecord>> {
        let mut registry = RegistryClient::connect(format!("http://{}", self.master()))
            .await
            .ok()?;
        let request = ListNodesRequest {
            secret: self.secret.expose().to_owned(),
        };
        let list = registry.list_nodes(request).await.ok()?;
        Some(list.into_inner().snapshot?.nodes)
    }

    /// Waits until the directory has so many slaves, and all of them ready.
    pub async fn has_slaves(&self, count: usize) {
        eventually(&format!("{count} slaves are ready"), async || {
            let nodes = self.nodes().await?;
            let mut slaves = nodes.iter().filter(|node| node.role() == Role::Slave);
            let all_ready = slaves.clone().all(|node| node.state() == NodeState::Ready);
            (all_ready && slaves.by_ref().count() == count).then_some(())
        })
        .await;
    }

    /// A metric of a broker, all labels together.
    pub async fn metric(&self, name: &str, metric: &str) -> u64 {
        http::sample(&self.page(name).await, metric) as u64
    }

    /// The metrics of a broker.
    pub async fn page(&self, name: &str) -> String {
        let address = (self.address, http_port(name)).into();
        let what = format!("{name} shows its metrics");
        within(&what, http::get(address, "/metrics")).await
    }

    /// How many envelopes a broker has forwarded in its life.
    pub async fn carried(&self, name: &str) -> u64 {
        self.metric(name, "redrabbit_broker_envelopes_total").await
    }
}

/// The name of a slave.
pub fn slave(index: u16) -> String {
    format!("slave@{index}")
}

fn port(name: &str) -> u16 {
    match name.strip_prefix("slave@") {
        Some(index) => 10251 + index.parse::<u16>().unwrap(),
        None => 10241,
    }
}

fn http_port(name: &str) -> u16 {
    port(name) + 100
}
