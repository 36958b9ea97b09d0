//! A running master: its server, its registry, its links.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use broker::{Links, Local, Registry, RegistryConfig, services};
use protocol::{
    GroupName, NodeName, Secret,
    link::LocalBroker,
    v1::{NodeRecord, NodeState, Role},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::{Server, server::TcpIncoming};
use tracing::{error, warn};

/// What a master has to be told.
#[derive(Clone, Debug)]
pub struct MasterConfig {
    /// Its name in the directory.
    pub name: NodeName,
    /// Whose directory it keeps.
    pub group: GroupName,
    /// What a node has to know to be let in; empty for none.
    pub secret: Secret,
    /// How long a node may stay silent.
    pub lease: Duration,
    /// How many bytes may wait for a node before requests and notifies to it
    /// are refused.
    pub outbox_bytes: usize,
    /// The version of the program, for operators.
    pub build: String,
}

/// A master at work. It goes on until [`shutdown`](Self::shutdown).
pub struct Master {
    address: SocketAddr,
    registry: Arc<Registry>,
    links: Arc<Links>,
    /// Ends in this order: members, links, server.
    stop_registry: CancellationToken,
    stop_links: CancellationToken,
    stop_server: CancellationToken,
    leases: JoinHandle<()>,
    readers: TaskTracker,
    server: JoinHandle<()>,
}

/// Fewer, larger frames, which cost less where bodies are large; nodes ask for
/// the same on their side.
const MAX_FRAME_BYTES: u32 = 256 << 10;

/// A peer that answers no probe for this long is gone, though TCP has not
/// noticed.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));

/// How long each part of a shutdown may take.
const GRACE: Duration = Duration::from_secs(2);

impl Master {
    /// Serves a group on `listener`.
    ///
    /// # Errors
    /// If the listener's address cannot be read.
    pub fn start(config: MasterConfig, listener: TcpListener) -> io::Result<Master> {
        let address = listener.local_addr()?;
        let links = Links::new(
            config.group.clone(),
            config.secret.clone(),
            config.outbox_bytes,
        );
        let registry = Registry::new(
            RegistryConfig {
                epoch: epoch(SystemTime::now()),
                lease: config.lease,
                secret: config.secret,
                master: NodeRecord {
                    name: config.name.to_string(),
                    role: Role::Master.into(),
                    state: NodeState::Ready.into(),
                    address: address.to_string(),
                    build: config.build,
                    ..NodeRecord::default()
                },
                group: config.group,
            },
            Arc::clone(&links),
        );
        let stop_registry = CancellationToken::new();
        let stop_links = CancellationToken::new();
        let stop_server = CancellationToken::new();
        let readers = TaskTracker::new();
        let routes = services(
            Arc::clone(&registry),
            Arc::clone(&links),
            readers.clone(),
            stop_links.clone(),
        );
        // The server builder's own TCP options do not reach sockets that it
        // did not accept.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serving = Server::builder()
            .max_frame_size(MAX_FRAME_BYTES)
            .http2_keepalive_interval(Some(KEEP_ALIVE.0))
            .http2_keepalive_timeout(Some(KEEP_ALIVE.1))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop_server.clone().cancelled_owned());
        let server = tokio::spawn(async move {
            if let Err(error) = serving.await {
                error!(%error, "server failed");
            }
        });
        let leases = tokio::spawn({
            let (registry, stop) = (Arc::clone(&registry), stop_registry.clone());
            async move { registry.run(stop).await }
        });
        Ok(Master {
            address,
            registry,
            links,
            stop_registry,
            stop_links,
            stop_server,
            leases,
            readers,
            server,
        })
    }

    /// Where nodes reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The master as nodes of this process reach it.
    pub fn local(&self) -> Arc<dyn LocalBroker> {
        Local::new(Arc::clone(&self.registry), Arc::clone(&self.links))
    }

    /// Ends every membership, lets the links run dry, closes the socket.
    pub async fn shutdown(self) {
        self.stop_registry.cancel();
        ended("members", self.leases).await;
        self.links.close();
        self.stop_links.cancel();
        self.readers.close();
        ended(
            "links",
            tokio::spawn(async move { self.readers.wait().await }),
        )
        .await;
        self.stop_server.cancel();
        ended("server", self.server).await;
    }
}

/// Waits for a part of the shutdown, but not for ever.
async fn ended(part: &'static str, mut task: JoinHandle<()>) {
    if timeout(GRACE, &mut task).await.is_err() {
        warn!(part, "shutdown out of time, ended by force");
        task.abort();
    }
}

/// The run of a master that starts now: eighths of a second since the start of
/// 2025, which rises from one run to the next for as long as the clock does,
/// and fits 32 bits until 2042. Two masters of one process never share a run,
/// however quickly one follows the other.
fn epoch(now: SystemTime) -> u32 {
    static LATEST: AtomicU32 = AtomicU32::new(0);
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH + YEAR_2025)
        .unwrap_or_default();
    let run = (since.as_millis() / 125) as u32;
    let latest = LATEST.fetch_max(run, Ordering::Relaxed);
    if run > latest {
        run
    } else {
        LATEST.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// From the Unix epoch to the start of 2025.
const YEAR_2025: Duration = Duration::from_secs(1_735_689_600);
