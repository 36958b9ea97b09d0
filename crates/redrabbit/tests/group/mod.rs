//! A group with a secret: a master in this process, and its topology in a folder.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use broker_master::{Master, MasterConfig};
use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::{
    Secret,
    v1::{NodeState, Role},
};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

/// Nothing here takes as long, unless it is broken.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "sesame";

pub(crate) struct Group {
    folder: TempDir,
    pub(crate) master: Master,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) wrong: String,
}

impl Group {
    /// Its topology ends with `rest`.
    pub(crate) async fn start(rest: &str) -> Group {
        let master = Group::master("127.0.0.1:0").await;
        let folder = tempfile::tempdir().unwrap();
        let topology = format!(
            "group = \"GroupA\"\n[security]\nsecret = \"{SECRET}\"\n\
             [master]\nlisten = \"{}\"\n{rest}",
            master.address()
        );
        fs::write(folder.path().join("topology.toml"), topology).unwrap();
        Group { folder, master }
    }

    /// The same with a new master at the same address, which begins once `away` is over.
    pub(crate) async fn restarted(self, away: impl Future<Output = ()>) -> Group {
        let Group { folder, master } = self;
        let address = master.address().to_string();
        master.shutdown().await;
        away.await;
        let master = Group::master(&address).await;
        Group { folder, master }
    }

    async fn master(address: &str) -> Master {
        let listener = TcpListener::bind(address).await.unwrap();
        let config = MasterConfig {
            group: "GroupA".parse().unwrap(),
            secret: Secret::new(SECRET),
            name: "master@0".parse().unwrap(),
            lease: Duration::from_secs(3),
            outbox_bytes: 1 << 20,
            build: String::new(),
            epoch_file: None,
            tls: None,
            exports: Default::default(),
        };
        Master::start(config, listener).unwrap()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// A node that is ready.
    pub(crate) async fn node(&self, name: &str, role: Role, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            role,
            uplink: Uplink::Remote(self.master.address()),
            secret: Secret::new(SECRET),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        timeout(SOON, node.ready()).await.unwrap();
        node.set_state(NodeState::Ready);
        self.until(&format!("{name} is ready"), |nodes| {
            nodes
                .iter()
                .any(|node| node["name"] == name && node["state"] == "ready")
        })
        .await;
        node
    }

    /// Waits until the directory is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&[serde_json::Value]) -> bool) {
        let looked = async {
            loop {
                let ended = self.redrabbit(&["nodes", "--json"]).await;
                let json: serde_json::Value = serde_json::from_str(&ended.said).unwrap();
                if is_so(json["nodes"].as_array().unwrap()) {
                    return;
                }
            }
        };
        timeout(SOON, looked)
            .await
            .unwrap_or_else(|_| panic!("never so: {what}"));
    }

    /// A command about this group.
    pub(crate) async fn redrabbit(&self, args: &[&str]) -> Ended {
        self.redrabbit_told(args, b"").await
    }

    /// The same, with something on its standard input.
    pub(crate) async fn redrabbit_told(&self, args: &[&str], input: &[u8]) -> Ended {
        let mut child = self.spawn(args);
        let mut stdin = child.stdin.take().unwrap();
        // It may have ended without reading any of it.
        let _ = stdin.write_all(input).await;
        drop(stdin);
        let output = timeout(SOON, child.wait_with_output()).await.unwrap();
        let output = output.unwrap();
        Ended {
            code: output.status.code().unwrap(),
            said: String::from_utf8(output.stdout).unwrap(),
            wrong: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A command about this group that is still at it.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_redrabbit"))
            .args(args)
            .arg("--topology")
            .arg(self.path("topology.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}
