//! The task of a node: it follows the directory, reads the links, and keeps the
//! pairs moving.
//!
//! One task does all of it in turn. So what the directory says and what the
//! links bring are handled one after the other: a handler that has been told
//! that a node is gone never sees another message of it.
//!
//! - [`master`]: what the master says, and what becomes of the node by it.
//! - [`brokers`]: the links, and which of them can be used.
//! - [`vitals`]: how the node does, which goes with each report.

mod brokers;
mod master;
mod vitals;

use std::{
    future::ready,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use protocol::{
    NodeId,
    v1::{NodeState, Report, join_request::Request},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{Instrument, error_span, info};

use crate::{
    channel::Broker,
    connect::Connector,
    crossing::PERIOD as WATCH,
    dispatch::Heard,
    link::{self, LinkSet, Ticked},
    membership::Membership,
    metrics::Levels,
    pairs::{LATER, SOON},
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
    levels: Levels,
    /// What has come over the links.
    heard: Heard,
    /// When the node began, where nobody says since when the process lives.
    begun: Instant,
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
    let name = &shared.config.name;
    let span = error_span!("node", node = %name);
    let connector = Connector {
        encryption: shared.config.encryption.clone(),
    };
    // However the task ends, nobody waits for what it would have brought.
    let _end = End(Arc::clone(&shared));
    let driver = Driver {
        membership: Membership::new(&shared.config, connector.clone(), shared.services.methods()),
        links: LinkSet::new(connector, shared.config.outbox_bytes),
        levels: Levels::new(),
        heard: Heard::default(),
        begun: Instant::now(),
        ended: Vec::new(),
        identity: None,
        period: REPORT,
        report_at: Instant::now(),
        shared,
    };
    driver.run().instrument(span).await;
}

/// The end of a node's task.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.set_lost();
    }
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
                () = &mut upkeep, if awake => {
                    let now = Instant::now();
                    let pace = self.upkeep(now);
                    awake = pace.is_some();
                    upkeep.as_mut().reset(now + pace.unwrap_or(LATER));
                }
                _ = ticks.tick() => self.tick(Instant::now()),
                word = self.membership.next() => {
                    self.hear(word);
                    burst = 0;
                    if self.period < ticks.period() {
                        ticks = interval(self.period);
                        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    }
                }
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
        self.look_at_reach();
        self.shared.forget_strangers(now);
        if now >= self.report_at {
            self.report();
        }
    }

    /// Reports where the node stands. A master that does not read gets fewer
    /// reports, and in the end finds the node silent.
    fn report(&mut self) {
        self.report_at = Instant::now() + self.period;
        let (links, kept) = (self.links.traffic(), self.shared.pairs.stock());
        self.shared.call_times.begin_period();
        self.levels.set(&links, kept, self.shared.calls().len());
        let Some(identity) = &self.identity else {
            return;
        };
        let mut report = Report {
            load: self.shared.load.load(Ordering::Relaxed),
            vitals: Some(self.vitals(&links, kept)),
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
        let watching = self.shared.watch_bridges(now).then_some(WATCH);
        let pace = self.shared.pairs.tick(now).or(waiting.then_some(LATER));
        watching.map_or(pace, |watch| {
            Some(pace.map_or(watch, |pace| pace.min(watch)))
        })
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
}
