//! Groups, bridges between them, and nodes that call.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bridge::{Bridge, BridgeConfig, GroupConfig};
use broker_master::{Master, MasterConfig};
use bytes::Bytes;
use ffrpc::{Credentials, Group, Node, NodeConfig, Services, Uplink};
use protocol::{
    CallError, Secret,
    v1::{CmdRange, Export, Exports},
};
use tokio::{net::TcpListener, time::timeout};

/// Long enough for anything that happens at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const GRACE: Duration = Duration::from_secs(10);
pub(crate) const LEASE: Duration = Duration::from_millis(1000);
const SECRET: &str = "sesame";

/// How a group begins.
#[derive(Clone)]
pub(crate) struct Begins {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) exports: Vec<Export>,
    /// For one whose nodes are taken back by its next master.
    pub(crate) epoch_file: Option<PathBuf>,
}

/// A group that runs.
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) master: Master,
}

impl Begins {
    pub(crate) fn new(name: &'static str, exports: Vec<Export>) -> Self {
        Begins {
            name,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            exports,
            epoch_file: None,
        }
    }

    pub(crate) async fn start(self) -> Running {
        let listener = within(async {
            loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
        .await;
        let config = MasterConfig {
            tls: None,
            name: "master@0".parse().unwrap(),
            group: self.name.parse().unwrap(),
            secret: Secret::new(SECRET),
            lease: LEASE,
            outbox_bytes: 8 << 20,
            build: "test".into(),
            epoch_file: self.epoch_file,
            exports: Exports {
                exports: self.exports,
            },
        };
        Running {
            name: self.name,
            master: Master::start(config, listener).unwrap(),
        }
    }
}

/// A group that exports this.
pub(crate) async fn group(name: &'static str, exports: Vec<Export>) -> Running {
    Begins::new(name, exports).start().await
}

/// Whatever anybody may want to call.
pub(crate) fn everything() -> Vec<Export> {
    vec![Export {
        cmds: vec![CmdRange {
            first: 1,
            last: 999,
        }],
        directory: true,
        ..export("*", "*", "*")
    }]
}

pub(crate) fn export(groups: &str, services: &str, methods: &str) -> Export {
    Export {
        name: "some".into(),
        groups: vec![groups.into()],
        services: vec![services.into()],
        methods: vec![methods.into()],
        ..Export::default()
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.master.address()
    }

    /// A node of the group, once it is in.
    pub(crate) async fn join(&self, name: &str, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            uplink: Uplink::Remote(self.address()),
            secret: Secret::new(SECRET),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        within(node.ready()).await;
        node
    }

    pub(crate) async fn echo(&self, name: &str) -> Node {
        let services = Services::new()
            .serve("echo", async |request| Ok(request.body))
            .serve("forever", async |_| std::future::pending().await);
        self.join(name, services).await
    }

    /// A node that offers nothing.
    pub(crate) async fn caller(&self) -> Node {
        self.join("caller@0", Services::new()).await
    }

    pub(crate) async fn stop(self) {
        within(self.master.shutdown()).await;
    }
}

pub(crate) fn joins(name: &'static str, address: SocketAddr) -> GroupConfig {
    GroupConfig {
        name: name.parse().unwrap(),
        uplink: Uplink::Remote(address),
        credentials: Credentials::from(Secret::new(SECRET)),
    }
}

/// A bridge that does not wait for anything.
pub(crate) fn start(name: &str, groups: Vec<GroupConfig>) -> Bridge {
    Bridge::start(&BridgeConfig {
        name: name.parse().unwrap(),
        groups,
        outbox_bytes: 64 << 20,
        pair_bytes: 16 << 20,
        build: "test".into(),
    })
}

/// A bridge that reaches all of them.
pub(crate) async fn bridge(name: &str, groups: &[&Running]) -> Bridge {
    let groups = groups
        .iter()
        .map(|group| joins(group.name, group.address()));
    let bridge = start(name, groups.collect());
    within(bridge.ready()).await;
    bridge
}

/// The other group, once a bridge is known to reach it.
pub(crate) async fn reaching(node: &Node, group: &str) -> Group {
    let name = || group.parse().unwrap();
    eventually(|| node.group(name()).bridge().ok()).await;
    node.group(name())
}

/// The other group, once this method may be called there: the bridge has heard of
/// who offers it.
pub(crate) async fn offering(node: &Node, group: &str, method: &str) -> Group {
    let other = reaching(node, group).await;
    within(async {
        loop {
            match other.call(method.to_owned(), Bytes::new()).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await;
    other
}

/// Calls until it goes otherwise than `wrong` says.
pub(crate) async fn once_not<T>(
    wrong: protocol::ErrorKind,
    mut call: impl AsyncFnMut() -> Result<T, CallError>,
) -> Result<T, CallError> {
    within(async {
        loop {
            match call().await {
                Err(error) if error.kind == wrong => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                outcome => return outcome,
            }
        }
    })
    .await
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work)
        .await
        .expect("nothing happened in time")
}

/// Waits until `look` sees something.
pub(crate) async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    within(async {
        loop {
            match look() {
                Some(seen) => return seen,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await
}
