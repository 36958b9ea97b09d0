//! What the owner asks of gates and scenes, until it is so.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use ffrpc::Node;
use metrics::counter;
use prost::Message;
use protocol::{CallError, ErrorKind, NodeId, method, v1};
use session::owner::Step;
use tokio::{task::JoinSet, time::sleep};
use tracing::{debug, warn};

use super::{Desk, Errand};
use crate::{fence::Fences, peers::Peers};

/// The pause before something is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long an answer may take: as long as the last handlers of a session, and
/// what the callback takes that they end with.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who runs errands.
#[derive(Clone)]
struct Runner {
    desk: Arc<Desk>,
    node: Node,
    peers: Arc<Peers>,
    fences: Fences,
}

/// Runs the owner's errands, for as long as it is awaited.
pub(crate) async fn run_errands(desk: Arc<Desk>, node: Node, peers: Arc<Peers>, fences: Fences) {
    let runner = Runner {
        desk,
        node,
        peers,
        fences,
    };
    let mut running = JoinSet::new();
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
                    debug!(%gate, %login, "gate of an older login is gone");
                    return;
                }
            }
            Step::Fence { gate } => self.fence(gate).await,
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
                Err(error) => failed("replace", gate, &error),
            }
            sleep(PAUSE).await;
        }
        false
    }

    /// Waits until no scene holds a session of a gate that is gone.
    async fn fence(&self, gate: NodeId) {
        let mut asked = JoinSet::new();
        for scene in self.peers.scenes() {
            let runner = self.clone();
            asked.spawn(async move { runner.fence_at(scene, gate).await });
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
                Err(error) => failed("fence", scene, &error),
            }
            sleep(PAUSE).await;
        }
    }
}

/// It is asked for again, and heard of if it does not get better.
fn failed(errand: &'static str, node: NodeId, error: &CallError) {
    counter!("redrabbit_owner_retries_total", "errand" => errand).increment(1);
    match error.kind {
        ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => {
            debug!(errand, %node, %error, "owner asks again");
        }
        _ => warn!(errand, %node, %error, "owner asks again"),
    }
}
