//! One end of a pair, as the node's shell drives it: without locks and sockets,
//! and with a record of what was accepted and what was delivered.

use std::collections::BTreeMap;

use ffrpc::channel::{Arrival, Broker, Pair, Routes};
use protocol::{Envelope, NodeId, envelope::EnvelopeKind, v1::Refusal};
use tokio::time::Instant;

/// Puts an envelope on this node's link to a broker; `refusable` is what may
/// find no room there. Says whether it was taken.
pub(crate) type Link<'a> = dyn FnMut(Broker, &Envelope, bool) -> bool + 'a;

pub(crate) struct End {
    pub(crate) pair: Pair,
    /// What has got a number, from 1.
    pub(crate) accepted: Vec<Accepted>,
    /// How many have been delivered here.
    pub(crate) delivered: usize,
    /// What is not acknowledged, counted once more: bytes by number.
    kept: BTreeMap<u64, Recount>,
    limit: usize,
}

/// A message that got a number, and so has to arrive.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) kind: EnvelopeKind,
    pub(crate) call_id: u64,
    pub(crate) cancelled: bool,
    #[allow(dead_code, reason = "not every test asks for it")]
    pub(crate) at: Instant,
}

#[derive(Debug)]
struct Recount {
    bytes: usize,
    refusable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl End {
    pub(crate) fn new(own: NodeId, other: NodeId, limit: usize, routes: &Routes) -> Self {
        let mut pair = Pair::new(own, other, limit);
        pair.reroute(routes);
        End {
            pair,
            accepted: Vec::new(),
            delivered: 0,
            kept: BTreeMap::new(),
            limit,
        }
    }

    /// Sends a message with this id, or says that there is no room.
    pub(crate) fn send(
        &mut self,
        kind: EnvelopeKind,
        call_id: u64,
        body: usize,
        now: Instant,
        link: &mut Link<'_>,
    ) -> Result<u64, Full> {
        let outgoing = &mut self.pair.outgoing;
        let envelope = Envelope {
            sequence: outgoing.next_sequence(),
            acknowledged: self.pair.incoming.delivered(),
            call_id,
            body: vec![0; body].into(),
            ..Envelope::new(self.pair.destination, self.pair.source, kind)
        };
        let (sequence, bytes, refusable) = (
            envelope.sequence,
            envelope.element_bytes(),
            kind.is_refusable(),
        );
        if refusable && !outgoing.admits(bytes) {
            return Err(Full);
        }
        let is_clear = outgoing.is_clear();
        let is_sent = match self.pair.route() {
            Some(broker) if is_clear => {
                let is_sent = link(broker, &envelope, refusable);
                if !is_sent && refusable {
                    return Err(Full);
                }
                is_sent
            }
            _ => false,
        };
        self.pair.outgoing.keep(envelope, bytes, is_sent);
        if is_sent {
            self.pair.incoming.told();
        }
        self.note(sequence, bytes, kind, call_id, now);
        Ok(sequence)
    }

    /// An envelope has arrived. Says whether it is to be handled.
    pub(crate) fn arrived(&mut self, envelope: &Envelope, link: &mut Link<'_>) -> bool {
        if envelope.acknowledged > 0 {
            self.acknowledged(envelope.acknowledged);
            if !self.pair.outgoing.is_clear() {
                self.transmit(link);
            }
        }
        let arrival = self
            .pair
            .incoming
            .arrived(envelope.sequence, envelope.body.len());
        if self.pair.incoming.is_urgent() {
            self.acknowledge(link);
        }
        arrival == Arrival::Next
    }

    fn acknowledged(&mut self, sequence: u64) {
        let next = self.pair.outgoing.next_sequence();
        let is_news = self.pair.outgoing.acknowledged(sequence);
        let is_known = self.kept.contains_key(&sequence);
        assert_eq!(is_news, is_known, "acknowledgement of {sequence}");
        assert_eq!(self.pair.outgoing.next_sequence(), next);
        if is_known {
            self.kept = self.kept.split_off(&(sequence + 1));
        }
    }

    pub(crate) fn refused(
        &mut self,
        broker: Broker,
        refusal: &Refusal,
        routes: &Routes,
        now: Instant,
        link: &mut Link<'_>,
    ) {
        if self.pair.refused(broker, refusal, routes, now) {
            self.transmit(link);
        }
    }

    /// The routes are these now, and these links have ended.
    pub(crate) fn set_routes(&mut self, routes: &Routes, ended: &[Broker], link: &mut Link<'_>) {
        for broker in ended {
            self.pair.link_ended(*broker);
        }
        if self.pair.reroute(routes) {
            self.transmit(link);
        }
    }

    pub(crate) fn tick(&mut self, routes: &Routes, now: Instant, link: &mut Link<'_>) {
        if !self.pair.is_active() {
            return;
        }
        let before = self.pair.outgoing.next_sequence();
        let bytes = self.pair.outgoing.bytes();
        let due = self.pair.tick(routes, now);
        if self.pair.outgoing.next_sequence() > before {
            // It insists on an acknowledgement.
            let bytes = self.pair.outgoing.bytes() - bytes;
            self.note(before, bytes, EnvelopeKind::Ack, 0, now);
        }
        if due.transmit {
            self.transmit(link);
        }
        if due.acknowledge && self.pair.incoming.is_owed() {
            self.acknowledge(link);
        }
    }

    pub(crate) fn cancel(&mut self, sequence: u64) {
        let before = self.pair.outgoing.bytes();
        self.pair.outgoing.cancel(sequence);
        let saved = before - self.pair.outgoing.bytes();
        if let Some(accepted) = self.accepted.get_mut(sequence as usize - 1) {
            accepted.cancelled = true;
        }
        match self.kept.get_mut(&sequence) {
            Some(kept) => kept.bytes -= saved,
            None => assert_eq!(saved, 0, "cancelled what was acknowledged"),
        }
    }

    /// What arrived is the next that `source`, the other end, accepted.
    pub(crate) fn deliver(&mut self, envelope: &Envelope, source: &End) {
        self.delivered += 1;
        let Some(accepted) = source.accepted.get(self.delivered - 1) else {
            panic!("{envelope:?} was never accepted");
        };
        assert_eq!(
            envelope.sequence, self.delivered as u64,
            "delivered out of turn: {envelope:?}"
        );
        let is_itself = (envelope.kind, envelope.call_id) == (accepted.kind, accepted.call_id);
        let is_empty = accepted.cancelled
            && (envelope.kind, envelope.call_id) == (EnvelopeKind::Ack, 0)
            && envelope.body.is_empty();
        assert!(is_itself || is_empty, "{accepted:?} became {envelope:?}");
    }

    /// What has to hold at any time.
    pub(crate) fn check(&self) {
        let bytes = |which: fn(&Recount) -> bool| -> usize {
            let chosen = self.kept.values().filter(|kept| which(kept));
            chosen.map(|kept| kept.bytes).sum()
        };
        assert_eq!(self.pair.outgoing.bytes(), bytes(|_| true));
        let refusable = bytes(|kept| kept.refusable);
        assert!(
            refusable <= self.limit
                || self.kept.values().filter(|kept| kept.refusable).count() == 1
                || self.oversize_is_first(),
            "{refusable} bytes kept, at most {}",
            self.limit
        );
    }

    /// Whether everything that was accepted here is known to have arrived.
    pub(crate) fn is_settled(&self) -> bool {
        self.pair.outgoing.is_empty()
    }

    /// One that is larger than the bound was alone when it came; only what may
    /// not be refused can have come after it.
    fn oversize_is_first(&self) -> bool {
        let mut kept = self.kept.values();
        kept.next().is_some_and(|first| first.bytes > self.limit)
            && kept.all(|later| !later.refusable)
    }

    fn transmit(&mut self, link: &mut Link<'_>) {
        let Some(broker) = self.pair.route() else {
            return;
        };
        let acknowledged = self.pair.incoming.delivered();
        let mut count = 0;
        while let Some(envelope) = self.pair.outgoing.next() {
            envelope.acknowledged = acknowledged;
            if !link(broker, envelope, true) {
                break;
            }
            self.pair.outgoing.advance();
            count += 1;
        }
        if count > 0 {
            self.pair.incoming.told();
        }
    }

    fn acknowledge(&mut self, link: &mut Link<'_>) {
        let Some(broker) = self.pair.route() else {
            return;
        };
        let envelope = Envelope {
            acknowledged: self.pair.incoming.delivered(),
            ..Envelope::new(self.pair.destination, self.pair.source, EnvelopeKind::Ack)
        };
        if link(broker, &envelope, false) {
            self.pair.incoming.told();
        }
    }

    fn note(&mut self, sequence: u64, bytes: usize, kind: EnvelopeKind, call_id: u64, at: Instant) {
        let recount = Recount {
            bytes,
            refusable: kind.is_refusable(),
        };
        self.kept.insert(sequence, recount);
        assert_eq!(self.accepted.len() as u64 + 1, sequence);
        self.accepted.push(Accepted {
            kind,
            call_id,
            cancelled: false,
            at,
        });
    }
}
