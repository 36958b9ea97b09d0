//! The directory in operation: Join streams, reports, deltas, leases.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use protocol::{
    GroupName, NodeId, Secret,
    v1::{
        Delta, Hello, JoinRequest, JoinResponse, ListNodesResponse, NodeRecord, Welcome,
        delta::Change, join_request::Request, join_response::Response,
    },
};
use subtle::ConstantTimeEq;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;
use tracing::{Instrument, info, info_span, warn};

use crate::{
    directory::{Directory, JoinRefusal},
    links::Links,
};

/// What a registry has to be told.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Whose directory it is.
    pub group: GroupName,
    /// The run of this master; higher than that of any run before.
    pub epoch: u32,
    /// How long a node may stay silent.
    pub lease: Duration,
    /// What a node has to know to be let in; empty where the group has none.
    pub secret: Secret,
    /// The master's own record.
    pub master: NodeRecord,
}

/// Keeps the directory and tells every member of each change.
///
/// The directory and the list of those who hear of it stand under one lock, so
/// that everybody hears every change, once, in the order of the revisions. The
/// lock is held for as long as it takes to put a change into each member's
/// queue, and never while anything waits.
pub struct Registry {
    config: RegistryConfig,
    state: Mutex<State>,
    links: Arc<Links>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct State {
    directory: Directory,
    subscribers: HashMap<NodeId, Subscriber>,
}

struct Subscriber {
    queue: mpsc::Sender<Result<JoinResponse, Status>>,
    /// It missed a change for want of room and is owed a whole directory.
    lagging: bool,
}

/// Changes that may wait for one member; past it the member gets the whole
/// directory instead, as soon as there is room.
const QUEUE: usize = 256;

/// How often leases are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long a new stream may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

impl Registry {
    /// The registry of a new master. It needs [`run`](Self::run) to look after
    /// its leases.
    pub fn new(config: RegistryConfig, links: Arc<Links>) -> Arc<Self> {
        let directory = Directory::new(config.epoch, config.lease, config.master.clone());
        Arc::new(Registry {
            config,
            state: Mutex::new(State {
                directory,
                subscribers: HashMap::new(),
            }),
            links,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Looks after the leases until `stop`, then ends every Join stream.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let mut state = self.lock();
            let deltas = state.directory.tick(Instant::now());
            self.publish(&mut state, deltas, "its lease ran out");
            state.catch_up();
        }
        self.stop.cancel();
        self.lock().subscribers.clear();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Serves one Join stream: lets the node in, then answers with its welcome,
    /// the directory and every change of it.
    pub async fn join(
        self: Arc<Self>,
        mut requests: impl Stream<Item = Result<JoinRequest, Status>> + Send + Unpin + 'static,
    ) -> Result<ReceiverStream<Result<JoinResponse, Status>>, Status> {
        let first = timeout(HELLO, requests.next())
            .await
            .map_err(|_| Status::deadline_exceeded("no hello came on the stream"))?;
        let hello = match first {
            Some(Ok(JoinRequest {
                request: Some(Request::Hello(hello)),
            })) => hello,
            Some(Err(status)) => return Err(status),
            _ => {
                return Err(Status::invalid_argument(
                    "the first request has to be a hello",
                ));
            }
        };
        let (node, queue) = self.admit(&hello)?;
        let span = info_span!("member", %node, name = hello.name);
        let registry = Arc::clone(&self);
        self.tasks
            .spawn(async move { registry.attend(node, requests).await }.instrument(span));
        Ok(ReceiverStream::new(queue))
    }

    /// The directory, for whoever knows the secret.
    pub fn list(&self, secret: &str) -> Result<ListNodesResponse, Status> {
        self.check(secret)?;
        let state = self.lock();
        Ok(ListNodesResponse {
            group: self.config.group.to_string(),
            epoch: state.directory.epoch(),
            snapshot: Some(state.directory.snapshot()),
        })
    }

    fn admit(
        &self,
        hello: &Hello,
    ) -> Result<(NodeId, mpsc::Receiver<Result<JoinResponse, Status>>), Status> {
        self.check(&hello.secret)?;
        if self.stop.is_cancelled() {
            return Err(Status::unavailable("the master is shutting down"));
        }
        let mut state = self.lock();
        let (node, deltas) = state
            .directory
            .join(hello, Instant::now())
            .map_err(|refusal| {
                warn!(name = hello.name, reason = %refusal, "node refused");
                match &refusal {
                    JoinRefusal::NameTaken { .. } => Status::already_exists(refusal.to_string()),
                    _ => Status::invalid_argument(refusal.to_string()),
                }
            })?;
        self.publish(&mut state, deltas, "another incarnation took its name");
        self.links.expect(node);
        let (queue_tx, queue_rx) = mpsc::channel(QUEUE);
        let welcome = Response::Welcome(Welcome {
            node_id: node.as_u64(),
            epoch: self.config.epoch,
            token: self.links.token(node).into(),
            lease_ms: u32::try_from(self.config.lease.as_millis()).unwrap_or(u32::MAX),
        });
        let snapshot = Response::Snapshot(state.directory.snapshot());
        for response in [welcome, snapshot] {
            // A queue that was made a moment ago has room for both.
            let _ = queue_tx.try_send(Ok(respond(response)));
        }
        let subscriber = Subscriber {
            queue: queue_tx,
            lagging: false,
        };
        state.subscribers.insert(node, subscriber);
        info!(%node, name = hello.name, build = hello.build, "node joined");
        Ok((node, queue_rx))
    }

    /// Takes what a member says until it leaves, its stream ends, or it is gone.
    async fn attend(
        &self,
        node: NodeId,
        mut requests: impl Stream<Item = Result<JoinRequest, Status>> + Unpin,
    ) {
        while let Some(Some(Ok(message))) = self.stop.run_until_cancelled(requests.next()).await {
            let mut state = self.lock();
            match message.request {
                Some(Request::Report(report)) => {
                    let delta = state.directory.report(node, report, Instant::now());
                    self.publish(&mut state, delta, "");
                }
                Some(Request::Resync(_)) => {
                    if let Some(subscriber) = state.subscribers.get_mut(&node) {
                        subscriber.lagging = true;
                    }
                    state.catch_up();
                }
                Some(Request::Leave(_)) => {
                    let delta = state.directory.leave(node);
                    self.publish(&mut state, delta, "it left");
                }
                // A second hello, or what a later version says: not for us.
                Some(Request::Hello(_)) | None => {}
            }
            if !state.directory.contains(node) {
                return;
            }
        }
        let mut state = self.lock();
        state.subscribers.remove(&node);
        if state.directory.contains(node) && !self.stop.is_cancelled() {
            state.directory.disconnected(node);
            warn!("node lost its stream, its lease runs");
        }
    }

    /// Tells everybody of the changes, and the links of who is gone.
    fn publish(
        &self,
        state: &mut State,
        deltas: impl IntoIterator<Item = Delta>,
        reason: &'static str,
    ) {
        for delta in deltas {
            if let Some(Change::Removed(id)) = delta.change {
                let node = NodeId::from_u64(id);
                info!(%node, reason, "node gone");
                // Its stream ends with the queue: a node that lives after all
                // finds out and joins anew.
                state.subscribers.remove(&node);
                self.links.forget(node);
            }
            let response = respond(Response::Delta(delta));
            for subscriber in state.subscribers.values_mut() {
                subscriber.tell(&response);
            }
        }
    }

    fn check(&self, secret: &str) -> Result<(), Status> {
        let expected = self.config.secret.expose().as_bytes();
        match bool::from(expected.ct_eq(secret.as_bytes())) {
            true => Ok(()),
            false => Err(Status::unauthenticated(
                "the secret is not this group's: compare [security] secret in both topologies",
            )),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives the whole directory to those who missed something and have room
    /// again.
    fn catch_up(&mut self) {
        let mut snapshot = None;
        for subscriber in self.subscribers.values_mut().filter(|one| one.lagging) {
            let response = snapshot
                .get_or_insert_with(|| respond(Response::Snapshot(self.directory.snapshot())));
            subscriber.lagging = subscriber.queue.try_send(Ok(response.clone())).is_err();
        }
    }
}

impl Subscriber {
    fn tell(&mut self, response: &JoinResponse) {
        if !self.lagging {
            self.lagging = self.queue.try_send(Ok(response.clone())).is_err();
        }
    }
}

fn respond(response: Response) -> JoinResponse {
    JoinResponse {
        response: Some(response),
    }
}
