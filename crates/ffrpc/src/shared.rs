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
    CallError, ErrorKind, NodeId,
    v1::{NodeState, Report, Role, registry_client::RegistryClient},
};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::Channel;

use crate::{
    calls::{CallId, Calls},
    config::NodeConfig,
    dispatch::answer_envelope,
    pairs::{Pairs, Slot},
    replica::Replica,
    services::{NodeEvent, Services},
};

/// How long the directory may take to tell of a node that has sent something.
const STRANGER: Duration = Duration::from_secs(10);

/// How a call ends.
pub(crate) type Outcome = Result<Bytes, CallError>;

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
    pub(crate) ready: watch::Sender<Option<NodeId>>,
    registry: Mutex<Option<RegistryClient<Channel>>>,
    /// Nodes that have sent something and are not in the replica yet.
    strangers: Mutex<Vec<(NodeId, Instant)>>,
    /// Proves to the master who asks.
    token: Mutex<Bytes>,
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
            strangers: Mutex::default(),
            token: Mutex::default(),
        }
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
        self.strangers().clear();
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

    pub(crate) fn ready_slaves(&self) -> Vec<NodeId> {
        self.read_replica(|replica| replica.with_role(Role::Slave).map(|node| node.id).collect())
    }

    pub(crate) fn set_registry(&self, registry: Option<RegistryClient<Channel>>) {
        *self.registry() = registry;
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Option<RegistryClient<Channel>>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self) -> Option<NodeId> {
        match self.id.load(Ordering::SeqCst) {
            0 => None,
            id => Some(NodeId::from_u64(id)),
        }
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls<oneshot::Sender<Outcome>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read_replica<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.replica.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call in the table. However its future ends, the entry goes with it; one
/// that was given up is taken back from the pair, too.
pub(crate) struct PendingCall<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) slot: &'a Slot,
    pub(crate) id: CallId,
    /// Where it stands in its pair, until it has ended.
    pub(crate) sequence: Option<u64>,
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

pub(crate) fn gone(node: NodeId) -> CallError {
    CallError::new(ErrorKind::Unavailable, format!("node {node} is gone"))
}

pub(crate) fn lost() -> CallError {
    CallError::new(ErrorKind::Unavailable, "this node is not in its group")
}
