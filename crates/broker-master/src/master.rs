//! A running master: its server, its registry, its links.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use broker::{Links, Local, Registry, RegistryConfig, serve, services};
use protocol::{
    GroupName, NodeName, Secret, VitalsSource,
    link::LocalBroker,
    tls::Tls,
    v1::{Exports, NodeRecord, NodeState, Role, Vitals},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{console, epoch::Run};

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
    /// Where it finds, and leaves, word of its latest run; `None` for a master
    /// that ends with the process of all its nodes, or whose nodes may join
    /// anew. The group's identity is in there too, and lasts as long.
    pub epoch_file: Option<PathBuf>,
    /// The certificate that it shows, and that of the group which it demands of
    /// everybody else; `None` for connections without encryption.
    pub tls: Option<Tls>,
    /// What other groups may call in this one.
    pub exports: Exports,
}

/// A master at work. It goes on until [`shutdown`](Self::shutdown).
pub struct Master {
    address: SocketAddr,
    group: GroupName,
    run: Run,
    registry: Arc<Registry>,
    links: Arc<Links>,
    /// Ends in this order: members, links, server.
    stop_registry: CancellationToken,
    stop_links: CancellationToken,
    stop_server: CancellationToken,
    leases: JoinHandle<()>,
    readers: TaskTracker,
    server: JoinHandle<()>,
    vitals: watch::Sender<VitalsSource>,
    expected: watch::Sender<BTreeSet<NodeName>>,
}

/// How often it says how it does.
const REPORT: Duration = Duration::from_secs(1);

/// How long each part of a shutdown may take.
const GRACE: Duration = Duration::from_secs(2);

impl Master {
    /// Serves a group on `listener`.
    ///
    /// # Errors
    /// If the listener's address cannot be read, or the epoch file is of no
    /// use.
    pub fn start(config: MasterConfig, listener: TcpListener) -> io::Result<Master> {
        let address = listener.local_addr()?;
        let run = Run::begin(config.epoch_file, SystemTime::now()).map_err(io::Error::other)?;
        if run.rebuild {
            info!(epoch = run.epoch, lease = ?config.lease, "taking back the nodes of an earlier run");
        }
        let group = config.group.clone();
        let links = Links::new(config.group.clone(), config.secret, config.outbox_bytes);
        let registry = Registry::new(
            RegistryConfig {
                epoch: run.epoch,
                rebuild: run.rebuild,
                lease: config.lease,
                master: NodeRecord {
                    name: config.name.to_string(),
                    role: Role::Master.into(),
                    state: NodeState::Ready.into(),
                    address: address.to_string(),
                    build: config.build,
                    ..NodeRecord::default()
                },
                group: config.group,
                identity: run.identity.get(),
                exports: config.exports,
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
        let server = serve(listener, routes, config.tls.as_ref(), stop_server.clone());
        let leases = tokio::spawn({
            let (registry, stop) = (Arc::clone(&registry), stop_registry.clone());
            async move { registry.run(stop).await }
        });
        let expected = watch::Sender::new(BTreeSet::new());
        readers.spawn(console::show(
            Arc::clone(&registry),
            group.clone(),
            expected.subscribe(),
            stop_registry.clone(),
        ));
        let vitals = watch::Sender::new(VitalsSource::default());
        readers.spawn(tell_vitals(
            Arc::clone(&registry),
            Arc::clone(&links),
            vitals.subscribe(),
            stop_registry.clone(),
        ));
        Ok(Master {
            address,
            group,
            run,
            registry,
            links,
            stop_registry,
            stop_links,
            stop_server,
            leases,
            readers,
            server,
            vitals,
            expected,
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

    /// Other groups may call this from now on: the group's bridges are told.
    pub fn set_exports(&self, exports: Exports) {
        self.registry.set_exports(exports);
    }

    /// The group has this secret from now on. For an hour, or until the next change, a
    /// node may join with the one before; those that are in stay in.
    pub fn set_secret(&self, secret: Secret) {
        self.registry.set_secret(secret);
    }

    /// Says this of itself, for operators, and what its links carry.
    pub fn set_vitals(&self, vitals: VitalsSource) {
        self.vitals.send_replace(vitals);
    }

    /// The group is to have these nodes: whoever looks at it is told which are not there.
    pub fn expect(&self, nodes: impl IntoIterator<Item = NodeName>) {
        self.expected.send_replace(nodes.into_iter().collect());
    }

    /// The pages of its console, for who shows the token in this file, which is made
    /// where it is not there.
    ///
    /// # Errors
    /// If the file cannot be read or written, or is no token.
    pub fn console(&self, token_file: &Path) -> io::Result<axum::Router> {
        console::router(
            Arc::clone(&self.registry),
            &self.group,
            token_file,
            self.stop_registry.clone(),
        )
    }

    /// Ends every membership, lets the links run dry, closes the socket.
    pub async fn shutdown(self) {
        self.stop_registry.cancel();
        ended("members", self.leases).await;
        if self.registry.members() == 0
            && let Err(error) = self.run.end_empty()
        {
            // The next run waits one lease for nodes that do not come.
            warn!(%error, "epoch file left as it was");
        }
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

/// The master is no member of its own group that would report: it says how it does as
/// often as the others do.
async fn tell_vitals(
    registry: Arc<Registry>,
    links: Arc<Links>,
    source: watch::Receiver<VitalsSource>,
    stop: CancellationToken,
) {
    let begun = Instant::now();
    let mut ticks = interval(REPORT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let mut vitals = Vitals {
            up_ms: begun.elapsed().as_millis() as u64,
            ..Vitals::default()
        };
        links.tell(&mut vitals);
        source.borrow().tell(&mut vitals);
        registry.set_vitals(vitals);
    }
}

/// Waits for a part of the shutdown, but not for ever.
async fn ended(part: &'static str, mut task: JoinHandle<()>) {
    if timeout(GRACE, &mut task).await.is_err() {
        warn!(part, "shutdown out of time, ended by force");
        task.abort();
    }
}
