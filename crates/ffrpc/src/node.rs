//! A member of a group, as the code around it uses it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId, NodeName,
    envelope::{EnvelopeKind, MAX_METHOD_BYTES, Text},
    v1::{LeastLoadedRequest, NodeState, Report, Role, Script, registry_client::RegistryClient},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, transport::Channel};

use crate::{
    calls::{CallId, Calls},
    config::{NodeConfig, Uplink},
    dispatch::{answer_envelope, check_size},
    driver,
    pairs::{NotTaken, Pairs, Slot},
    replica::{NodeRecord, Replica},
    services::Services,
};

/// A member of a group. Clones are the same member; it lives until
/// [`leave`](Self::leave).
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

type Outcome = Result<Bytes, CallError>;

/// What the node's task and its users share. Each lock is held for a look-up or
/// an insertion, and never while anything waits.
pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) services: Services,
    pub(crate) pairs: Pairs,
    pub(crate) report: watch::Sender<Report>,
    pub(crate) load: AtomicU64,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    replica: RwLock<Replica>,
    calls: Mutex<Calls<oneshot::Sender<Outcome>>>,
    requests: AtomicUsize,
    /// Who the node is; 0 while it is nobody.
    id: AtomicU64,
    /// Who it is once it can send.
    ready: watch::Sender<Option<NodeId>>,
    registry: Mutex<Option<RegistryClient<Channel>>>,
    /// Proves to the master who asks.
    token: Mutex<Bytes>,
}

/// How long the master may take to answer a question.
const QUESTION: Duration = Duration::from_secs(1);

impl Node {
    /// Starts joining. It goes on trying until [`leave`](Self::leave), and again
    /// whenever the group is lost. Has to be called in a tokio runtime.
    pub fn join(config: NodeConfig, services: Services) -> Node {
        let state = match config.role {
            // A slave says itself when it can carry something.
            Role::Slave => NodeState::Joining,
            _ => NodeState::Ready,
        };
        let shared = Arc::new(Shared {
            pairs: Pairs::new(config.pair_bytes),
            config,
            services,
            report: watch::Sender::new(Report {
                state: state.into(),
                load: 0,
                script: None,
            }),
            load: AtomicU64::new(0),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            replica: RwLock::default(),
            calls: Mutex::default(),
            requests: AtomicUsize::new(0),
            id: AtomicU64::new(0),
            ready: watch::Sender::new(None),
            registry: Mutex::default(),
            token: Mutex::default(),
        });
        shared.tasks.spawn(driver::run(Arc::clone(&shared)));
        Node { shared }
    }

    /// Waits until the node is in its group.
    pub async fn ready(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self
            .shared
            .ready
            .subscribe()
            .wait_for(Option::is_some)
            .await;
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.shared.config.name
    }

    /// Who the node is at the moment; `None` while it is out of the group.
    pub fn id(&self) -> Option<NodeId> {
        *self.shared.ready.borrow()
    }

    /// The node of this name, if it is ready.
    pub fn lookup(&self, name: &NodeName) -> Option<Arc<NodeRecord>> {
        self.shared
            .read_replica(|replica| replica.lookup(name).cloned())
    }

    /// The id of the node of this name, if it is ready.
    pub fn resolve(&self, name: &NodeName) -> Option<NodeId> {
        self.shared
            .read_replica(|replica| replica.lookup(name).map(|node| node.id))
    }

    /// As [`resolve`](Self::resolve), with an error to pass on.
    ///
    /// # Errors
    /// `NotFound`: no node of this name is ready.
    pub fn find(&self, name: &NodeName) -> Result<NodeId, CallError> {
        self.resolve(name).ok_or_else(|| {
            CallError::new(
                ErrorKind::NotFound,
                format!("there is no {name} in the group"),
            )
        })
    }

    /// What the directory says of a node.
    pub fn record(&self, id: NodeId) -> Option<Arc<NodeRecord>> {
        self.shared.read_replica(|replica| replica.get(id).cloned())
    }

    /// The nodes of a role that are ready.
    pub fn with_role(&self, role: Role) -> Vec<NodeId> {
        self.shared
            .read_replica(|replica| replica.with_role(role).map(|node| node.id).collect())
    }

    /// The node of a role that carries least. The master says so and counts one
    /// more there at once; while it is away, what was last heard decides.
    ///
    /// # Errors
    /// `NotFound`: no node of the role is ready.
    pub async fn least_loaded(&self, role: Role) -> Result<NodeId, CallError> {
        let nobody = || {
            let role = role.as_str_name().trim_start_matches("ROLE_");
            let message = format!("no {} is ready", role.to_ascii_lowercase());
            CallError::new(ErrorKind::NotFound, message)
        };
        match self.ask_least_loaded(role).await {
            Some(Ok(id)) => Ok(id),
            Some(Err(status)) if status.code() == Code::NotFound => Err(nobody()),
            _ => self
                .shared
                .read_replica(|replica| {
                    let nodes = replica.with_role(role);
                    nodes
                        .min_by_key(|node| (node.load, node.id))
                        .map(|node| node.id)
                })
                .ok_or_else(nobody),
        }
    }

    /// Calls `method` of `destination` and waits for the answer for as long as
    /// the configuration says. Dropping the future gives the call up.
    ///
    /// # Errors
    /// The handler's own, or `Unimplemented`, `Unavailable`, `DeadlineExceeded`,
    /// `Overloaded`, `TooLarge`.
    pub async fn call(&self, destination: NodeId, method: impl Into<Text>, body: Bytes) -> Outcome {
        self.call_within(destination, method, body, self.shared.config.call_timeout)
            .await
    }

    /// [`call`](Self::call) with a deadline of its own, which is kept within
    /// some 50 ms.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_within(
        &self,
        destination: NodeId,
        method: impl Into<Text>,
        body: Bytes,
        wait: Duration,
    ) -> Outcome {
        check_size(&body)?;
        let method = method.into();
        check_method(&method)?;
        let (own, slot) = self.shared.slot_of_destination(destination)?;
        let (outcome_tx, outcome_rx) = oneshot::channel();
        let deadline = Instant::now() + wait;
        let id = self.shared.calls().begin(destination, deadline, outcome_tx);
        // From here on the call is in the table; whichever way this function
        // ends, it is taken out.
        let mut pending = PendingCall {
            shared: &self.shared,
            slot: &slot,
            id,
            sequence: None,
        };
        let envelope = Envelope {
            call_id: id.0,
            method,
            deadline_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1),
            body,
            ..Envelope::new(destination, own, EnvelopeKind::Request)
        };
        let sequence = self
            .shared
            .pairs
            .send(&slot, envelope)
            .map_err(|reason| not_taken(reason, destination))?;
        pending.sequence = Some(sequence);
        let outcome = outcome_rx.await.unwrap_or_else(|_| Err(lost()));
        pending.sequence = None;
        outcome
    }

    /// [`call`](Self::call) with protobuf messages.
    ///
    /// # Errors
    /// As [`call`](Self::call), and `Handler` for an answer that is no `R`.
    pub async fn call_message<R: Message + Default>(
        &self,
        destination: NodeId,
        method: impl Into<Text>,
        question: &impl Message,
    ) -> Result<R, CallError> {
        let body = question.encode_to_vec().into();
        let answer = self.call(destination, method, body).await?;
        R::decode(answer).map_err(|error| {
            CallError::new(
                ErrorKind::Handler,
                format!("the answer cannot be read: {error}"),
            )
        })
    }

    /// Sends a message that wants no answer, if there is room for it.
    ///
    /// # Errors
    /// `Unavailable`, `Overloaded`, `TooLarge`: it was not sent.
    pub fn notify(
        &self,
        destination: NodeId,
        method: impl Into<Text>,
        body: Bytes,
    ) -> Result<(), CallError> {
        self.send(destination, method.into(), body, EnvelopeKind::Notify)
    }

    /// [`notify`](Self::notify) with a protobuf message.
    ///
    /// # Errors
    /// As [`notify`](Self::notify).
    pub fn notify_message(
        &self,
        destination: NodeId,
        method: impl Into<Text>,
        message: &impl Message,
    ) -> Result<(), CallError> {
        self.notify(destination, method, message.encode_to_vec().into())
    }

    /// Sends a protobuf message that wants no answer and that no lack of room
    /// refuses: the caller bounds what it has under way by a window of its own.
    ///
    /// # Errors
    /// `Unavailable`, `TooLarge`: it was not sent.
    pub fn control_message(
        &self,
        destination: NodeId,
        method: impl Into<Text>,
        message: &impl Message,
    ) -> Result<(), CallError> {
        let body = message.encode_to_vec().into();
        self.send(destination, method.into(), body, EnvelopeKind::Control)
    }

    /// How many calls are under way.
    pub fn pending_calls(&self) -> usize {
        self.shared.calls().len()
    }

    /// How much the node carries, in its role's own unit. The directory hears of
    /// it within a second.
    pub fn set_load(&self, load: u64) {
        self.shared.load.store(load, Ordering::Relaxed);
    }

    /// Where the node stands. The directory hears of it at once.
    pub fn set_state(&self, state: NodeState) {
        self.shared
            .report
            .send_modify(|report| report.state = state.into());
    }

    /// Which script the node runs. The directory hears of it at once.
    pub fn set_script(&self, script: Script) {
        self.shared
            .report
            .send_modify(|report| report.script = Some(script));
    }

    /// Leaves the group: what is queued goes out, pending calls end, and the
    /// name is free at once.
    pub async fn leave(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    fn send(
        &self,
        destination: NodeId,
        method: Text,
        body: Bytes,
        kind: EnvelopeKind,
    ) -> Result<(), CallError> {
        check_size(&body)?;
        check_method(&method)?;
        let (own, slot) = self.shared.slot_of_destination(destination)?;
        let envelope = Envelope {
            method,
            body,
            ..Envelope::new(destination, own, kind)
        };
        match self.shared.pairs.send(&slot, envelope) {
            Ok(_) => Ok(()),
            Err(reason) => {
                metrics::counter!("redrabbit_node_refused_total", "reason" => reason.as_str())
                    .increment(1);
                Err(not_taken(reason, destination))
            }
        }
    }

    /// The master's answer, if it can be asked.
    async fn ask_least_loaded(&self, role: Role) -> Option<Result<NodeId, tonic::Status>> {
        let request = LeastLoadedRequest {
            role: role.into(),
            token: self.shared.token()?,
        };
        if let Uplink::Local(broker) = &self.shared.config.uplink {
            return Some(broker.least_loaded(&request));
        }
        let mut registry = self.shared.registry().clone()?;
        let answer = timeout(QUESTION, registry.least_loaded(request))
            .await
            .ok()?;
        Some(answer.map(|answer| NodeId::from_u64(answer.into_inner().node_id)))
    }
}

impl Shared {
    /// The node has this id now, and can be sent to.
    pub(crate) fn set_id(&self, id: NodeId, token: Bytes) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        self.id.store(id.as_u64(), Ordering::SeqCst);
    }

    fn token(&self) -> Option<Bytes> {
        self.own()?;
        Some(
            self.token
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }

    /// The node can send.
    pub(crate) fn set_ready(&self, id: NodeId) {
        self.ready.send_replace(Some(id));
    }

    /// The node takes no new calls of its own program.
    pub(crate) fn set_leaving(&self) {
        self.ready.send_replace(None);
    }

    /// The group is lost: the replica, the pairs and every call end.
    pub(crate) fn set_lost(&self) {
        self.ready.send_replace(None);
        {
            // Pairs are opened under this lock: after it there is nobody to open
            // one with.
            let mut replica = self.replica.write().unwrap_or_else(PoisonError::into_inner);
            *replica = Replica::default();
            self.id.store(0, Ordering::SeqCst);
        }
        self.pairs.end_all();
        let waiters = self.calls().lost();
        for waiter in waiters {
            let _ = waiter.send(Err(lost()));
        }
    }

    /// A node is gone: its pair ends, and every call to it.
    pub(crate) fn end_node(&self, node: NodeId) {
        self.pairs.end(node);
        let waiters = self.calls().gone(node);
        for waiter in waiters {
            let _ = waiter.send(Err(gone(node)));
        }
    }

    /// Ends the calls whose deadline has passed. Says whether any is left.
    pub(crate) fn expire_calls(&self, now: Instant) -> bool {
        let (expired, left) = {
            let mut calls = self.calls();
            (calls.expired(now), !calls.is_empty())
        };
        for waiter in expired {
            let _ = waiter.send(Err(CallError::new(
                ErrorKind::DeadlineExceeded,
                "no answer came in time",
            )));
        }
        left
    }

    /// An answer has come; nobody may be waiting for it any more.
    pub(crate) fn answered(&self, id: CallId, source: NodeId, outcome: Outcome) {
        let waiter = self.calls().answered(id, source);
        if let Some(waiter) = waiter {
            let _ = waiter.send(outcome);
        }
    }

    /// Answers a request. A pair that has ended has nobody to answer to.
    pub(crate) fn respond(&self, slot: &Slot, caller: NodeId, call_id: u64, outcome: Outcome) {
        let own = NodeId::from_u64(self.id.load(Ordering::SeqCst));
        let _ = self
            .pairs
            .send(slot, answer_envelope(caller, own, call_id, outcome));
    }

    /// The pair with a node that has sent something; `None` if it is gone. Only
    /// the node's own task may ask, which is also the one that ends pairs.
    pub(crate) fn slot_of_source(&self, source: NodeId) -> Option<Arc<Slot>> {
        if let Some(slot) = self.pairs.get(source) {
            return Some(slot);
        }
        let own = self.own()?;
        let gone = self.read_replica(|replica| replica.is_gone(source));
        (!gone).then(|| self.pairs.open(own, source))
    }

    /// This node, and its pair with a node that it wants to send to.
    fn slot_of_destination(&self, destination: NodeId) -> Result<(NodeId, Arc<Slot>), CallError> {
        let own = self.own().ok_or_else(lost)?;
        if let Some(slot) = self.pairs.get(destination) {
            return Ok((own, slot));
        }
        self.read_replica(|replica| {
            replica.get(destination).ok_or_else(|| gone(destination))?;
            // Under the lock, so that a node that goes now takes its pair along.
            let own = self.own().ok_or_else(lost)?;
            Ok((own, self.pairs.open(own, destination)))
        })
    }

    pub(crate) fn change_replica<T>(&self, change: impl FnOnce(&mut Replica) -> T) -> T {
        change(&mut self.replica.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn revision(&self) -> u64 {
        self.read_replica(Replica::revision)
    }

    pub(crate) fn is_ready(&self, node: NodeId) -> bool {
        self.read_replica(|replica| replica.get(node).is_some_and(|node| node.is_ready()))
    }

    pub(crate) fn ready_slaves(&self) -> Vec<NodeId> {
        self.read_replica(|replica| replica.with_role(Role::Slave).map(|node| node.id).collect())
    }

    pub(crate) fn set_registry(&self, registry: Option<RegistryClient<Channel>>) {
        *self.registry() = registry;
    }

    fn registry(&self) -> MutexGuard<'_, Option<RegistryClient<Channel>>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self) -> Option<NodeId> {
        match self.id.load(Ordering::SeqCst) {
            0 => None,
            id => Some(NodeId::from_u64(id)),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls<oneshot::Sender<Outcome>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_replica<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.replica.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call in the table. However its future ends, the entry goes with it; one
/// that was given up is taken back from the pair, too.
struct PendingCall<'a> {
    shared: &'a Shared,
    slot: &'a Slot,
    id: CallId,
    sequence: Option<u64>,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        drop(self.shared.calls().end(self.id));
        if let Some(sequence) = self.sequence {
            self.shared.pairs.cancel(self.slot, sequence);
        }
    }
}

/// One of the requests that a node may have in its handlers at once.
pub(crate) struct RequestPlace(Arc<Shared>);

impl RequestPlace {
    pub(crate) fn take(shared: &Arc<Shared>) -> Option<Self> {
        let place = RequestPlace(Arc::clone(shared));
        let before = shared.requests.fetch_add(1, Ordering::Relaxed);
        (before < shared.config.max_requests).then_some(place)
    }
}

impl Drop for RequestPlace {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl NotTaken {
    fn as_str(self) -> &'static str {
        match self {
            NotTaken::Ended => "gone",
            NotTaken::Full => "overloaded",
            NotTaken::CutOff => "no_broker",
        }
    }
}

fn check_method(method: &Text) -> Result<(), CallError> {
    match method.as_str().len() {
        ..=MAX_METHOD_BYTES => Ok(()),
        length => Err(CallError::new(
            ErrorKind::TooLarge,
            format!("a method's name of {length} bytes, at most {MAX_METHOD_BYTES} are allowed"),
        )),
    }
}

fn not_taken(reason: NotTaken, destination: NodeId) -> CallError {
    match reason {
        NotTaken::Ended => gone(destination),
        NotTaken::Full => CallError::new(
            ErrorKind::Overloaded,
            format!("as much as may be is on its way to node {destination}"),
        ),
        NotTaken::CutOff => CallError::new(
            ErrorKind::Unavailable,
            "no broker of the group can be reached",
        ),
    }
}

fn gone(node: NodeId) -> CallError {
    CallError::new(ErrorKind::Unavailable, format!("node {node} is gone"))
}

fn lost() -> CallError {
    CallError::new(ErrorKind::Unavailable, "this node is not in its group")
}
