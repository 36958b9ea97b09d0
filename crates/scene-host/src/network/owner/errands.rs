//! What the owner asks of gates and scenes, until it is so.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::Node;
use metrics::counter;
use prost::Message;
use protocol::{CallError, ErrorKind, NodeId, method, v1};
use session::owner::Step;
use tokio::{task::JoinSet, time::sleep};
use tracing::{debug, warn};

use super::{Desk, Errand, awaited};
use crate::{network::fence::Fences, network::peers::Peers};

/// The pause before something is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long an answer may take: as long as the last handlers of a session, and
/// what the callback takes that they end with.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is said that an errand fails.
const SAY: Duration = Duration::from_secs(5);

/// Who runs errands.
#[derive(Clone)]
struct Runner {
    desk: Arc<Desk>,
    node: Node,
    peers: Arc<Peers>,
    fences: Fences,
    /// When it was said last that an errand fails.
    said: Arc<Mutex<Option<Instant>>>,
}

/// Runs the owner's errands, for as long as it is awaited.
pub(crate) async fn run_errands(desk: Arc<Desk>, node: Node, peers: Arc<Peers>, fences: Fences) {
    let runner = Runner {
        desk,
        node,
        peers,
        fences,
        said: Arc::default(),
    };
    let mut running = JoinSet::new();
    running.spawn(awaited::watch(runner.desk.clone(), runner.peers.clone()));
    loop {
        tokio::select! {
            () = runner.desk.errands.notified() => {
                let errands = mem::take(&mut runner.desk.lock().errands);
                for errand in errands {
                    let runner = runner.clone();
                    running.spawn(async move { runner.run(errand).await });
                }
            }
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    warn!(%error, "an errand of the owner has failed");
                }
            }
        }
    }
}

impl Runner {
    async fn run(&self, errand: Errand) {
        match errand.step {
            Step::Replace { gate, login } => {
                let request = v1::Replace { login: login.0 };
                if !self.replace(gate, request.encode_to_vec().into()).await {
                    // What becomes of its sessions is said when that is seen.
                    debug!(peer_id = %gate, %login, "gate of an older login is gone");
                    return;
                }
            }
            Step::Fence { gate } => self.fence(gate, errand.membership).await,
            Step::Grant(_) | Step::Supersede(_) => return,
        }
        self.desk.done(errand);
    }

    /// Has a gate end a login; false if it is gone.
    async fn replace(&self, gate: NodeId, request: Bytes) -> bool {
        while self.peers.has(gate) {
            let asked =
                self.node
                    .call_within(gate, method::GATE_REPLACE, request.clone(), PATIENCE);
            match asked.await {
                Ok(_) => return true,
                Err(error) => self.failed("replace", gate, &error),
            }
            sleep(PAUSE).await;
        }
        false
    }

    /// Waits until no scene holds a session of a gate that is gone.
    async fn fence(&self, gate: NodeId, membership: u64) {
        let mut asked = JoinSet::new();
        for scene in self.peers.scenes() {
            let runner = self.clone();
            self.desk.fencing(membership, gate, scene, true);
            asked.spawn(async move {
                runner.fence_at(scene, gate).await;
                runner.desk.fencing(membership, gate, scene, false);
            });
        }
        while asked.join_next().await.is_some() {}
    }

    async fn fence_at(&self, scene: NodeId, gate: NodeId) {
        while self.peers.has(scene) {
            // The present one: a new master begins at a low one.
            let revision = self.node.revision();
            let answer = if self.node.id() == Some(scene) {
                self.fences.clear(gate, revision).await
            } else {
                let request = v1::Fence {
                    gate: gate.as_u64(),
                    revision,
                };
                let request = request.encode_to_vec().into();
                let answer = self
                    .node
                    .call_within(scene, method::SESSION_FENCE, request, PATIENCE);
                answer.await.map(drop)
            };
            match answer {
                Ok(()) => return,
                Err(error) => self.failed("fence", scene, &error),
            }
            sleep(PAUSE).await;
        }
    }

    /// It is asked for again, and heard of if it does not get better.
    fn failed(&self, errand: &'static str, node: NodeId, error: &CallError) {
        counter!("redrabbit_owner_retries_total", "errand" => errand).increment(1);
        let is_usual = matches!(
            error.kind,
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded
        );
        if is_usual || !self.may_say() {
            debug!(errand, peer_id = %node, %error, "owner asks again");
        } else {
            warn!(errand, peer_id = %node, %error, "owner asks again");
        }
    }

    /// Every login may have an errand, and each asks several times a second: one
    /// speaks for all.
    fn may_say(&self) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = said.is_none_or(|at| now.duration_since(at) >= SAY);
        if is_due {
            *said = Some(now);
        }
        is_due
    }
}
