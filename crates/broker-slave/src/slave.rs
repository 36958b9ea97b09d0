//! A running slave: its membership, its links, its server.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use broker::{Links, link_services, serve};
use ffrpc::{Encryption, Node, NodeConfig, Services, Uplink};
use protocol::{
    GroupName, NodeName, Secret, VitalsSource,
    v1::{NodeState, Role},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    drain::{Drain, Progress},
    members::Members,
    readiness::is_ready,
};

/// What a slave has to be told.
#[derive(Clone, Debug)]
pub struct SlaveConfig {
    /// Its name in the directory.
    pub name: NodeName,
    /// Whose nodes it routes between.
    pub group: GroupName,
    /// The group's secret; empty for none.
    pub secret: Secret,
    /// Where nodes reach it, a host and a port; `None` for where it listens.
    pub advertise: Option<String>,
    /// How many bytes may wait for a node before requests and notifies to it
    /// are refused.
    pub outbox_bytes: usize,
    /// The version of the program, for operators.
    pub build: String,
    /// How its connections are encrypted, both ways; `None` for not at all.
    pub encryption: Option<Encryption>,
}

/// A slave at work. It goes on until [`shutdown`](Self::shutdown), whatever
/// becomes of its master.
pub struct Slave {
    address: SocketAddr,
    node: Node,
    links: Arc<Links>,
    ready_rx: watch::Receiver<bool>,
    /// Ends in this order: reports, membership, links, server.
    reports: JoinHandle<()>,
    stop_links: CancellationToken,
    stop_server: CancellationToken,
    readers: TaskTracker,
    server: JoinHandle<()>,
}

/// How often to look whether it is ready, or has drained.
const LOOK: Duration = Duration::from_millis(10);

/// How long each part of a shutdown may take after the drain.
const GRACE: Duration = Duration::from_secs(2);

impl Slave {
    /// Joins the group that `uplink` leads to, and routes between its nodes on
    /// `listener`. It goes on trying until it is in. Has to be called in a tokio
    /// runtime.
    ///
    /// # Errors
    /// If the listener's address cannot be read.
    pub fn start(config: SlaveConfig, listener: TcpListener, uplink: Uplink) -> io::Result<Slave> {
        let address = listener.local_addr()?;
        let links = Links::new(config.group, config.secret.clone(), config.outbox_bytes);
        let (stop_links, stop_server) = (CancellationToken::new(), CancellationToken::new());
        let readers = TaskTracker::new();
        let routes = link_services(Arc::clone(&links), readers.clone(), stop_links.clone());
        let tls = config.encryption.as_ref().map(|encryption| &encryption.tls);
        let server = serve(listener, routes, tls, stop_server.clone());
        let members = Members::new(Arc::clone(&links));
        let services = Services::new().events({
            let members = Arc::clone(&members);
            move |event| members.follow(&event)
        });
        let reached = config.advertise.unwrap_or_else(|| address.to_string());
        let node = Node::join(
            NodeConfig {
                name: config.name,
                role: Role::Slave,
                uplink,
                secret: config.secret,
                address: reached.clone(),
                build: config.build,
                encryption: config.encryption,
                ..NodeConfig::default()
            },
            services,
        );
        let (ready_tx, ready_rx) = watch::channel(false);
        let reports = tokio::spawn(report(node.clone(), members, reached, ready_tx));
        Ok(Slave {
            address,
            node,
            links,
            ready_rx,
            reports,
            stop_links,
            stop_server,
            readers,
            server,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it takes traffic.
    pub async fn ready(&self) {
        // The sender lives until `shutdown`.
        let _ = self.ready_rx.clone().wait_for(|ready| *ready).await;
    }

    /// The group has this secret from now on: links are opened with tokens that are
    /// signed with it, and with those that were given before.
    pub fn set_secret(&self, secret: Secret) {
        self.links.set_secret(secret.clone());
        self.node.set_secret(secret);
    }

    /// Says this of itself, for operators, and what its links carry.
    pub fn set_vitals(&self, vitals: VitalsSource) {
        let links = Arc::clone(&self.links);
        self.node
            .set_vitals(vitals.and(move |vitals| links.tell(vitals)));
    }

    /// How many envelopes it has forwarded.
    pub fn forwarded(&self) -> u64 {
        self.links.forwarded()
    }

    /// Lets the nodes take their traffic elsewhere, for as long as `grace`, then
    /// leaves the group and closes the links and the socket.
    pub async fn shutdown(mut self, grace: Duration) {
        self.reports.abort();
        // What it says last is said before the drain.
        let _ = (&mut self.reports).await;
        // Out of the group there is nobody to take anything elsewhere.
        if self.node.id().is_some() {
            self.node.set_state(NodeState::Draining);
            self.drained(grace).await;
        }
        let node = self.node.clone();
        ended(
            "membership",
            tokio::spawn(async move { node.leave().await }),
        )
        .await;
        self.links.close();
        self.stop_links.cancel();
        self.readers.close();
        let readers = self.readers;
        ended("links", tokio::spawn(async move { readers.wait().await })).await;
        self.stop_server.cancel();
        ended("server", self.server).await;
    }

    async fn drained(&self, grace: Duration) {
        let mut drain = Drain::begin(self.links.forwarded(), Instant::now(), grace);
        loop {
            match drain.look(self.links.forwarded(), Instant::now()) {
                Progress::Draining => sleep(LOOK).await,
                Progress::Drained => return,
                Progress::OutOfTime => {
                    warn!("nodes still send, and have to do without it now");
                    return;
                }
            }
        }
    }
}

/// Says in the directory when the slave takes traffic. Whoever loses the group
/// has lost every link with it, and begins anew.
async fn report(node: Node, members: Arc<Members>, address: String, ready_tx: watch::Sender<bool>) {
    loop {
        // From then on it knows whom to wait for.
        node.ready().await;
        let joined = Instant::now();
        while !is_ready(members.unlinked(), joined.elapsed()) {
            sleep(LOOK).await;
        }
        match members.unlinked() {
            0 => info!(address, "takes traffic"),
            unlinked => warn!(
                address,
                unlinked, "takes traffic, without those who have not linked: can they reach it?"
            ),
        }
        node.set_state(NodeState::Ready);
        ready_tx.send_replace(true);
        members.lost().await;
        node.set_state(NodeState::Joining);
        ready_tx.send_replace(false);
    }
}

/// Waits for a part of the shutdown, but not for ever.
async fn ended(part: &'static str, mut task: JoinHandle<()>) {
    if timeout(GRACE, &mut task).await.is_err() {
        warn!(part, "shutdown out of time, ended by force");
        task.abort();
    }
}
