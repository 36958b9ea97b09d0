//! A node that calls and notifies others all the time, and counts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, NodeEvent, Services};
use protocol::{NodeId, NodeName};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinSet};

use super::{
    ledger::{Ledger, Pair},
    report::Part,
    sender::{HEAD, Sender, read},
    stalls::{Stalls, Tally},
};

/// How much is said between two nodes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Load {
    /// How many nodes there are in the test's process.
    pub nodes: u32,
    /// Calls that each node has under way to each other.
    pub in_flight: usize,
    /// How long it pauses between two calls; a notify goes before each.
    pub pause: Duration,
    /// Bytes of each message.
    pub body: usize,
}

/// Where the traffic stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Paused,
    Running,
    Over,
}

/// A node with its traffic.
pub struct Member {
    node: Node,
    phase: watch::Receiver<Phase>,
    ledger: Arc<Mutex<Ledger>>,
    probes: Arc<Mutex<u64>>,
    tally: Arc<Tally>,
    senders: JoinSet<()>,
}

pub(super) const CALL: &str = "traffic.call";
pub(super) const NOTIFY: &str = "traffic.notify";
const PROBE: &str = "traffic.probe";

impl Default for Load {
    fn default() -> Self {
        Load {
            nodes: 4,
            in_flight: 4,
            pause: Duration::from_millis(4),
            body: 128,
        }
    }
}

impl Member {
    /// Joins the group. `hear` is told what happens to the node there.
    pub fn join(
        config: NodeConfig,
        phase: watch::Receiver<Phase>,
        hear: impl Fn(&NodeEvent) + Send + Sync + 'static,
    ) -> Member {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let probes = Arc::new(Mutex::new(0));
        let lock = |ledger: &Arc<Mutex<Ledger>>| {
            let ledger = Arc::clone(ledger);
            move |work: &dyn Fn(&mut Ledger)| {
                work(&mut ledger.lock().unwrap_or_else(PoisonError::into_inner));
            }
        };
        let (called, notified, told) = (lock(&ledger), lock(&ledger), lock(&ledger));
        let probed = Arc::clone(&probes);
        let services = Services::new()
            .serve(CALL, move |request| {
                let number = read(request.source, &request.body);
                if let Some((pair, number)) = number {
                    called(&|ledger| ledger.arrived(pair, number));
                }
                let body = request.body;
                async move { Ok(body.slice(..HEAD)) }
            })
            .message(NOTIFY, move |message| {
                if let Some((pair, number)) = read(message.source, &message.body) {
                    notified(&|ledger| ledger.arrived(pair, number));
                }
            })
            .message(PROBE, move |_| {
                *probed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            })
            .events(move |event| {
                if let NodeEvent::Removed(id) = &event {
                    told(&|ledger| ledger.gone(id.as_u64()));
                }
                hear(&event);
            });
        Member {
            node: Node::join(config, services),
            phase,
            ledger,
            probes,
            tally: Arc::default(),
            senders: JoinSet::new(),
        }
    }

    /// Talks to the node of this name, whenever the phase lets it.
    pub fn talk_to(&mut self, peer: NodeName, load: Load) {
        let (node, phase) = (self.node.clone(), self.phase.clone());
        let sender = Sender::new(node, peer, load, Arc::clone(&self.tally), phase);
        self.senders.spawn(sender.run());
    }

    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The longest call to each peer since the last time.
    pub fn take_stalls(&self) -> Stalls {
        self.tally.take_stalls()
    }

    /// How many calls of each pair have been answered.
    pub(crate) fn answered(&self) -> BTreeMap<Pair, u64> {
        self.tally.counts().answered
    }

    /// How many probes have come.
    pub(crate) fn probes(&self) -> u64 {
        *self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn probe(&self, destination: NodeId) {
        self.node
            .notify(destination, PROBE, Bytes::from_static(b"?"))
            .unwrap();
    }

    /// Waits until the senders are done, which they are some time after the
    /// phase is over.
    pub async fn done(&mut self) {
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
    }

    /// What a process of its own tells of its node.
    pub fn report(&self) -> super::Said {
        super::Said::Part(Box::new(self.part()))
    }

    /// What has come so far, and what has gone.
    pub(crate) fn part(&self) -> Part {
        let counts = self.tally.counts();
        Part {
            id: self.node.id().map_or(0, NodeId::as_u64),
            sent: counts.sent.into_iter().collect(),
            ledger: self
                .ledger
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            calls: counts.calls,
            refused: counts.refused,
            latency: counts.latency,
            longest: counts.longest,
        }
    }
}
