//! What a node has to be told.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use protocol::{GroupName, NodeName, Secret, link::LocalBroker, tls::Tls, v1::Role};

/// Who a node is and how it reaches its group.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its name, unique in the group.
    pub name: NodeName,
    /// What it is.
    pub role: Role,
    /// How it reaches the master.
    pub uplink: Uplink,
    /// The group's secret; empty where the group has none.
    pub secret: Secret,
    /// Brokers only: where other nodes open their links, `host:port`.
    pub address: String,
    /// How long a call waits for its answer, unless it says otherwise. 5 s.
    pub call_timeout: Duration,
    /// How many bytes may wait for a link before requests and notifies are
    /// refused with `Overloaded`. 64 MiB.
    pub outbox_bytes: usize,
    /// How many bytes may be on their way to one node, sent and not
    /// acknowledged, before requests and notifies to it are refused with
    /// `Overloaded`. 16 MiB.
    pub pair_bytes: usize,
    /// How many requests may be in their handlers at once; past it they are
    /// answered with `Overloaded`. 4,096.
    pub max_requests: usize,
    /// The version of the program, for operators.
    pub build: String,
    /// How connections to brokers are encrypted; `None` for not at all.
    pub encryption: Option<Encryption>,
}

/// The node's own certificate and the group whose brokers it trusts.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// The node's files; see [`protocol::tls`].
    pub tls: Tls,
    /// The group, which is part of every certificate's name.
    pub group: GroupName,
}

/// What a node shows to be let in: for those who start nodes of others' making.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The group's secret; empty where the group has none.
    pub secret: Secret,
    /// How connections to brokers are encrypted; `None` for not at all.
    pub encryption: Option<Encryption>,
}

impl Credentials {
    /// What a daemon shows: the secret of its topology, and the certificate
    /// that it has loaded, if any.
    pub fn new(secret: Secret, tls: Option<Tls>, group: &GroupName) -> Self {
        let group = group.clone();
        Credentials {
            secret,
            encryption: tls.map(|tls| Encryption { tls, group }),
        }
    }
}

impl From<Secret> for Credentials {
    fn from(secret: Secret) -> Self {
        Credentials {
            secret,
            encryption: None,
        }
    }
}

/// How a node reaches the master of its group.
#[derive(Clone)]
pub enum Uplink {
    /// In another process, over gRPC.
    Remote(SocketAddr),
    /// In this process, over memory.
    Local(Arc<dyn LocalBroker>),
}

impl Default for NodeConfig {
    fn default() -> Self {
        NodeConfig {
            name: "service@0".parse().expect("the literal is a name"),
            role: Role::Service,
            uplink: Uplink::Remote(SocketAddr::from(([127, 0, 0, 1], 10241))),
            secret: Secret::default(),
            address: String::new(),
            call_timeout: Duration::from_secs(5),
            outbox_bytes: 64 << 20,
            pair_bytes: 16 << 20,
            max_requests: 4096,
            build: String::new(),
            encryption: None,
        }
    }
}

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uplink::Remote(address) => address.fmt(f),
            Uplink::Local(_) => f.write_str("this process"),
        }
    }
}
