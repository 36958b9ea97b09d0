use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, Services};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use protocol::{CallError, NodeId};
use tests::{Brokers, Histogram, Load, Signal, Traffic, eventually, within};
use tokio::task::JoinSet;

use super::PAUSE;

/// Long enough that the node that does not read stays in the group.
const LEASE: &str = "lease = \"60s\"\n";

/// For how long it does not read: longer than a call waits for its answer.
const DEAF: Duration = Duration::from_secs(6);

/// What each message to it has: so much that whatever has to fill up does so
/// within a few hundred rounds, also where the machine is slow.
const BODY: usize = 32 << 10;

/// Nodes that send to one that does not read, more than may be on its way.
struct Flood {
    nodes: Vec<Node>,
    destination: NodeId,
    /// How many notifies of each have been taken.
    taken: Vec<u64>,
    refused: BTreeMap<&'static str, u64>,
    calls: JoinSet<Result<Bytes, CallError>>,
    ended: BTreeMap<&'static str, u64>,
}

impl Flood {
    async fn start(brokers: &Brokers, nodes: usize, pair_bytes: usize) -> Flood {
        let mut flood = Flood {
            nodes: Vec::new(),
            destination: NodeId::BROKER,
            taken: vec![0; nodes],
            refused: BTreeMap::new(),
            calls: JoinSet::new(),
            ended: BTreeMap::new(),
        };
        let name = "deaf@0".parse().unwrap();
        for index in 0..nodes {
            let config = NodeConfig {
                pair_bytes,
                ..brokers.config(&format!("flood@{index}"))
            };
            let node = Node::join(config, Services::new());
            within("a node is in its group", node.ready()).await;
            let known = eventually("it knows whom to call", async || node.resolve(&name));
            flood.destination = known.await;
            flood.nodes.push(node);
        }
        flood
    }

    /// One notify and one call of each node.
    fn send(&mut self) {
        for (node, taken) in self.nodes.iter().zip(&mut self.taken) {
            let own = node.id().unwrap();
            // As the traffic numbers its messages, so that the destination sees
            // what comes again or out of turn.
            let mut body = Vec::with_capacity(BODY);
            for number in [own.as_u64(), self.destination.as_u64(), *taken + 1] {
                body.extend(number.to_le_bytes());
            }
            body.resize(BODY, b'x');
            match node.notify(self.destination, "traffic.notify", body.into()) {
                Ok(()) => *taken += 1,
                Err(error) => *self.refused.entry(error.kind.as_str()).or_default() += 1,
            }
            let (node, destination) = (node.clone(), self.destination);
            let body = Bytes::from(vec![0; BODY]);
            let call = async move { node.call(destination, "traffic.call", body).await };
            self.calls.spawn(call);
        }
        while let Some(call) = self.calls.try_join_next() {
            self.ended(&call.unwrap());
        }
    }

    fn ended(&mut self, outcome: &Result<Bytes, CallError>) {
        let how = match outcome {
            Ok(_) => "ok",
            Err(error) => error.kind.as_str(),
        };
        *self.ended.entry(how).or_default() += 1;
    }

    /// Waits until every node's calls are answered again.
    async fn is_heard(&mut self) {
        while let Some(call) = within("calls end", self.calls.join_next()).await {
            self.ended(&call.unwrap());
        }
        for node in &self.nodes {
            let body = Bytes::from(vec![0; BODY]);
            eventually("it answers again", async || {
                let call = node.call(self.destination, "traffic.call", body.clone());
                call.await.ok()
            })
            .await;
        }
    }
}

/// Two nodes, of which one calls the other, one call after another.
struct Neighbours {
    caller: Node,
    other: NodeId,
}

impl Neighbours {
    async fn start(brokers: &Brokers) -> (Neighbours, Node) {
        let echo = Services::new().serve("echo", async |request| Ok(request.body));
        let answers = Node::join(brokers.config("neighbour@1"), echo);
        let caller = Node::join(brokers.config("neighbour@0"), Services::new());
        for node in [&answers, &caller] {
            within("a node is in its group", node.ready()).await;
        }
        let name = answers.name().clone();
        let known = eventually("they know each other", async || caller.resolve(&name));
        let other = known.await;
        (Neighbours { caller, other }, answers)
    }

    /// The latencies of its calls for so long, while `beside` is done now and
    /// then.
    async fn measure(&self, time: Duration, mut beside: impl FnMut()) -> Histogram {
        let mut latencies = Histogram::default();
        let begun = Instant::now();
        while begun.elapsed() < time {
            beside();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let called = Instant::now();
            let body = Bytes::from_static(b"a neighbour");
            self.caller.call(self.other, "echo", body).await.unwrap();
            latencies.record(called.elapsed());
        }
        latencies
    }
}

/// How many notifies the nodes of this process have not taken.
fn counted(recorder: &PrometheusHandle) -> u64 {
    let page = recorder.render();
    let mut lines = page.lines();
    let sample = lines
        .find_map(|line| line.strip_prefix("redrabbit_node_refused_total{reason=\"overloaded\"} "));
    sample.map_or(0, |count| count.parse().unwrap())
}

/// A node stops reading under a flood of as many nodes, and reads again.
async fn stops_reading(brokers: &Brokers, floods: usize, pair_bytes: usize) {
    let recorder = PrometheusBuilder::new().install_recorder().unwrap();
    let nobody = Load {
        nodes: 0,
        ..Load::default()
    };
    let mut deaf = Traffic::start(brokers, nobody).await;
    deaf.add_apart(brokers, "deaf@0", &[]).await;
    let mut flood = Flood::start(brokers, floods, pair_bytes).await;
    let (neighbours, _answers) = Neighbours::start(brokers).await;
    let traffic = Traffic::start(brokers, Load::default()).await;
    let time = Duration::from_secs(2);
    let before = neighbours.measure(time, || ()).await;
    traffic.take_stalls();

    deaf.apart()[0].signal(Signal::STOP);
    let after = neighbours.measure(DEAF, || flood.send()).await;
    let pause = traffic.take_longest();
    deaf.apart()[0].signal(Signal::CONT);
    flood.is_heard().await;

    println!("calls to it ended {:?}", flood.ended);
    println!(
        "notifies: {:?} taken, refused {:?}",
        flood.taken, flood.refused
    );
    let milliseconds = |latencies: &Histogram, quantile| latencies.microseconds(quantile) / 1000.0;
    for (when, latencies) in [("before", &before), ("meanwhile", &after)] {
        println!(
            "its neighbours {when}: p50 {:.2} ms, p99 {:.2} ms of {} calls",
            milliseconds(latencies, 0.5),
            milliseconds(latencies, 0.99),
            latencies.total(),
        );
    }
    println!("the longest call of the others took {pause:?}");
    for kind in ["overloaded", "deadline_exceeded"] {
        assert!(flood.ended.contains_key(kind), "{kind}: {:?}", flood.ended);
    }
    let kinds: Vec<_> = flood.ended.keys().copied().collect();
    let expected = ["deadline_exceeded", "ok", "overloaded"];
    assert!(
        kinds.iter().all(|kind| expected.contains(kind)),
        "{kinds:?}"
    );
    let refused = flood.refused.get("overloaded").copied().unwrap_or_default();
    assert!(
        refused > 0 && flood.refused.len() == 1,
        "{:?}",
        flood.refused
    );
    assert_eq!(counted(&recorder), refused);

    let bound = milliseconds(&before, 0.5) * 5.0 + 5.0;
    assert!(milliseconds(&after, 0.5) < bound, "{bound} ms");
    assert!(pause < PAUSE, "{pause:?}");
    traffic.stop().await.is_whole();
    // What was taken has arrived by now, since calls that came after it have
    // been answered.
    let ids = deaf.apart()[0].ids();
    assert_eq!(ids.len(), 1, "it has lost the group");
    deaf.stop().await.is_exact();
}

#[tokio::test]
async fn calls_to_a_node_that_does_not_read_are_overloaded_and_other_pairs_keep_their_latency() {
    let brokers = Brokers::with(1, &format!("[limits]\n{LEASE}")).await;
    stops_reading(&brokers, 2, 256 << 10).await;
}

#[tokio::test]
async fn a_broker_without_room_for_one_node_refuses_and_other_pairs_keep_their_latency() {
    let room = "link_outbox_bytes = \"1MiB\"\npair_bytes = \"1MiB\"\n";
    let brokers = Brokers::with(1, &format!("[limits]\n{LEASE}{room}")).await;
    let refusals = "redrabbit_broker_refused_total{reason=\"no_room\"}";
    let before = brokers.metric("slave@0", refusals).await;
    stops_reading(&brokers, 3, 8 << 20).await;
    let refused = brokers.metric("slave@0", refusals).await - before;
    println!("the broker has refused {refused} times");
    assert!(refused > 0);
}
