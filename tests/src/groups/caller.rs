//! Nodes that call another group all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::{Node, Services};
use protocol::{ErrorKind, GroupName};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    callee::ECHO_METHOD,
    tally::{Ends, Tally},
};
use crate::{Cluster, eventually, within};

/// How much is called.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Nodes that call.
    pub nodes: u32,
    /// Calls that each has under way.
    pub in_flight: u32,
    /// How long is waited after each.
    pub pause: Duration,
    /// Whether a call that ends with `Unavailable` is made again at once, under a
    /// number of its own, until it is answered.
    pub retries: bool,
    pub method: &'static str,
}

impl Default for Load {
    fn default() -> Self {
        Load {
            nodes: 8,
            in_flight: 2,
            pause: Duration::from_millis(4),
            retries: false,
            method: ECHO_METHOD,
        }
    }
}

/// Nodes of one group, in this process, that call another one.
pub struct Callers {
    nodes: Vec<Node>,
    tally: Arc<Tally>,
    over: watch::Sender<bool>,
    workers: JoinSet<()>,
    load: Load,
}

/// What one caller needs for its calls.
struct Worker {
    node: Node,
    to: GroupName,
    load: Load,
    /// Of the node's messages, the last.
    number: Arc<AtomicU64>,
    tally: Arc<Tally>,
    over: watch::Receiver<bool>,
}

/// Between two attempts, and between two calls that fail at once.
const AGAIN: Duration = Duration::from_millis(1);

impl Callers {
    /// Nodes `caller@0`, `caller@1`, … join `cluster` and call `to`, from when all of
    /// them have been answered once.
    pub async fn start(cluster: &Cluster, to: &str, load: Load) -> Callers {
        Callers::start_as("caller", cluster, to, load).await
    }

    /// As [`start`](Self::start), under another name.
    pub async fn start_as(called: &str, cluster: &Cluster, to: &str, load: Load) -> Callers {
        let mut nodes = Vec::new();
        for index in 0..load.nodes {
            let name = format!("{called}@{index}");
            nodes.push(cluster.node(&name, Services::new()).await);
        }
        let to: GroupName = to.parse().unwrap();
        for node in &nodes {
            answered(node, &to).await;
        }
        let (tally, over) = (Arc::new(Tally::default()), watch::Sender::new(false));
        let mut workers = JoinSet::new();
        for node in &nodes {
            let number: Arc<AtomicU64> = Arc::default();
            for _ in 0..load.in_flight {
                let worker = Worker {
                    node: node.clone(),
                    to: to.clone(),
                    load,
                    number: Arc::clone(&number),
                    tally: Arc::clone(&tally),
                    over: over.subscribe(),
                };
                workers.spawn(worker.run());
            }
        }
        let callers = Callers {
            nodes,
            tally,
            over,
            workers,
            load,
        };
        callers.flow().await;
        callers
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Waits until as many calls have been answered as are under way, and one for each
    /// node more: some have begun after now.
    pub async fn flow(&self) {
        let more = (self.load.nodes * (self.load.in_flight + 1)) as usize;
        let before = self.tally.answered();
        eventually("calls are answered", async || {
            let now = self.tally.answered();
            (now >= before + more).then_some(())
        })
        .await;
    }

    /// How calls have ended since the last time.
    pub fn take(&self) -> Ends {
        self.tally.take()
    }

    /// How calls have ended since [`take`](Self::take), without taking that.
    pub fn ends(&self) -> Ends {
        self.tally.ends()
    }

    /// Makes no more calls, waits for those under way, and says how they have ended
    /// since the last time.
    pub async fn stop(mut self) -> Ends {
        self.over.send_replace(true);
        let all = async {
            while let Some(ended) = self.workers.join_next().await {
                ended.unwrap();
            }
        };
        within("all calls end", all).await;
        for node in &self.nodes {
            assert_eq!(node.pending_calls(), 0);
            within("a caller leaves", node.leave()).await;
        }
        self.tally.take()
    }
}

impl Worker {
    async fn run(self) {
        while !*self.over.borrow() {
            let begun = Instant::now();
            let mut failed = self.call().await;
            while failed == Some(ErrorKind::Unavailable) && self.load.retries {
                sleep(AGAIN).await;
                failed = self.call().await;
            }
            match failed {
                None => self
                    .tally
                    .stalled(self.node.name().as_str(), begun.elapsed()),
                Some(_) => sleep(AGAIN).await,
            }
            sleep(self.load.pause).await;
        }
    }

    /// One attempt, and why it failed if it did.
    async fn call(&self) -> Option<ErrorKind> {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let body: Bytes = format!("{} {number}", self.node.name()).into();
        let begun = Instant::now();
        let group = self.node.group(self.to.clone());
        let outcome = group.call(self.load.method, body.clone()).await;
        self.tally.ended(&body, &outcome, begun.elapsed());
        outcome.err().map(|error| error.kind)
    }
}

/// Waits until a node has had an answer of the other group.
async fn answered(node: &Node, to: &GroupName) {
    let mut attempt = 0;
    eventually(&format!("{} is answered", node.name()), async || {
        let group = node.group(to.clone());
        attempt += 1;
        let body = format!("{} asks who is there, {attempt}", node.name());
        group.call(ECHO_METHOD, body.into()).await.ok()
    })
    .await;
}
