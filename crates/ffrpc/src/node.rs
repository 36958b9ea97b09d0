//! A member of a group, as the code around it uses it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId, NodeName,
    envelope::EnvelopeKind,
    link::Refused,
    v1::{NodeState, Report, Role, Script},
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    calls::{CallId, Calls},
    config::NodeConfig,
    dispatch::{answer_envelope, check_size},
    link::LinkSender,
    membership,
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
    pub(crate) replica: RwLock<Replica>,
    pub(crate) report: watch::Sender<Report>,
    pub(crate) load: AtomicU64,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) request_places: Arc<Semaphore>,
    calls: Mutex<Calls<oneshot::Sender<Outcome>>>,
    link: watch::Sender<Option<Linked>>,
}

/// Who the node is, for as long as one membership lasts.
#[derive(Clone)]
pub(crate) struct Linked {
    pub(crate) id: NodeId,
    pub(crate) sender: LinkSender,
}

impl Node {
    /// Starts joining. It goes on trying until [`leave`](Self::leave), and again
    /// whenever the group is lost. Has to be called in a tokio runtime.
    pub fn spawn(config: NodeConfig, services: Services) -> Node {
        let shared = Arc::new(Shared {
            request_places: Arc::new(Semaphore::new(config.max_requests)),
            config,
            services,
            replica: RwLock::default(),
            report: watch::Sender::new(Report {
                state: NodeState::Ready.into(),
                load: 0,
                script: None,
            }),
            load: AtomicU64::new(0),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            calls: Mutex::default(),
            link: watch::Sender::new(None),
        });
        shared.tasks.spawn(membership::run(Arc::clone(&shared)));
        Node { shared }
    }

    /// Waits until the node is in its group.
    pub async fn ready(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self.shared.link.subscribe().wait_for(Option::is_some).await;
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.shared.config.name
    }

    /// Who the node is at the moment; `None` while it is out of the group.
    pub fn id(&self) -> Option<NodeId> {
        self.shared.link.borrow().as_ref().map(|linked| linked.id)
    }

    /// The node of this name that takes calls.
    pub fn resolve(&self, name: &NodeName) -> Option<NodeId> {
        self.shared.read_replica(|replica| replica.resolve(name))
    }

    /// As [`resolve`](Self::resolve), with an error to pass on.
    ///
    /// # Errors
    /// `NotFound`: no node of this name takes calls.
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

    /// The nodes of a role that take calls.
    pub fn with_role(&self, role: Role) -> Vec<NodeId> {
        self.shared
            .read_replica(|replica| replica.with_role(role).map(|node| node.id).collect())
    }

    /// Calls `method` of `destination` and waits for the answer for as long as
    /// the configuration says. Dropping the future gives the call up.
    ///
    /// # Errors
    /// The handler's own, or `Unimplemented`, `Unavailable`, `DeadlineExceeded`,
    /// `Overloaded`, `TooLarge`.
    pub async fn call(&self, destination: NodeId, method: &str, body: Bytes) -> Outcome {
        self.call_within(destination, method, body, self.shared.config.call_timeout)
            .await
    }

    /// [`call`](Self::call) with a deadline of its own.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_within(
        &self,
        destination: NodeId,
        method: &str,
        body: Bytes,
        wait: Duration,
    ) -> Outcome {
        check_size(&body)?;
        let linked = self.shared.linked()?;
        if self.record(destination).is_none() {
            return Err(gone(destination));
        }
        let (outcome_tx, outcome_rx) = oneshot::channel();
        let id = self.shared.calls().begin(destination, outcome_tx);
        // From here on the call is in the table; whichever way this function
        // ends, it is taken out.
        let _pending = PendingCall {
            shared: &self.shared,
            id,
        };
        let envelope = Envelope {
            call_id: id.0,
            method: method.to_owned().into(),
            deadline_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1),
            body,
            ..Envelope::new(destination, linked.id, EnvelopeKind::Request)
        };
        linked.sender.send(envelope).map_err(refused)?;
        match timeout(wait, outcome_rx).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(lost()),
            Err(_) => Err(CallError::new(
                ErrorKind::DeadlineExceeded,
                format!("no answer from node {destination} to {method} in {wait:?}"),
            )),
        }
    }

    /// Sends a message that wants no answer, if there is room for it.
    ///
    /// # Errors
    /// `Unavailable`, `Overloaded`, `TooLarge`: it was not sent.
    pub fn notify(
        &self,
        destination: NodeId,
        method: &'static str,
        body: &impl Message,
    ) -> Result<(), CallError> {
        self.send(destination, method, body, EnvelopeKind::Notify)
    }

    /// Sends a message that wants no answer and that no lack of room refuses:
    /// the caller bounds what it has under way by a window of its own.
    ///
    /// # Errors
    /// `Unavailable`, `TooLarge`: it was not sent.
    pub fn control(
        &self,
        destination: NodeId,
        method: &'static str,
        body: &impl Message,
    ) -> Result<(), CallError> {
        self.send(destination, method, body, EnvelopeKind::Control)
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
        method: &'static str,
        body: &impl Message,
        kind: EnvelopeKind,
    ) -> Result<(), CallError> {
        let linked = self.shared.linked()?;
        let body = Bytes::from(body.encode_to_vec());
        check_size(&body)?;
        let envelope = Envelope {
            method: method.into(),
            body,
            ..Envelope::new(destination, linked.id, kind)
        };
        linked.sender.send(envelope).map_err(refused)
    }
}

impl Shared {
    /// The link opens: the node is in its group.
    pub(crate) fn set_linked(&self, linked: Linked) {
        self.link.send_replace(Some(linked));
    }

    /// The group is lost: the link, the replica and every call end.
    pub(crate) fn set_lost(&self) {
        if let Some(linked) = self.link.send_replace(None) {
            linked.sender.close();
        }
        *self.replica.write().unwrap_or_else(PoisonError::into_inner) = Replica::default();
        let waiters = self.calls().lost();
        for waiter in waiters {
            let _ = waiter.send(Err(lost()));
        }
    }

    /// A node is gone: every call to it ends.
    pub(crate) fn end_calls_to(&self, node: NodeId) {
        let waiters = self.calls().gone(node);
        for waiter in waiters {
            let _ = waiter.send(Err(gone(node)));
        }
    }

    /// An answer has come; nobody may be waiting for it any more.
    pub(crate) fn answered(&self, id: CallId, source: NodeId, outcome: Outcome) {
        let waiter = self.calls().answered(id, source);
        if let Some(waiter) = waiter {
            let _ = waiter.send(outcome);
        }
    }

    /// Answers a request. Without a link there is nobody to answer to.
    pub(crate) fn respond(&self, caller: NodeId, call_id: u64, outcome: Outcome) {
        if let Ok(linked) = self.linked() {
            let answer = answer_envelope(caller, linked.id, call_id, outcome);
            let _ = linked.sender.send(answer);
        }
    }

    pub(crate) fn is_gone(&self, node: NodeId) -> bool {
        self.read_replica(|replica| replica.is_gone(node))
    }

    fn linked(&self) -> Result<Linked, CallError> {
        self.link.borrow().clone().ok_or_else(lost)
    }

    fn calls(&self) -> MutexGuard<'_, Calls<oneshot::Sender<Outcome>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_replica<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.replica.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call in the table. However its future ends, the entry goes with it.
struct PendingCall<'a> {
    shared: &'a Shared,
    id: CallId,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        drop(self.shared.calls().end(self.id));
    }
}

fn gone(node: NodeId) -> CallError {
    CallError::new(ErrorKind::Unavailable, format!("node {node} is gone"))
}

fn lost() -> CallError {
    CallError::new(ErrorKind::Unavailable, "this node is not in its group")
}

fn refused(refused: Refused) -> CallError {
    match refused {
        Refused::Full => CallError::new(ErrorKind::Overloaded, "the link's queue is full"),
        Refused::Closed => lost(),
    }
}
