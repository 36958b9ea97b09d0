//! Which links have fallen silent.
//!
//! A node that pings its broker does so at least once a second, so that a link
//! on which nothing comes is one whose other end is frozen or cut off. What
//! waits for that node could wait for long: better that its senders hear that
//! there is no route. A node that never pings is not watched.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::NodeId;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::links::{Links, Outlet};

/// How often links are looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// A broker that comes to look later than this was itself away: what nodes sent
/// meanwhile may be waiting to be read, and the round says nothing.
const AWAY: Duration = Duration::from_millis(250);

/// A link on which nothing came between so many looks is closed. The first look
/// may follow at once upon a batch, so that seven lie three seconds apart.
const ROUNDS: u32 = 7;

/// How long ago something came on a link, in looks. Written by the link's
/// reader with every batch, hence no more than two flags.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    watched: AtomicBool,
    silent: AtomicU32,
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Pulse {
    /// A batch came.
    pub(crate) fn beat(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// What the batch had in it, counted as it is in any case. One reader writes them.
    pub(crate) fn count(&self, messages: u64, bytes: usize) {
        let add = |to: &AtomicU64, more| {
            to.store(to.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        };
        add(&self.messages, messages);
        add(&self.bytes, bytes as u64);
    }

    /// The messages and the bytes that came.
    pub(crate) fn counted(&self) -> (u64, u64) {
        let read = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (read(&self.messages), read(&self.bytes))
    }

    fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    /// Counts one look; says whether the link is silent.
    fn look(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
            && self.silent.fetch_add(1, Ordering::Relaxed) + 1 >= ROUNDS
    }
}

impl Links {
    /// The node has pinged: from now on it has to be heard.
    pub(crate) fn watch(&self, node: NodeId) {
        if let Some(expected) = self.table.get(&node)
            && let Some(pulse) = expected.link.as_ref().and_then(|link| link.pulse.as_ref())
        {
            pulse.watch();
        }
    }

    /// Looks how much waits for whom.
    fn look_at_outboxes(&self) {
        let (mut messages, mut bytes, mut fullest) = (0, 0, 0);
        for expected in &self.table {
            let Some(link) = &expected.link else { continue };
            let traffic = match &link.outlet {
                Outlet::Stream(outbox) => outbox.traffic(),
                Outlet::Memory(queue) => queue.traffic(),
            };
            messages += traffic.queued_messages;
            bytes += traffic.queued_bytes;
            fullest = fullest.max(traffic.queued_bytes);
        }
        self.metrics.waiting(messages, bytes, fullest);
    }

    /// Looks at every link and closes those that are silent.
    fn close_silent(&self) {
        let silent: Vec<_> = self
            .table
            .iter()
            .filter_map(|expected| {
                let link = expected.link.as_ref()?;
                let silent = link.pulse.as_ref()?.look();
                silent.then(|| (*expected.key(), link.outlet.clone()))
            })
            .collect();
        for (node, outlet) in silent {
            let name = self.name(node);
            let peer = name.as_ref().map(protocol::NodeName::as_str);
            warn!(peer, peer_id = %node, "link closed, its node is silent");
            self.metrics.silent.increment(1);
            self.closed(node, &outlet);
        }
    }
}

/// Watches the links until `stop`.
pub(crate) async fn watch(links: Arc<Links>, stop: CancellationToken) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = Rounds::from(Instant::now());
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        links.look_at_outboxes();
        if rounds.counts(Instant::now()) {
            links.close_silent();
        }
    }
}

/// Tells the rounds of a broker that was running from the others.
struct Rounds {
    last: Instant,
}

impl Rounds {
    fn from(start: Instant) -> Self {
        Rounds { last: start }
    }

    fn counts(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.last);
        self.last = now;
        since <= PERIOD + AWAY
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use protocol::{Envelope, Secret, envelope::EnvelopeKind};

    use super::*;
    use crate::links::StreamLink;

    const NODE: NodeId = NodeId::new(1, 1);

    fn linked() -> (Arc<Links>, StreamLink) {
        let links = Links::new("GroupA".parse().unwrap(), Secret::default(), 1 << 20);
        links.expect(NODE);
        let link = links.open_stream(NODE, &CancellationToken::new()).unwrap();
        (links, link)
    }

    fn ping(links: &Links) {
        let mut batch = BytesMut::new();
        Envelope::new(NodeId::BROKER, NODE, EnvelopeKind::Ping).write(&mut batch);
        links.forward_batch(NODE, &batch.freeze()).unwrap();
    }

    #[test]
    fn a_link_on_which_nothing_comes_for_seven_looks_is_closed() {
        let (links, link) = linked();
        ping(&links);
        for _ in 0..3 {
            for _ in 0..ROUNDS - 1 {
                links.close_silent();
            }
            assert!(links.is_linked(NODE));
            link.pulse.beat();
        }
        for _ in 0..ROUNDS {
            assert!(links.is_linked(NODE) && link.outbox.bytes() > 0);
            links.close_silent();
        }
        assert!(!links.is_linked(NODE) && link.outbox.is_closed());
        assert_eq!(link.outbox.bytes(), 0);
        assert!(link.ended.is_cancelled());
        // It comes back with a new link, which starts afresh.
        assert!(links.open_stream(NODE, &CancellationToken::new()).is_some());
        links.close_silent();
        assert!(links.is_linked(NODE));
    }

    #[test]
    fn a_node_that_never_pings_is_not_watched() {
        let (links, _link) = linked();
        for _ in 0..ROUNDS * 2 {
            links.close_silent();
        }
        assert!(links.is_linked(NODE));
    }

    #[test]
    fn rounds_in_which_the_broker_was_away_do_not_count() {
        let start = Instant::now();
        let mut rounds = Rounds::from(start);
        assert!(rounds.counts(start + PERIOD));
        assert!(rounds.counts(start + PERIOD * 2 + AWAY));
        assert!(!rounds.counts(start + Duration::from_secs(20)));
        assert!(rounds.counts(start + Duration::from_secs(20) + PERIOD));
    }
}
