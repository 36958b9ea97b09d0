//! The pairs of this node with every other, and the links that carry them.
//!
//! Whoever sends locks the pair, gives the envelope its number and puts it on
//! the link, so that numbers go out in order. A pair's lock is held for as long
//! as an envelope takes to be copied, and never while anything waits. Locks are
//! taken in one order: pair, then links, then an outbox.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use metrics::{Counter, counter};
use protocol::{
    Envelope, NodeId,
    envelope::EnvelopeKind,
    link::Refused,
    v1::{Refusal, RefusalReason},
};
use tokio::{sync::Notify, time::Instant};

use crate::{
    channel::{Arrival, Broker, Pair, Routes},
    crossing::Seen,
    link::LinkSender,
    metrics::Stock,
};

/// All pairs of a membership.
pub(crate) struct Pairs {
    table: DashMap<NodeId, Arc<Slot>, foldhash::fast::RandomState>,
    links: RwLock<Links>,
    /// Whether the upkeep is awake; see [`tick`](Self::tick).
    awake: AtomicBool,
    pressing: AtomicBool,
    wake: Notify,
    limit: usize,
    resent: Counter,
    seen: Counter,
}

/// One pair.
pub(crate) struct Slot(Mutex<State>);

struct State {
    pair: Pair,
    /// The link of the pair's route.
    sender: Option<LinkSender>,
    /// The other node is gone, or this one is another now.
    ended: bool,
    /// A broker had no link to the other node, and nothing has been acknowledged
    /// since.
    stranded: bool,
}

/// What an envelope that has arrived means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// It is to be delivered: it is the next one, and its node is not gone.
    pub(crate) deliver: bool,
    /// The node can be reached again.
    pub(crate) reached: bool,
}

/// The links that can be used now.
#[derive(Default)]
struct Links {
    routes: Routes,
    senders: Vec<(Broker, LinkSender)>,
    cut_off: Option<Instant>,
}

/// Why an envelope was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The other node is gone.
    Ended,
    /// As much as may be is on its way there already.
    Full,
    /// There has been no broker for a while.
    CutOff,
}

impl NotTaken {
    /// The label `reason` of `redrabbit_node_refused_total`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            NotTaken::Ended => "gone",
            NotTaken::Full => "overloaded",
            NotTaken::CutOff => "no_broker",
        }
    }
}

/// How soon pairs are looked at again when an acknowledgement is owed or
/// something could not be sent: what is owed goes after one to two of these.
pub(crate) const SOON: Duration = Duration::from_millis(10);
/// How soon when there is only something to wait for.
pub(crate) const LATER: Duration = Duration::from_millis(50);
/// How many times a pair's bound may be kept in answers before requests are
/// refused; at twice as much they are not even taken.
const ANSWERS: usize = 8;
/// How long a node without any broker still takes what may be refused.
const CUT_OFF: Duration = Duration::from_secs(1);

impl Pairs {
    /// No pairs yet. Each keeps at most `limit` bytes of what may be refused.
    pub(crate) fn new(limit: usize) -> Self {
        Pairs {
            table: DashMap::default(),
            links: RwLock::default(),
            awake: AtomicBool::new(false),
            pressing: AtomicBool::new(false),
            wake: Notify::new(),
            limit,
            resent: counter!("redrabbit_node_resent_total"),
            seen: counter!("redrabbit_node_duplicates_total"),
        }
    }

    /// The pair with `other`, if it has been used.
    pub(crate) fn get(&self, other: NodeId) -> Option<Arc<Slot>> {
        self.table.get(&other).map(|slot| Arc::clone(&slot))
    }

    /// The pair of `own`, this node, with `other`, which must not be gone.
    pub(crate) fn open(&self, own: NodeId, other: NodeId) -> Arc<Slot> {
        let slot = self.table.entry(other).or_insert_with(|| {
            let mut state = State {
                pair: Pair::new(own, other, self.limit),
                sender: None,
                ended: false,
                stranded: false,
            };
            state.reroute(&self.links());
            Arc::new(Slot(Mutex::new(state)))
        });
        Arc::clone(&slot)
    }

    /// The other node is gone: its pair ends, with what is pending on it.
    pub(crate) fn end(&self, other: NodeId) {
        if let Some((_, slot)) = self.table.remove(&other) {
            slot.lock().ended = true;
        }
    }

    /// This node is another one now: every pair ends.
    pub(crate) fn end_all(&self) {
        self.table.retain(|_, slot| {
            slot.lock().ended = true;
            false
        });
    }

    /// Sends an envelope, or says why not. Gives its number.
    pub(crate) fn send(&self, slot: &Slot, mut envelope: Envelope) -> Result<u64, NotTaken> {
        let refusable = envelope.kind.is_refusable();
        let mut state = slot.lock();
        if state.ended {
            return Err(NotTaken::Ended);
        }
        let State { pair, sender, .. } = &mut *state;
        envelope.sequence = pair.outgoing.next_sequence();
        envelope.acknowledged = pair.incoming.delivered();
        let bytes = envelope.element_bytes();
        if refusable && !pair.outgoing.admits(bytes) {
            return Err(NotTaken::Full);
        }
        let mut is_sent = false;
        match sender {
            Some(sender) if pair.outgoing.is_clear() => {
                match sender.send(&envelope, bytes, refusable) {
                    Ok(()) => is_sent = true,
                    Err(Refused::Full) if refusable => return Err(NotTaken::Full),
                    // The link has just ended, or is far behind: the envelope
                    // has its number and goes out with the next attempt.
                    Err(_) => {}
                }
            }
            Some(_) => {}
            None if refusable && self.is_cut_off() => return Err(NotTaken::CutOff),
            None => {}
        }
        let sequence = envelope.sequence;
        pair.outgoing.keep(envelope, bytes, is_sent);
        if is_sent {
            pair.incoming.told();
        }
        drop(state);
        self.arm();
        Ok(sequence)
    }

    /// Takes what an envelope of `slot`'s node says, and says what it means.
    pub(crate) fn arrived(&self, slot: &Slot, envelope: &Envelope) -> Taken {
        let mut taken = Taken {
            deliver: false,
            reached: false,
        };
        let mut state = slot.lock();
        if state.ended {
            return taken;
        }
        let State { pair, stranded, .. } = &mut *state;
        if envelope.acknowledged > 0 && pair.outgoing.acknowledged(envelope.acknowledged) {
            taken.reached = std::mem::take(stranded);
            if !pair.outgoing.is_clear() {
                state.transmit();
            }
        }
        // Even the refusals of requests are kept until they are acknowledged.
        // Past that a request is not taken: it comes again.
        if envelope.kind == EnvelopeKind::Request && state.pair.outgoing.excess() >= 2 * ANSWERS {
            return taken;
        }
        let incoming = &mut state.pair.incoming;
        let arrival = incoming.arrived(envelope.sequence, envelope.body.len());
        if incoming.is_urgent() {
            state.acknowledge();
        }
        let is_owed = state.pair.incoming.is_owed();
        drop(state);
        if is_owed {
            self.press();
        }
        match arrival {
            Arrival::Next => taken.deliver = true,
            Arrival::Seen => self.seen.increment(1),
            Arrival::Early => {}
        }
        taken
    }

    /// Whether the node keeps so many answers for the other that it takes no
    /// more requests of it: they are acknowledged within 20 ms by whoever means
    /// well.
    pub(crate) fn owes_much(&self, slot: &Slot) -> bool {
        slot.lock().pair.outgoing.excess() >= ANSWERS
    }

    /// How the pair with a bridge stands, while calls are under way there or not.
    pub(crate) fn look(&self, other: NodeId, pending: bool) -> Option<Seen> {
        let slot = self.get(other)?;
        let state = slot.lock();
        Some(Seen {
            progress: (
                state.pair.outgoing.progress(),
                state.pair.incoming.delivered(),
            ),
            unlinked: state.stranded && state.pair.route().is_none(),
            pending,
        })
    }

    /// Sends `other` something that says nothing and that it has to acknowledge.
    pub(crate) fn probe(&self, other: NodeId) {
        let Some(slot) = self.get(other) else { return };
        let (source, destination) = {
            let state = slot.lock();
            (state.pair.source, state.pair.destination)
        };
        let envelope = Envelope::new(destination, source, EnvelopeKind::Ack);
        // One that has just ended needs none.
        let _ = self.send(&slot, envelope);
    }

    /// Brokers that have had no link to `other` may have one by now: what waits is sent
    /// again. Only the node's own task asks.
    pub(crate) fn ask_again(&self, other: NodeId) {
        let Some(slot) = self.get(other) else { return };
        let mut state = slot.lock();
        let links = self.links();
        if state.pair.ask_again(&links.routes) {
            state.follow(&links);
            self.resent.increment(state.transmit());
        }
        drop((links, state));
        self.press();
    }

    /// Nobody waits for this envelope any more.
    pub(crate) fn cancel(&self, slot: &Slot, sequence: u64) {
        slot.lock().pair.outgoing.cancel(sequence);
    }

    /// Nobody waits any more for the answers to these requests.
    pub(crate) fn cancel_calls(&self, other: NodeId, calls: &HashSet<u64>) {
        if let Some(slot) = self.get(other) {
            slot.lock().pair.outgoing.cancel_calls(calls);
        }
    }

    /// A broker did not forward something. Gives the node that has turned out to be
    /// out of reach.
    pub(crate) fn refused(
        &self,
        broker: Broker,
        refusal: &Refusal,
        now: Instant,
    ) -> Option<NodeId> {
        let destination = NodeId::from_u64(refusal.destination);
        let slot = self.get(destination)?;
        let mut state = slot.lock();
        // Late words are of what has been acknowledged meanwhile.
        let strands = refusal.reason() == RefusalReason::NoRoute
            && !state.ended
            && !state.stranded
            && !state.pair.outgoing.is_empty();
        state.stranded |= strands;
        let links = self.links();
        if state.pair.refused(broker, refusal, &links.routes, now) {
            state.follow(&links);
            self.resent.increment(state.transmit());
        }
        drop((links, state));
        self.press();
        strands.then_some(destination)
    }

    /// These are the links now; `ended` are those that have ended since the
    /// last time, even if they are there again.
    pub(crate) fn set_links(
        &self,
        routes: Routes,
        senders: Vec<(Broker, LinkSender)>,
        ended: &[Broker],
    ) {
        {
            let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
            links.cut_off = match routes.is_empty() {
                true => links.cut_off.or_else(|| Some(Instant::now())),
                false => None,
            };
            links.routes = routes;
            links.senders = senders;
        }
        for slot in &self.table {
            let mut state = slot.lock();
            for broker in ended {
                state.pair.link_ended(*broker);
            }
            let links = self.links();
            if state.reroute(&links) {
                self.resent.increment(state.transmit());
            }
        }
        self.press();
    }

    /// Looks at the time: what has waited too long goes again, what is owed is
    /// acknowledged. Says how soon to look again; when there is nothing to wait
    /// for, [`woken`](Self::woken) says when there is again.
    pub(crate) fn tick(&self, now: Instant) -> Option<Duration> {
        let (mut active, mut pressing) = (false, false);
        for slot in &self.table {
            let mut state = slot.lock();
            if !state.pair.is_active() {
                continue;
            }
            let links = self.links();
            let due = state.pair.tick(&links.routes, now);
            if due.rerouted {
                state.follow(&links);
            }
            if due.transmit {
                self.resent.increment(state.transmit());
            }
            if due.acknowledge && state.pair.incoming.is_owed() {
                state.acknowledge();
            }
            active |= state.pair.is_active();
            pressing |= state.pair.is_pressing();
        }
        if pressing {
            return Some(SOON);
        }
        if active {
            return Some(LATER);
        }
        // Whoever comes between the look and the sleep finds it asleep and
        // wakes it, or came early enough to be seen by the second look.
        self.awake.store(false, Ordering::SeqCst);
        let active = self.table.iter().any(|slot| slot.lock().pair.is_active());
        if active {
            self.awake.store(true, Ordering::SeqCst);
        }
        active.then_some(SOON)
    }

    /// Whether something has come up since the last time that should not wait
    /// for long.
    pub(crate) fn take_pressing(&self) -> bool {
        self.pressing.load(Ordering::Relaxed) && self.pressing.swap(false, Ordering::Relaxed)
    }

    /// Waits until there is something for [`tick`](Self::tick) to do, or
    /// somebody has called [`nudge`](Self::nudge).
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Wakes whoever waits for [`woken`](Self::woken), for a reason of its own.
    pub(crate) fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Whether there is something for [`tick`](Self::tick) to do.
    pub(crate) fn is_awake(&self) -> bool {
        self.awake.load(Ordering::SeqCst)
    }

    /// What has not been acknowledged, of all pairs.
    pub(crate) fn stock(&self) -> Stock {
        let mut stock = Stock::default();
        for slot in &self.table {
            let state = slot.lock();
            let bytes = state.pair.outgoing.bytes();
            stock.messages += state.pair.outgoing.len() as u64;
            stock.bytes += bytes as u64;
            stock.fill = stock.fill.max(bytes as f64 / self.limit.max(1) as f64);
        }
        stock
    }

    /// Whether everything that was sent has been acknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        let mut slots = self.table.iter();
        slots.all(|slot| slot.lock().pair.outgoing.is_empty())
    }

    /// Wakes the upkeep.
    pub(crate) fn arm(&self) {
        if !self.awake.load(Ordering::SeqCst) && !self.awake.swap(true, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// Wakes the upkeep, for something that should not wait for long. Only the
    /// node's own task does this, and asks for it afterwards.
    fn press(&self) {
        self.pressing.store(true, Ordering::Relaxed);
        self.arm();
    }

    /// Whether no broker has carried anything for a while.
    pub(crate) fn is_cut_off(&self) -> bool {
        let cut_off = self.links().cut_off;
        cut_off.is_some_and(|since| since.elapsed() >= CUT_OFF)
    }

    fn links(&self) -> RwLockReadGuard<'_, Links> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Chooses the broker anew; says whether it is another.
    fn reroute(&mut self, links: &Links) -> bool {
        let rerouted = self.pair.reroute(&links.routes);
        if rerouted {
            self.follow(links);
        }
        rerouted
    }

    /// Takes the link of the pair's broker.
    fn follow(&mut self, links: &Links) {
        let route = self.pair.route();
        let link = links
            .senders
            .iter()
            .find(|(broker, _)| Some(*broker) == route);
        self.sender = link.map(|(_, sender)| sender.clone());
    }

    /// Sends what waits, as far as there is room. Says how many went.
    fn transmit(&mut self) -> u64 {
        let Some(sender) = &self.sender else { return 0 };
        let acknowledged = self.pair.incoming.delivered();
        let mut count = 0;
        while let Some(envelope) = self.pair.outgoing.next() {
            envelope.acknowledged = acknowledged;
            // Whatever its kind: what has been kept so far can wait for room.
            if sender
                .send(envelope, envelope.element_bytes(), true)
                .is_err()
            {
                break;
            }
            self.pair.outgoing.advance();
            count += 1;
        }
        if count > 0 {
            self.pair.incoming.told();
        }
        count
    }

    /// Says how far the other node's envelopes have arrived.
    fn acknowledge(&mut self) {
        let Some(sender) = &self.sender else { return };
        let envelope = Envelope {
            acknowledged: self.pair.incoming.delivered(),
            ..Envelope::new(self.pair.destination, self.pair.source, EnvelopeKind::Ack)
        };
        if sender
            .send(&envelope, envelope.element_bytes(), false)
            .is_ok()
        {
            self.pair.incoming.told();
        }
    }
}
