//! What a node's task and its users share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use protocol::{
    CallError, ErrorKind, NodeId, Secret, VitalsSource,
    v1::{NodeState, Report, Role, registry_client::RegistryClient},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::Channel;

use crate::{
    calls::{CallId, Calls},
    config::NodeConfig,
    crossing::Bridges,
    dispatch::answer_envelope,
    metrics::CallTimes,
    pairs::{Pairs, Slot},
    replica::Replica,
    services::{NodeEvent, Services},
    waiter::Waiter,
};

/// How long the directory may take to tell of a node that has sent something.
const STRANGER: Duration = Duration::from_secs(10);

/// How a call ends.
pub(crate) type Outcome = Result<Bytes, CallError>;

/// What the node's task and its users share. Each lock is held for a look-up or
/// an insertion, and never while anything waits.
pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    call_timeout: AtomicU64,
    secret: Mutex<Secret>,
    pub(crate) services: Services,
    pub(crate) pairs: Pairs,
    pub(crate) report: watch::Sender<Report>,
    pub(crate) load: AtomicU64,
    /// What the program says of itself.
    vitals: Mutex<VitalsSource>,
    /// Messages that came for nobody, were none, or were not taken.
    pub(crate) dropped: AtomicU64,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    replica: RwLock<Replica>,
    calls: Mutex<Calls<Waiter>>,
    pub(crate) call_times: CallTimes,
    pub(crate) bridges: Bridges,
    requests: AtomicUsize,
    /// Who the node is; 0 while it is nobody.
    id: AtomicU64,
    /// Who it is once it can send.
    pub(crate) ready: watch::Sender<Option<NodeId>>,
    /// Whether it is in its group, and some broker carries something.
    pub(crate) reach: watch::Sender<bool>,
    membership: Mutex<Option<Membership>>,
    registry: Mutex<Option<RegistryClient<Channel>>>,
    /// Nodes that have sent something and are not in the replica yet.
    strangers: Mutex<Vec<(NodeId, Instant)>>,
    /// Proves to the master who asks.
    token: Mutex<Bytes>,
}

/// Which group a node is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Its name, as its master says it.
    pub group: String,
    /// Tells it from every other group of that name.
    pub identity: u64,
}

impl Shared {
    /// A node that is nobody yet.
    pub(crate) fn new(config: NodeConfig, services: Services) -> Self {
        let state = match config.role {
            // A slave says itself when it can carry something.
            Role::Slave => NodeState::Joining,
            _ => NodeState::Ready,
        };
        Shared {
            pairs: Pairs::new(config.pair_bytes),
            call_timeout: AtomicU64::new(nanos(config.call_timeout)),
            secret: Mutex::new(config.secret.clone()),
            config,
            services,
            report: watch::Sender::new(Report {
                state: state.into(),
                load: 0,
                script: None,
                groups: Vec::new(),
                vitals: None,
            }),
            load: AtomicU64::new(0),
            vitals: Mutex::default(),
            dropped: AtomicU64::new(0),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            replica: RwLock::default(),
            calls: Mutex::default(),
            call_times: CallTimes::new(),
            bridges: Bridges::default(),
            requests: AtomicUsize::new(0),
            id: AtomicU64::new(0),
            ready: watch::Sender::new(None),
            reach: watch::Sender::new(false),
            membership: Mutex::default(),
            registry: Mutex::default(),
            strangers: Mutex::default(),
            token: Mutex::default(),
        }
    }

    /// How long a call waits for its answer, unless it says otherwise.
    pub(crate) fn call_timeout(&self) -> Duration {
        Duration::from_nanos(self.call_timeout.load(Ordering::Relaxed))
    }

    pub(crate) fn set_call_timeout(&self, call_timeout: Duration) {
        self.call_timeout
            .store(nanos(call_timeout), Ordering::Relaxed);
    }

    /// What the node shows when it joins.
    pub(crate) fn secret(&self) -> Secret {
        let secret = self.secret.lock();
        secret.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_secret(&self, secret: Secret) {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    /// What the program says of itself.
    pub(crate) fn vitals(&self) -> VitalsSource {
        let vitals = self.vitals.lock();
        vitals.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_vitals(&self, vitals: VitalsSource) {
        *self.vitals.lock().unwrap_or_else(PoisonError::into_inner) = vitals;
    }

    /// The node has this id now, and can be sent to.
    pub(crate) fn set_id(&self, id: NodeId, token: Bytes) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        self.id.store(id.as_u64(), Ordering::SeqCst);
    }

    pub(crate) fn token(&self) -> Option<Bytes> {
        self.own()?;
        Some(
            self.token
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }

    /// Which group it is in now.
    pub(crate) fn set_membership(&self, membership: Option<Membership>) {
        *self
            .membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = membership;
    }

    pub(crate) fn membership(&self) -> Option<Membership> {
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks whether the node reaches its group; `carried` is whether some broker
    /// answers, or may again in a moment.
    pub(crate) fn look_at_reach(&self, carried: bool) {
        let reaches = carried && self.ready.borrow().is_some() && !self.pairs.is_cut_off();
        self.reach.send_if_modified(|before| {
            let changed = *before != reaches;
            *before = reaches;
            changed
        });
    }

    /// The node can send.
    pub(crate) fn set_ready(&self, id: NodeId) {
        self.ready.send_replace(Some(id));
    }

    /// The node takes no new calls of its own program.
    pub(crate) fn set_leaving(&self) {
        self.ready.send_replace(None);
        self.look_at_reach(false);
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
        self.strangers().clear();
        self.bridges.clear();
        self.set_membership(None);
        self.look_at_reach(false);
        let ended = self.calls().lost();
        self.end_calls(ended, &lost());
    }

    /// A node is gone: its pair ends, and every call to it.
    pub(crate) fn end_node(&self, node: NodeId) {
        self.pairs.end(node);
        let error = self.bridges.forget(node).unwrap_or_else(|| gone(node));
        let ended = self.calls().gone(node);
        self.end_calls(ended, &error);
    }

    /// Ends the calls whose deadline has passed. Says whether any is left.
    pub(crate) fn expire_calls(&self, now: Instant) -> bool {
        let (expired, left) = {
            let mut calls = self.calls();
            (calls.expired(now), !calls.is_empty())
        };
        if !expired.is_empty() {
            let late = CallError::new(ErrorKind::DeadlineExceeded, "no answer came in time");
            self.end_calls(expired, &late);
        }
        left
    }

    /// An answer has come; nobody may be waiting for it any more.
    pub(crate) fn answered(&self, id: CallId, source: NodeId, outcome: Outcome) {
        let waiter = self.calls().answered(id, source);
        if let Some(waiter) = waiter {
            self.note_ended(waiter.trace(), id.0, source, &outcome);
            waiter.end(&self.call_times, outcome);
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
        let (gone, known) =
            self.read_replica(|replica| (replica.is_gone(source), replica.get(source).is_some()));
        if gone {
            return None;
        }
        if !known {
            self.strangers().push((source, Instant::now()));
        }
        Some(self.pairs.open(own, source))
    }

    /// Ends the pairs with nodes that have sent something and that the directory
    /// never had: they were gone before this node heard that they were there.
    pub(crate) fn forget_strangers(&self, now: Instant) {
        let mut forgotten = Vec::new();
        self.strangers().retain(|(node, since)| {
            let waits =
                self.read_replica(|replica| replica.get(*node).is_none()) && !self.is_gone(*node);
            let late = now.saturating_duration_since(*since) >= STRANGER;
            if waits && late {
                forgotten.push(*node);
            }
            waits && !late
        });
        for node in forgotten {
            // What it sends after this is not taken.
            self.change_replica(|replica| replica.bury(node));
            self.end_node(node);
            self.services.tell(NodeEvent::Removed(node));
        }
    }

    /// This node, and its pair with a node that it wants to send to.
    pub(crate) fn slot_of_destination(
        &self,
        destination: NodeId,
    ) -> Result<(NodeId, Arc<Slot>), CallError> {
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

    fn is_gone(&self, node: NodeId) -> bool {
        self.read_replica(|replica| replica.is_gone(node))
    }

    fn strangers(&self) -> MutexGuard<'_, Vec<(NodeId, Instant)>> {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.read_replica(Replica::revision)
    }

    pub(crate) fn is_ready(&self, node: NodeId) -> bool {
        self.read_replica(|replica| replica.get(node).is_some_and(|node| node.is_ready()))
    }

    /// What the directory says that the node is, if it has it.
    pub(crate) fn role_of(&self, node: NodeId) -> Option<Role> {
        self.read_replica(|replica| replica.get(node).map(|node| node.role))
    }

    pub(crate) fn ready_slaves(&self) -> Vec<NodeId> {
        self.read_replica(|replica| replica.with_role(Role::Slave).map(|node| node.id).collect())
    }

    pub(crate) fn set_registry(&self, registry: Option<RegistryClient<Channel>>) {
        *self.registry() = registry;
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Option<RegistryClient<Channel>>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn own(&self) -> Option<NodeId> {
        match self.id.load(Ordering::SeqCst) {
            0 => None,
            id => Some(NodeId::from_u64(id)),
        }
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls<Waiter>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read_replica<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.replica.read().unwrap_or_else(PoisonError::into_inner))
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

    /// Whose place it is.
    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for RequestPlace {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn gone(node: NodeId) -> CallError {
    CallError::new(ErrorKind::Unavailable, format!("node {node} is gone"))
}

pub(crate) fn lost() -> CallError {
    CallError::new(ErrorKind::Unavailable, "this node is not in its group")
}

/// Up to 584 years.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
