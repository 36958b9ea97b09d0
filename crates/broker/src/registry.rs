//! The directory in operation: Join streams, reports, deltas, leases.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use protocol::{
    GroupName, NodeId, NodeName, Secret,
    tls::PeerNames,
    v1::{
        Delta, Exports, Hello, JoinRequest, JoinResponse, LeastLoadedRequest, ListNodesResponse,
        NodeRecord, Role, Vitals, WatchResponse, Welcome, delta::Change, join_request::Request,
        join_response::Response,
    },
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;
use tracing::{Instrument, error_span, info, warn};

use crate::{
    audience::{Audience, Sent},
    directory::{Claim, Directory, JoinRefusal, Joined},
    links::Links,
    metrics::RegistryMetrics,
    observation::Observation,
    subscriber::{QUEUE, Subscriber, respond},
};

/// What a registry has to be told.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Whose directory it is.
    pub group: GroupName,
    /// The run of this master; higher than that of any run before.
    pub epoch: u32,
    /// Whether an earlier run had members, who are taken back before anybody
    /// else comes in.
    pub rebuild: bool,
    /// How long a node may stay silent.
    pub lease: Duration,
    /// The master's own record.
    pub master: NodeRecord,
    /// Tells the group from any other of its name. 0 would say nothing.
    pub identity: u64,
    /// What other groups may call in this one, for bridges.
    pub exports: Exports,
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
    metrics: RegistryMetrics,
    /// Told when the directory is no longer being rebuilt.
    rebuilt: Notify,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// What operators see, each second.
    shown: watch::Sender<Option<Arc<WatchResponse>>>,
}

struct State {
    directory: Directory,
    audience: Audience,
}

/// A member's place: who it is, and on which of its Join streams it came.
struct Seat {
    node: NodeId,
    stream: u64,
    /// The stream has to end: the node came back on another, is gone, or the
    /// master stops.
    ended: CancellationToken,
}

type Responses = mpsc::Receiver<Result<JoinResponse, Status>>;

/// As many tools and pages may watch a group at once.
const MAX_WATCHERS: usize = 128;

/// How often leases are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long a new stream may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

impl Registry {
    /// The registry of a new master. It needs [`run`](Self::run) to look after
    /// its leases.
    pub fn new(config: RegistryConfig, links: Arc<Links>) -> Arc<Self> {
        let mut directory = Directory::new(config.epoch, config.lease, config.master.clone());
        if config.rebuild {
            directory = directory.rebuilding(Instant::now());
        }
        let audience = Audience::new(config.exports.clone());
        Arc::new(Registry {
            config,
            state: Mutex::new(State {
                directory,
                audience,
            }),
            links,
            metrics: RegistryMetrics::new(),
            rebuilt: Notify::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            shown: watch::Sender::new(None),
        })
    }

    /// Looks after the leases until `stop`, then ends every Join stream.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.tick();
        }
        self.stop.cancel();
        self.lock().audience.dismiss_all();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Serves one Join stream: lets the node in, then answers with its welcome,
    /// the directory and every change of it. With the names in the `peer`'s
    /// certificate only a node of one of these names comes in.
    pub async fn join(
        self: Arc<Self>,
        peer: Option<PeerNames>,
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
                self.metrics.refused("hello");
                return Err(Status::invalid_argument(
                    "the first request has to be a hello",
                ));
            }
        };
        self.check_certificate(peer.as_ref(), &hello)?;
        let (seat, queue) = self.admit(&hello).await?;
        let span = error_span!("member", peer = hello.name, peer_id = %seat.node);
        let registry = Arc::clone(&self);
        self.tasks
            .spawn(async move { registry.attend(seat, requests).await }.instrument(span));
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

    /// Who of a role carries least, for a member of the group. With the names in
    /// the `peer`'s certificate one of them has to be the member's.
    pub fn least_loaded(
        &self,
        peer: Option<&PeerNames>,
        request: &LeastLoadedRequest,
    ) -> Result<NodeId, Status> {
        let node = self.links.authenticate(&request.token).ok_or_else(|| {
            self.metrics.refused("token");
            Status::unauthenticated("the token is not one of this group's")
        })?;
        if let Some(mistaken) = self.links.mistaken(node, peer) {
            self.metrics.refused("certificate");
            return Err(mistaken);
        }
        let role = match request.role() {
            Role::Unspecified => {
                return Err(Status::invalid_argument(
                    "the request says no role that this master knows",
                ));
            }
            role => role,
        };
        let mut state = self.lock();
        if !state.directory.contains(node) {
            return Err(Status::failed_precondition(format!(
                "node {node} is not in the directory: join first"
            )));
        }
        if state.directory.is_rebuilding() {
            return Err(Status::unavailable(JoinRefusal::Rebuilding.to_string()));
        }
        state
            .directory
            .least_loaded(role)
            .ok_or_else(|| Status::not_found(format!("no {} is ready", role_name(role))))
    }

    /// The directory as operators see it now.
    pub fn observe(&self) -> Observation {
        self.lock().directory.observe(Instant::now())
    }

    /// How the master itself does.
    pub fn set_vitals(&self, vitals: Vitals) {
        self.lock().directory.set_vitals(vitals);
    }

    /// Shows this to all who watch the group, from now on.
    pub fn show(&self, state: Arc<WatchResponse>) {
        self.shown.send_replace(Some(state));
    }

    /// Cancelled when the master stops.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// What is shown, for whoever knows the secret; 128 at once at most.
    pub fn watch(
        &self,
        secret: &str,
    ) -> Result<watch::Receiver<Option<Arc<WatchResponse>>>, Status> {
        self.check(secret)?;
        self.shown()
    }

    /// The same, for whoever has been let in otherwise.
    pub fn shown(&self) -> Result<watch::Receiver<Option<Arc<WatchResponse>>>, Status> {
        if self.shown.receiver_count() >= MAX_WATCHERS {
            return Err(Status::resource_exhausted(
                "too many watch this group already: close one of them",
            ));
        }
        Ok(self.shown.subscribe())
    }

    /// How many nodes are in the directory, live and suspect, besides the
    /// master itself.
    pub fn members(&self) -> usize {
        self.lock().directory.members()
    }

    /// Bridges are told at once that other groups may call this from now on.
    pub fn set_exports(&self, exports: Exports) {
        let mut state = self.lock();
        if state.audience.set_exports(exports) {
            info!(bridges = state.directory.bridges(), "exports changed");
            self.catch_up(&mut state, None, Instant::now());
        }
    }

    /// The group has this secret from now on: see [`Links::set_secret`]. Members are
    /// given tokens that are signed with it.
    pub fn set_secret(&self, secret: Secret) {
        let mut state = self.lock();
        if self.links.set_secret(secret) {
            state.audience.owe_tokens();
            self.catch_up(&mut state, None, Instant::now());
        }
    }

    fn tick(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        let was_rebuilding = state.directory.is_rebuilding();
        let deltas = state.directory.tick(now);
        self.publish(&mut state, deltas, "its lease ran out");
        self.catch_up(&mut state, None, now);
        if was_rebuilding && !state.directory.is_rebuilding() {
            info!(members = state.directory.members(), "directory rebuilt");
            self.rebuilt.notify_waiters();
        }
    }

    /// Lets a node in; while the directory is being rebuilt a newcomer waits.
    async fn admit(&self, hello: &Hello) -> Result<(Seat, Responses), Status> {
        self.check(&hello.secret)?;
        let claim = self.claim(hello)?;
        loop {
            let rebuilt = self.rebuilt.notified();
            match self.let_in(hello, claim)? {
                Some(member) => return Ok(member),
                None => self.stop.run_until_cancelled(rebuilt).await,
            };
        }
    }

    /// The membership that the node holds, if its token proves that there was
    /// one.
    fn claim(&self, hello: &Hello) -> Result<Option<Claim>, Status> {
        let Some(held) = &hello.held else {
            return Ok(None);
        };
        let node = NodeId::from_u64(held.node_id);
        if self.links.authenticate(&held.token) != Some(node) {
            self.metrics.refused("held_token");
            warn!(peer = hello.name, claimed = %node, "node refused: its token is not of the node that it claims to be");
            return Err(Status::invalid_argument(format!(
                "the held token is not this group's token of node {node}"
            )));
        }
        Ok(Some(Claim {
            node,
            epoch: held.epoch,
            revision: held.revision,
        }))
    }

    /// `None` while the node has to wait.
    fn let_in(
        &self,
        hello: &Hello,
        claim: Option<Claim>,
    ) -> Result<Option<(Seat, Responses)>, Status> {
        let mut state = self.lock();
        // Under the lock, so that no member comes in behind the last of them.
        if self.stop.is_cancelled() {
            return Err(Status::unavailable("the master is shutting down"));
        }
        let now = Instant::now();
        let joined = match state.directory.join(hello, claim, now) {
            Ok(joined) => joined,
            Err(JoinRefusal::Rebuilding) => return Ok(None),
            Err(refusal) => return Err(self.refuse(hello, &refusal)),
        };
        let Joined {
            node,
            name,
            stream,
            deltas,
        } = joined;
        self.publish(&mut state, deltas, "another node took its name");
        self.links.expect_as(node, &name);
        let (queue_tx, queue_rx) = mpsc::channel(QUEUE);
        let ended = self.stop.child_token();
        let mut subscriber = Subscriber::new(queue_tx, stream, ended.clone());
        let welcome = Response::Welcome(Welcome {
            node_id: node.as_u64(),
            epoch: self.config.epoch,
            token: self.links.token(node).into(),
            lease_ms: u32::try_from(self.config.lease.as_millis()).unwrap_or(u32::MAX),
            group: self.config.group.to_string(),
            identity: self.config.identity,
        });
        self.metrics.sent(Sent {
            messages: subscriber.welcome(respond(welcome)),
            loads: 0,
        });
        if hello.role() == Role::Bridge {
            subscriber = subscriber.of_bridge();
        }
        state.audience.seat(node, subscriber);
        self.catch_up(&mut state, Some(node), now);
        let held = claim.is_some_and(|claim| claim.node == node);
        info!(peer = hello.name, peer_id = %node, build = hello.build, held, "node joined");
        let seat = Seat {
            node,
            stream,
            ended,
        };
        Ok(Some((seat, queue_rx)))
    }

    fn refuse(&self, hello: &Hello, refusal: &JoinRefusal) -> Status {
        self.metrics.refused(refusal.reason());
        warn!(peer = hello.name, reason = %refusal, "node refused");
        match refusal {
            JoinRefusal::NameTaken { .. } | JoinRefusal::Superseded { .. } => {
                Status::already_exists(refusal.to_string())
            }
            _ => Status::invalid_argument(refusal.to_string()),
        }
    }

    /// Takes what a member says until it leaves, its stream ends, or it is gone.
    async fn attend(
        &self,
        seat: Seat,
        mut requests: impl Stream<Item = Result<JoinRequest, Status>> + Unpin,
    ) {
        while let Some(Some(Ok(message))) = seat.ended.run_until_cancelled(requests.next()).await {
            let mut state = self.lock();
            if !state.is_seated(&seat) {
                return;
            }
            match message.request {
                Some(Request::Report(report)) => {
                    let delta = state.directory.report(seat.node, report, Instant::now());
                    self.publish(&mut state, delta, "");
                }
                Some(Request::Resync(_)) => {
                    // With the next tick: who asks often costs no more.
                    state.audience.owe_snapshot(seat.node);
                }
                Some(Request::Leave(_)) => {
                    let delta = state.directory.leave(seat.node);
                    self.publish(&mut state, delta, "it left");
                    return;
                }
                // A second hello, or what a later version says: not for us.
                Some(Request::Hello(_)) | None => {}
            }
        }
        let mut state = self.lock();
        if state.is_seated(&seat) && !self.stop.is_cancelled() {
            state.audience.dismiss(seat.node);
            state.directory.disconnected(seat.node, seat.stream);
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
                let name = self.links.name(node);
                let peer = name.as_ref().map(NodeName::as_str);
                info!(peer, peer_id = %node, reason, "node gone");
                // Its stream ends with the queue: a node that lives after all
                // finds out and joins anew.
                state.audience.dismiss(node);
                self.links.forget(node);
            }
            self.metrics.sent(state.audience.tell(delta));
            let directory = &state.directory;
            self.metrics
                .members(directory.members(), directory.bridges());
        }
    }

    /// Gives what is owed to those who have room: to all, or to one alone.
    fn catch_up(&self, state: &mut State, one: Option<NodeId>, now: Instant) {
        let token = |node| self.links.token(node);
        let sent = state.audience.catch_up(&state.directory, token, one, now);
        self.metrics.sent(sent);
    }

    fn check_certificate(&self, peer: Option<&PeerNames>, hello: &Hello) -> Result<(), Status> {
        let Some(peer) = peer else { return Ok(()) };
        let name: Result<NodeName, _> = hello.name.parse();
        if name.is_ok_and(|name| peer.include(&self.config.group, &name)) {
            return Ok(());
        }
        self.metrics.refused("certificate");
        warn!(peer = hello.name, certificate = %peer, "node refused: its certificate is another's");
        Err(Status::unauthenticated(format!(
            "the certificate is for {peer} and not for {}: give each node its own",
            hello.name
        )))
    }

    fn check(&self, secret: &str) -> Result<(), Status> {
        match self.links.admits(secret) {
            true => Ok(()),
            false => {
                self.metrics.refused("secret");
                Err(Status::unauthenticated(
                    "the secret is not this group's: compare [security] secret in both topologies",
                ))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this stream of the node is still the one that counts.
    fn is_seated(&self, seat: &Seat) -> bool {
        self.audience.stream(seat.node) == Some(seat.stream)
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "node",
        Role::Master => "master",
        Role::Gate => "gate",
        Role::Scene => "scene",
        Role::Bridge => "bridge",
        Role::Service => "service",
        Role::Slave => "slave",
    }
}
