//! A broker: from the batch of a node into the queues of its destinations.

use prost::Message;
use protocol::{
    Envelope, NodeId,
    envelope::EnvelopeKind,
    v1::{Refusal, RefusalReason},
};

use crate::wires::{Way, Wires};

/// A broker, as far as the others can tell.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) id: ffrpc::channel::Broker,
    pub(crate) alive: bool,
    pub(crate) frozen: bool,
    /// It is leaving: nobody opens links to it any more.
    pub(crate) draining: bool,
    /// Which nodes it has a link to, as it believes.
    pub(crate) linked: Vec<bool>,
    /// How many envelopes it has been given to forward.
    pub(crate) given: usize,
}

impl Broker {
    /// Forwards what has come from `node` as real brokers do: a run of
    /// neighbours that is refused is refused from its first number on.
    pub(crate) fn forward(
        &self,
        own: usize,
        node: usize,
        batch: &[Envelope],
        wires: &mut Wires,
        index_of: impl Fn(NodeId) -> usize,
    ) {
        // The source hears of each destination once for each batch.
        let mut told = Vec::new();
        for run in batch.chunk_by(|one, other| one.destination == other.destination) {
            let destination = index_of(run[0].destination);
            let way = Way {
                node: destination,
                broker: own,
                up: false,
            };
            let mut refused = false;
            for envelope in run {
                if refused && envelope.sequence != 0 {
                    continue;
                }
                let reason = match self.linked[destination] {
                    false => RefusalReason::NoRoute,
                    true if wires.offer(way, envelope, envelope.kind.is_refusable()) => continue,
                    true => RefusalReason::NoRoom,
                };
                if envelope.sequence == 0 {
                    continue;
                }
                refused = true;
                if !told.contains(&destination) {
                    told.push(destination);
                    let back = Way {
                        node,
                        broker: own,
                        up: false,
                    };
                    wires.offer(back, &refusal(envelope, reason), false);
                }
            }
        }
    }
}

fn refusal(envelope: &Envelope, reason: RefusalReason) -> Envelope {
    let refusal = Refusal {
        destination: envelope.destination.as_u64(),
        sequence: envelope.sequence,
        reason: reason.into(),
    };
    Envelope {
        body: refusal.encode_to_vec().into(),
        ..Envelope::new(envelope.source, NodeId::BROKER, EnvelopeKind::Refused)
    }
}
