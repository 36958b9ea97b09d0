//! A slave between real nodes, over sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use broker_master::{Master, MasterConfig};
use broker_slave::{Slave, SlaveConfig};
use bytes::Bytes;
use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::{
    NodeId, NodeName, Secret,
    v1::{NodeState, Role},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Long enough for anything that happens at all.
const DEADLINE: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(10);
const SECRET: &str = "sesame";

#[tokio::test]
async fn with_a_slave_the_traffic_goes_through_it_and_outlives_the_master() {
    let master = master().await;
    let slave = slave(&master, "slave@0", None).await;
    let (_echo, caller) = (echo(&master).await, node(&master, "caller@0").await);
    let to = resolved(&caller, "echo@0").await;
    linked(&caller, &slave, to).await;

    let before = slave.forwarded();
    for _ in 0..100 {
        call(&caller, to).await.unwrap();
    }
    assert!(slave.forwarded() >= before + 200);

    within(master.shutdown()).await;
    for _ in 0..100 {
        call(&caller, to).await.unwrap();
    }
    assert!(slave.forwarded() >= before + 400);
}

#[tokio::test]
async fn a_slave_that_comes_and_drains_under_traffic_fails_no_call() {
    let master = master().await;
    let (_echo, caller) = (echo(&master).await, node(&master, "caller@0").await);
    let to = resolved(&caller, "echo@0").await;
    let traffic = Traffic::start(&caller, to);
    traffic.goes_on().await;

    let slave = slave(&master, "slave@0", None).await;
    eventually(|| (slave.forwarded() > 100).then_some(())).await;
    let began = Instant::now();
    within(slave.shutdown(GRACE)).await;
    assert!(began.elapsed() < GRACE / 2, "{:?}", began.elapsed());
    let name: NodeName = "slave@0".parse().unwrap();
    eventually(|| caller.lookup(&name).is_none().then_some(())).await;
    // Over the master, as before.
    traffic.goes_on().await;

    assert_eq!(traffic.stop().await, Vec::<String>::new());
}

#[tokio::test]
async fn traffic_that_does_not_go_elsewhere_is_cut_off_at_the_end_of_the_grace() {
    let master = master().await;
    let slave = slave(&master, "slave@0", None).await;
    let (_echo, caller) = (echo(&master).await, node(&master, "caller@0").await);
    let to = resolved(&caller, "echo@0").await;
    linked(&caller, &slave, to).await;
    // Nobody hears of the drain.
    within(master.shutdown()).await;
    let traffic = Traffic::start(&caller, to);
    traffic.goes_on().await;

    let (began, grace) = (Instant::now(), Duration::from_millis(700));
    within(slave.shutdown(grace)).await;
    assert!(began.elapsed() >= grace);
    traffic.stop().await;
}

#[tokio::test]
async fn the_directory_says_where_a_slave_is_reached() {
    let master = master().await;
    let slave_0 = slave(&master, "slave@0", None).await;
    let slave_1 = slave(&master, "slave@1", Some("localhost:1")).await;
    let node = node(&master, "caller@0").await;
    let record = |name: &str| {
        let name = name.parse().unwrap();
        let node = node.clone();
        async move { eventually(|| node.lookup(&name)).await }
    };
    let found = record("slave@0").await;
    assert_eq!(found.address, slave_0.address().to_string());
    assert_eq!((found.role, found.state), (Role::Slave, NodeState::Ready));
    assert_eq!(record("slave@1").await.address, "localhost:1");
    within(slave_0.shutdown(GRACE)).await;
    within(slave_1.shutdown(GRACE)).await;
}

#[tokio::test]
async fn a_slave_is_ready_at_once_where_everybody_links_and_after_a_second_where_not() {
    let master = master().await;
    let _nodes = (echo(&master).await, node(&master, "caller@0").await);
    let began = Instant::now();
    let linked = slave(&master, "slave@0", None).await;
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );

    // Nobody reaches this one.
    let began = Instant::now();
    let _alone = slave(&master, "slave@1", Some("127.0.0.1:1")).await;
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    within(linked.shutdown(GRACE)).await;
}

/// Whoever comes to a master that does not remember is a new node there.
#[tokio::test]
async fn a_slave_begins_anew_with_a_group_that_does() {
    let first = master().await;
    let (address, slave) = (first.address(), slave(&first, "slave@0", None).await);
    let (_echo, caller) = (echo(&first).await, node(&first, "caller@0").await);
    let to = resolved(&caller, "echo@0").await;
    linked(&caller, &slave, to).await;
    within(first.shutdown()).await;

    let second = master_at(address).await;
    let name: NodeName = "echo@0".parse().unwrap();
    let again = eventually(|| caller.resolve(&name).filter(|id| *id != to)).await;
    linked(&caller, &slave, again).await;
    within(slave.ready()).await;
    within(slave.shutdown(GRACE)).await;
    within(second.shutdown()).await;
}

#[tokio::test]
async fn a_slave_that_never_found_its_master_stops_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let slave = start(Uplink::Remote(nobody), "slave@0", None).await;
    let began = Instant::now();
    within(slave.shutdown(GRACE)).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

/// Calls without a pause, four at a time.
struct Traffic {
    stop: CancellationToken,
    done: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Option<String>>>,
}

impl Traffic {
    fn start(caller: &Node, to: NodeId) -> Traffic {
        let (stop, done) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let task = |_| {
            let (stop, done, caller) = (stop.clone(), Arc::clone(&done), caller.clone());
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    if let Err(error) = call(&caller, to).await {
                        return Some(error);
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                None
            })
        };
        let tasks = (0..4).map(task).collect();
        Traffic { stop, done, tasks }
    }

    /// Waits for another fifty calls.
    async fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        eventually(|| (self.done.load(Ordering::Relaxed) > before + 50).then_some(())).await;
    }

    /// What failed.
    async fn stop(self) -> Vec<String> {
        self.stop.cancel();
        let mut failed = Vec::new();
        for task in self.tasks {
            failed.extend(within(task).await.unwrap());
        }
        failed
    }
}

async fn master() -> Master {
    master_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
}

async fn master_at(address: SocketAddr) -> Master {
    let listener = within(async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await;
    let config = MasterConfig {
        tls: None,
        name: "master@0".parse().unwrap(),
        group: "GroupA".parse().unwrap(),
        secret: Secret::new(SECRET),
        lease: Duration::from_millis(1500),
        outbox_bytes: 8 << 20,
        build: "test".into(),
        epoch_file: None,
        exports: Default::default(),
    };
    Master::start(config, listener).unwrap()
}

/// A slave that takes traffic.
async fn slave(master: &Master, name: &str, advertise: Option<&str>) -> Slave {
    let slave = start(Uplink::Remote(master.address()), name, advertise).await;
    within(slave.ready()).await;
    slave
}

async fn start(uplink: Uplink, name: &str, advertise: Option<&str>) -> Slave {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = SlaveConfig {
        name: name.parse().unwrap(),
        group: "GroupA".parse().unwrap(),
        secret: Secret::new(SECRET),
        advertise: advertise.map(str::to_owned),
        outbox_bytes: 8 << 20,
        build: "test".into(),
        encryption: None,
    };
    Slave::start(config, listener, uplink).unwrap()
}

async fn node(master: &Master, name: &str) -> Node {
    join(master, name, Services::new()).await
}

async fn echo(master: &Master) -> Node {
    let services = Services::new().serve("echo", async |request| Ok(request.body));
    join(master, "echo@0", services).await
}

async fn join(master: &Master, name: &str, services: Services) -> Node {
    let config = NodeConfig {
        name: name.parse().unwrap(),
        uplink: Uplink::Remote(master.address()),
        secret: Secret::new(SECRET),
        ..NodeConfig::default()
    };
    let node = Node::join(config, services);
    within(node.ready()).await;
    node
}

async fn resolved(node: &Node, name: &str) -> NodeId {
    let name = name.parse().unwrap();
    eventually(|| node.resolve(&name)).await
}

/// Calls until both ends have their link to the slave.
async fn linked(caller: &Node, slave: &Slave, to: NodeId) {
    within(async {
        loop {
            let before = slave.forwarded();
            call(caller, to).await.unwrap();
            if slave.forwarded() >= before + 2 {
                return;
            }
        }
    })
    .await;
}

async fn call(caller: &Node, to: NodeId) -> Result<Bytes, String> {
    let answer = caller.call(to, "echo", Bytes::from_static(b"hello")).await;
    answer.map_err(|error| error.to_string())
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work)
        .await
        .expect("nothing happened in time")
}

/// Waits until `look` sees something.
async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
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
