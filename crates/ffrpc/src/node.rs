//! A member of a group, as the code around it uses it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, Envelope, ErrorKind, GroupName, NodeId, NodeName, Secret, VitalsSource,
    envelope::{EnvelopeKind, Text},
    v1::{Crossing, GroupLink, LeastLoadedRequest, NodeState, Role, Script},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tonic::Code;
use tracing::Instrument;

use crate::{
    asking::{Asking, check_method, not_taken},
    config::{NodeConfig, Uplink},
    crossing::{Group, Onward},
    dispatch::check_size,
    driver,
    replica::NodeRecord,
    services::Services,
    shared::{Membership, Outcome, Shared},
};

/// A member of a group. Clones are the same member; it lives until
/// [`leave`](Self::leave).
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

/// How long the master may take to answer a question.
const QUESTION: Duration = Duration::from_secs(1);

impl Node {
    /// Starts joining. It goes on trying until [`leave`](Self::leave), and again
    /// whenever the group is lost. Has to be called in a tokio runtime; the node's log is
    /// in the span that is current now.
    pub fn join(config: NodeConfig, services: Services) -> Node {
        let shared = Arc::new(Shared::new(config, services));
        let driver = driver::run(Arc::clone(&shared));
        shared.tasks.spawn(driver.in_current_span());
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

    /// The revision of the directory that this node has heard last: of one run of
    /// the master, so that it may be lower after another one has begun.
    pub fn revision(&self) -> u64 {
        self.shared.revision()
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
            Some(Ok(id)) => {
                self.known(id).await;
                Ok(id)
            }
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
        self.call_within(destination, method, body, self.shared.call_timeout())
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
        self.shared
            .call(Asking {
                destination,
                method: method.into(),
                body,
                wait,
                crossing: Bytes::new(),
                trace: Bytes::new(),
                bridge: None,
            })
            .await
    }

    /// [`call_within`](Self::call_within) for those who do not wait: `then` is told of
    /// the end, once. It runs on the node's own task, or at once where the call cannot
    /// begin, and may not block. `crossing` goes with the request, as bridges say it.
    pub fn call_then(
        &self,
        destination: NodeId,
        method: impl Into<Text>,
        body: Bytes,
        wait: Duration,
        crossing: Option<&Crossing>,
        then: impl FnOnce(Outcome) + Send + 'static,
    ) {
        let crossing = crossing.map_or_else(Bytes::new, |crossing| crossing.encode_to_vec().into());
        let onward = Onward {
            method: method.into(),
            body,
            wait,
            crossing,
            trace: Bytes::new(),
        };
        self.pass_on(destination, onward, then);
    }

    /// [`call_then`](Self::call_then) as bridges do it, for a call of somebody else.
    pub fn pass_on(
        &self,
        destination: NodeId,
        onward: Onward,
        then: impl FnOnce(Outcome) + Send + 'static,
    ) {
        let asking = Asking {
            destination,
            method: onward.method,
            body: onward.body,
            wait: onward.wait,
            crossing: onward.crossing,
            trace: onward.trace,
            bridge: None,
        };
        self.shared.call_then(asking, Box::new(then));
    }

    /// Ends every call that is under way with this error.
    pub fn end_calls(&self, error: &CallError) {
        let ended = self.shared.calls().lost();
        self.shared.end_calls(ended, error);
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

    /// Another group, which is called by way of a bridge.
    pub fn group(&self, name: GroupName) -> Group {
        Group::new(self.clone(), name)
    }

    /// Every node that the directory has, as this node has heard last.
    pub fn nodes(&self) -> Vec<Arc<NodeRecord>> {
        self.shared
            .read_replica(|replica| replica.nodes().cloned().collect())
    }

    /// Which group the node is in; `None` while it is out of it.
    pub fn membership(&self) -> Option<Membership> {
        self.shared.membership()
    }

    /// Whether the node is in its group and some broker carries what it sends. It is
    /// not when every broker has been away, or silent, for a second.
    pub fn reach(&self) -> watch::Receiver<bool> {
        self.shared.reach.subscribe()
    }

    /// How many calls are under way.
    pub fn pending_calls(&self) -> usize {
        self.shared.calls().len()
    }

    /// How long a call waits for its answer from now on, unless it says otherwise.
    pub fn set_call_timeout(&self, call_timeout: Duration) {
        self.shared.set_call_timeout(call_timeout);
    }

    /// What the node shows when it joins from now on. While it is in its group, it
    /// stays there.
    pub fn set_secret(&self, secret: Secret) {
        self.shared.set_secret(secret);
    }

    /// What the program says of itself with each report, for operators; the node adds what
    /// its links carry. Until then that is all.
    pub fn set_vitals(&self, vitals: VitalsSource) {
        self.shared.set_vitals(vitals);
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
        self.shared.pairs.nudge();
    }

    /// Bridges only: which other groups the node joins. The directory hears of it at
    /// once.
    pub fn set_groups(&self, groups: Vec<GroupLink>) {
        self.shared
            .report
            .send_modify(|report| report.groups = groups);
        self.shared.pairs.nudge();
    }

    /// Which script the node runs. The directory hears of it at once.
    pub fn set_script(&self, script: Script) {
        self.shared
            .report
            .send_modify(|report| report.script = Some(script));
        self.shared.pairs.nudge();
    }

    /// Leaves the group: what is queued goes out, pending calls end, and the
    /// name is free at once.
    pub async fn leave(&self) {
        self.shared.stop.cancel();
        self.shared.pairs.nudge();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
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
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                Err(not_taken(reason, destination))
            }
        }
    }

    /// Waits a little for the directory's word of a node that the master has
    /// just named.
    async fn known(&self, id: NodeId) {
        let begun = Instant::now();
        while self.record(id).is_none() && begun.elapsed() < QUESTION {
            sleep(Duration::from_millis(5)).await;
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
