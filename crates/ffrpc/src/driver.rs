//! The task of a node: it follows the directory, reads the links, and keeps the
//! pairs moving.
//!
//! One task does all of it in turn. So what the directory says and what the
//! links bring are handled one after the other: a handler that has been told
//! that a node is gone never sees another message of it.

use std::{
    future::ready,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use protocol::{
    NodeId, NodeName,
    v1::{
        Held, JoinResponse, NodeState, Report, Resync, Role, Welcome, join_request::Request,
        join_response::Response,
    },
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tonic::{Code, Status};
use tracing::{Instrument, debug, info, info_span, warn};

use crate::{
    channel::{Broker, Routes},
    config::Uplink,
    connect::Connector,
    dispatch,
    link::{self, LinkEvent, LinkSender, LinkSet, Target, Ticked},
    membership::{Membership, Word},
    pairs::{LATER, SOON},
    replica::ReplicaChange,
    services::NodeEvent,
    shared::Shared,
};

/// How often a node reports, which renews its lease; more often where a lease
/// is short, so that a late report or two cost nobody the lease.
const REPORT: Duration = Duration::from_secs(1);
const REPORTS_PER_LEASE: u32 = 4;
/// A master that gives no lease worth the name is not reported to all the time.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);
/// How many batches are taken in a row while something else may wait.
const BURST: u32 = 32;
/// How long a new node waits for its links to all brokers before it is ready
/// with those that it has.
const LINKING: Duration = Duration::from_secs(1);
/// How long each part of leaving may take.
const FLUSH: Duration = Duration::from_secs(1);

struct Driver {
    shared: Arc<Shared>,
    membership: Membership,
    links: LinkSet,
    /// Links that have ended and that the pairs have not heard of.
    ended: Vec<Broker>,
    identity: Option<Identity>,
    /// How often to report, and when next.
    period: Duration,
    report_at: Instant,
}

/// Who the node is.
struct Identity {
    id: NodeId,
    token: Bytes,
    /// The run of the master whose directory it has seen last.
    epoch: u32,
    /// The run of the master that welcomed it last; its directory may follow a
    /// lease later.
    next_epoch: u32,
    /// It has seen the directory under this id.
    joined: bool,
    /// It takes work: all links are open, or were given their time.
    linked: bool,
    linked_by: Instant,
}

/// Runs the node until it is told to leave.
pub(crate) async fn run(shared: Arc<Shared>) {
    let span = info_span!("node", name = %shared.config.name);
    let connector = Connector {
        encryption: shared.config.encryption.clone(),
    };
    let driver = Driver {
        membership: Membership::new(&shared.config, connector.clone(), shared.services.methods()),
        links: LinkSet::new(connector, shared.config.outbox_bytes),
        ended: Vec::new(),
        identity: None,
        period: REPORT,
        report_at: Instant::now(),
        shared,
    };
    driver.run().instrument(span).await;
}

impl Driver {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut reports = shared.report.subscribe();
        let mut upkeep = pin!(sleep(LATER));
        let mut ticks = interval(link::TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Waited for from one turn of the loop to the next: what is made anew
        // for each batch costs as much as the batch.
        let mut woken = pin!(shared.pairs.woken());
        let mut awake = false;
        let mut burst = 0;
        while !shared.stop.is_cancelled() {
            // Links first: they bring most, and then nothing else is looked at.
            // But never more than a burst of them while others wait.
            tokio::select! {
                biased;
                event = self.links.next(), if burst < BURST => {
                    self.follow_link(event);
                    burst += 1;
                }
                word = self.membership.next() => {
                    self.hear(word);
                    burst = 0;
                    if self.period < ticks.period() {
                        ticks = interval(self.period);
                        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    }
                }
                () = &mut upkeep, if awake => {
                    let now = Instant::now();
                    let pace = self.upkeep(now);
                    awake = pace.is_some();
                    upkeep.as_mut().reset(now + pace.unwrap_or(LATER));
                }
                _ = ticks.tick() => self.tick(Instant::now()),
                () = &mut woken => {
                    woken.set(shared.pairs.woken());
                    if !awake && shared.pairs.is_awake() {
                        awake = true;
                        upkeep.as_mut().reset(Instant::now() + LATER);
                    }
                    if reports.has_changed().unwrap_or(false) {
                        reports.mark_unchanged();
                        self.report();
                    }
                }
                () = ready(()), if burst >= BURST => burst = 0,
            }
            if shared.pairs.take_pressing() {
                let soon = Instant::now() + SOON;
                if !awake || upkeep.deadline() > soon {
                    awake = true;
                    upkeep.as_mut().reset(soon);
                }
            }
        }
        self.leave().await;
    }

    /// Does what is to be done now and then.
    fn tick(&mut self, now: Instant) {
        let Ticked { changed, ended } = self.links.tick(now);
        self.ended.extend(ended);
        if changed {
            self.publish_links();
        }
        self.settle();
        if now >= self.report_at {
            self.report();
        }
    }

    /// Takes in what the master says, or that it is away.
    fn hear(&mut self, word: Word) {
        match word {
            Word::Open(registry) => self.shared.set_registry(registry),
            Word::Says(response) => match response.response {
                Some(Response::Welcome(welcome)) => self.welcome(&welcome),
                _ => self.learn(response),
            },
            Word::Broken(status) => {
                self.shared.set_registry(None);
                self.explain(&status);
                // Another lives under the name, or the claim is nonsense: what
                // was held is held no more.
                if matches!(status.code(), Code::AlreadyExists | Code::InvalidArgument)
                    && self.identity.is_some()
                {
                    self.lose("the master does not know it any more");
                }
                let held = self.held();
                self.membership.rejoin(held);
            }
        }
    }

    /// The node is in, as who it was or as a new one.
    fn welcome(&mut self, welcome: &Welcome) {
        let id = NodeId::from_u64(welcome.node_id);
        let lease = Duration::from_millis(welcome.lease_ms.into());
        self.period = REPORT.min(lease / REPORTS_PER_LEASE).max(SHORTEST_PERIOD);
        match &mut self.identity {
            Some(identity) if identity.id == id => {
                identity.next_epoch = welcome.epoch;
                info!(%id, epoch = welcome.epoch, "joined again");
            }
            _ => {
                if self.identity.is_some() {
                    self.lose("its lease has run out");
                }
                self.shared.set_id(id, welcome.token.clone());
                self.identity = Some(Identity {
                    id,
                    token: welcome.token.clone(),
                    epoch: welcome.epoch,
                    next_epoch: welcome.epoch,
                    joined: false,
                    linked: false,
                    linked_by: Instant::now() + LINKING,
                });
                self.open_master();
            }
        }
        self.report();
    }

    /// The link to the master does not wait for the directory: its address is
    /// known.
    fn open_master(&mut self) {
        let Some(identity) = self.identity.as_ref().filter(|_| self.routes_itself()) else {
            return;
        };
        let target = match &self.shared.config.uplink {
            Uplink::Remote(address) => Target::Remote(*address),
            Uplink::Local(broker) => Target::Local(Arc::clone(broker)),
        };
        let (id, token) = (identity.id, identity.token.clone());
        self.links
            .add(Broker::Master, &crate::master(), target, id, &token);
    }

    /// Takes in what the master says of the directory.
    fn learn(&mut self, response: JoinResponse) {
        let Some(identity) = &mut self.identity else {
            return;
        };
        if !identity.joined && matches!(response.response, Some(Response::Snapshot(_))) {
            identity.joined = true;
            identity.linked_by = Instant::now() + LINKING;
            info!(id = %identity.id, "joined");
            self.shared.services.tell(NodeEvent::Joined(identity.id));
        }
        let changes = match response.response {
            Some(Response::Snapshot(snapshot)) => self
                .shared
                .change_replica(|replica| replica.reset(snapshot)),
            Some(Response::Delta(delta)) => {
                let applied = self.shared.change_replica(|replica| replica.apply(delta));
                match applied {
                    Ok(change) => change.into_iter().collect(),
                    Err(gap) => {
                        debug!(?gap, "directory missed a revision");
                        // Without room for it now, the next delta asks again.
                        self.membership.say(Request::Resync(Resync {}));
                        Vec::new()
                    }
                }
            }
            _ => Vec::new(),
        };
        let mut brokers = false;
        for change in changes {
            match change {
                ReplicaChange::Upserted(record) => {
                    if record.role == Role::Slave {
                        brokers = true;
                        self.open_slave(record.id, &record.name, &record.address);
                    }
                    self.shared.services.tell(NodeEvent::Upserted(record));
                }
                ReplicaChange::Removed(id) => {
                    if self.links.remove(Broker::Slave(id)) {
                        self.ended.push(Broker::Slave(id));
                        brokers = true;
                    }
                    self.shared.end_node(id);
                    self.shared.services.tell(NodeEvent::Removed(id));
                }
            }
        }
        if brokers {
            self.publish_links();
        }
        self.settle();
    }

    fn open_slave(&mut self, slave: NodeId, name: &NodeName, address: &str) {
        let Some(identity) = self.identity.as_ref().filter(|_| self.routes_itself()) else {
            return;
        };
        let target = Target::Named(address.to_owned());
        let (id, token) = (identity.id, identity.token.clone());
        self.links
            .add(Broker::Slave(slave), name, target, id, &token);
    }

    fn follow_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Arrived(broker, arrived) => {
                dispatch::dispatch_all(&self.shared, broker, arrived);
            }
            LinkEvent::Recovered(broker, arrived) => {
                self.publish_links();
                dispatch::dispatch_all(&self.shared, broker, arrived);
            }
            LinkEvent::Opened => {
                self.publish_links();
                self.settle();
            }
            LinkEvent::Ended(broker) => {
                self.ended.push(broker);
                self.publish_links();
            }
        }
    }

    /// Tells the pairs which brokers they can use.
    fn publish_links(&mut self) {
        let (mut routes, mut senders) = self.usable(|silent| !silent);
        if routes.is_empty() {
            // Nothing better is there.
            (routes, senders) = self.usable(|_| true);
        }
        let ended = std::mem::take(&mut self.ended);
        self.shared.pairs.set_links(routes, senders, &ended);
    }

    /// The brokers that can carry something, of those that are as silent as
    /// `which` says.
    fn usable(&self, which: impl Fn(bool) -> bool) -> (Routes, Vec<(Broker, LinkSender)>) {
        let mut routes = Routes::default();
        let mut senders = Vec::new();
        for (broker, sender, silent) in self.links.senders() {
            match broker {
                _ if !which(silent) => continue,
                Broker::Master => routes.master = true,
                Broker::Slave(id) if self.shared.is_ready(id) => routes.slaves.push(id),
                Broker::Slave(_) => continue,
            }
            senders.push((broker, sender.clone()));
        }
        (routes, senders)
    }

    /// The node is ready as soon as it is linked to every broker that is, or
    /// when that takes too long.
    fn settle(&mut self) {
        let Some(identity) = self
            .identity
            .as_mut()
            .filter(|one| one.joined && !one.linked)
        else {
            return;
        };
        if self.shared.config.role != Role::Slave {
            let linked: Vec<Broker> = self.links.senders().map(|(broker, ..)| broker).collect();
            let everywhere = linked.contains(&Broker::Master)
                && self
                    .shared
                    .ready_slaves()
                    .iter()
                    .all(|id| linked.contains(&Broker::Slave(*id)));
            if !everywhere && (linked.is_empty() || Instant::now() < identity.linked_by) {
                return;
            }
        }
        identity.linked = true;
        let id = identity.id;
        self.shared.set_ready(id);
        self.report();
    }

    /// Reports where the node stands. A master that does not read gets fewer
    /// reports, and in the end finds the node silent.
    fn report(&mut self) {
        self.report_at = Instant::now() + self.period;
        let Some(identity) = &self.identity else {
            return;
        };
        let mut report = Report {
            load: self.shared.load.load(Ordering::Relaxed),
            ..self.shared.report.borrow().clone()
        };
        if !identity.linked {
            report.state = NodeState::Joining.into();
        }
        self.membership.say(Request::Report(report));
    }

    /// Looks after calls and pairs. Says how soon to do so again.
    fn upkeep(&self, now: Instant) -> Option<Duration> {
        let waiting = self.shared.expire_calls(now);
        self.shared.pairs.tick(now).or(waiting.then_some(LATER))
    }

    /// What the node presents to be taken for who it was.
    fn held(&self) -> Option<Held> {
        let identity = self.identity.as_ref()?;
        Some(Held {
            node_id: identity.id.as_u64(),
            epoch: identity.epoch,
            revision: self.shared.revision(),
            token: identity.token.clone(),
        })
    }

    /// The node is nobody any more: everything that it had ends.
    fn lose(&mut self, reason: &'static str) {
        let Some(identity) = self.identity.take() else {
            return;
        };
        warn!(id = %identity.id, reason, "group lost");
        self.links.close();
        self.links.clear();
        self.ended.clear();
        self.shared.set_lost();
        self.publish_links();
        if identity.joined {
            self.shared.services.tell(NodeEvent::Lost);
        }
    }

    /// Waits for what is on its way, lets the links run dry, says good-bye.
    async fn leave(mut self) {
        let settled = async {
            let mut ticks = interval(SOON);
            while !self.shared.pairs.is_settled() {
                tokio::select! {
                    event = self.links.next() => self.follow_link(event),
                    _ = ticks.tick() => { self.upkeep(Instant::now()); }
                }
            }
        };
        let _ = timeout(FLUSH, settled).await;
        self.shared.set_leaving();
        self.links.close();
        let _ = timeout(FLUSH, self.links.run_dry()).await;
        self.membership.leave(FLUSH).await;
        self.shared.set_lost();
        if self.identity.is_some_and(|identity| identity.joined) {
            self.shared.services.tell(NodeEvent::Lost);
        }
        info!("left the group");
    }

    /// Whether the node sends and receives; a slave only routes for others.
    fn routes_itself(&self) -> bool {
        self.shared.config.role != Role::Slave
    }

    fn explain(&self, status: &Status) {
        let (master, reason) = (&self.shared.config.uplink, status.message());
        match status.code() {
            // Only the operator can help: say it where it is seen.
            Code::Unauthenticated | Code::AlreadyExists | Code::InvalidArgument => {
                warn!(
                    ?master,
                    reason, "the master refuses this node, trying again"
                );
            }
            _ => info!(
                ?master,
                reason, "the master cannot be reached, trying again"
            ),
        }
    }
}
