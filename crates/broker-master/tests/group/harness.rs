//! A group to test with.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use broker_master::{Master, MasterConfig};
use ffrpc::{Node, NodeConfig, NodeEvent, Services, Uplink};
use protocol::{NodeId, Secret, v1::Role};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// Long enough for anything that happens at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// Short, so that tests of lost nodes are quick.
pub(crate) const LEASE: Duration = Duration::from_millis(1500);

/// How the nodes of a test reach their master.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Socket,
    Memory,
}

pub(crate) async fn master(secret: &str) -> Master {
    master_at(SocketAddr::from(([127, 0, 0, 1], 0)), secret).await
}

pub(crate) async fn master_at(address: SocketAddr, secret: &str) -> Master {
    start(address, secret, 8 << 20).await
}

/// A master that tells the next one of itself.
pub(crate) async fn lasting_master(address: SocketAddr, epoch_file: &Path) -> Master {
    try_master(address, epoch_file).await.unwrap()
}

pub(crate) async fn try_master(address: SocketAddr, epoch_file: &Path) -> io::Result<Master> {
    try_start(address, "", 8 << 20, Some(epoch_file.to_owned())).await
}

/// A master whose outboxes hold no more than this.
pub(crate) async fn narrow_master(outbox_bytes: usize) -> Master {
    start(SocketAddr::from(([127, 0, 0, 1], 0)), "", outbox_bytes).await
}

async fn start(address: SocketAddr, secret: &str, outbox_bytes: usize) -> Master {
    try_start(address, secret, outbox_bytes, None)
        .await
        .unwrap()
}

async fn try_start(
    address: SocketAddr,
    secret: &str,
    outbox_bytes: usize,
    epoch_file: Option<PathBuf>,
) -> io::Result<Master> {
    let listener = within(async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let config = MasterConfig {
        tls: None,
        name: "master@0".parse().unwrap(),
        group: "GroupA".parse().unwrap(),
        secret: Secret::new(secret),
        lease: LEASE,
        outbox_bytes,
        build: "test".into(),
        epoch_file,
        exports: Default::default(),
    };
    Master::start(config, listener)
}

pub(crate) fn config(master: &Master, by: By, name: &str) -> NodeConfig {
    NodeConfig {
        name: name.parse().unwrap(),
        role: Role::Service,
        uplink: match by {
            By::Socket => Uplink::Remote(master.address()),
            By::Memory => Uplink::Local(master.local()),
        },
        ..NodeConfig::default()
    }
}

pub(crate) async fn node(master: &Master, by: By, name: &str, services: Services) -> Node {
    let node = Node::join(config(master, by, name), services);
    within(node.ready()).await;
    node
}

/// Waits until `node` can call the node of this name.
pub(crate) async fn resolved(node: &Node, name: &str) -> NodeId {
    let name = name.parse().unwrap();
    eventually(|| node.resolve(&name)).await
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

/// Services that pass on every event.
pub(crate) fn listening(services: Services) -> (Services, mpsc::Receiver<NodeEvent>) {
    let (events_tx, events_rx) = mpsc::channel(1000);
    let services = services.events(move |event| {
        let _ = events_tx.try_send(event);
    });
    (services, events_rx)
}

/// A service that says back what it is told.
pub(crate) fn echo() -> Services {
    Services::new().serve("echo", async |request| Ok(request.body))
}

/// The handler's future has to be `Send`, whatever it holds.
pub(crate) type Shared<T> = Arc<std::sync::Mutex<T>>;
