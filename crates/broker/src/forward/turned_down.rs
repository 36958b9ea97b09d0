//! What a broker says itself: pongs, and that something could not be forwarded.

use prost::Message;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId,
    envelope::EnvelopeKind,
    v1::{Refusal, RefusalReason},
};

use super::round::Round;
use crate::{links::Links, metrics::DropReason};

impl Links {
    /// Takes what `node` says to the broker itself. Pings in a row get one pong.
    pub(super) fn hear(
        &self,
        node: NodeId,
        envelopes: impl IntoIterator<Item = Envelope>,
        round: &mut Round,
    ) {
        let mut pinged = false;
        for envelope in envelopes {
            match envelope.kind {
                EnvelopeKind::Ping => pinged = true,
                _ => {
                    self.turn_down(&envelope, DropReason::NoRoute, round);
                }
            }
        }
        if pinged {
            self.watch(node);
            let pong = Envelope::new(node, NodeId::BROKER, EnvelopeKind::Pong);
            self.say(pong, round);
        }
    }

    /// Ends what cannot be forwarded. One with a number is refused: its source
    /// hears from which number on to send again, and the answer is why. Of the
    /// others a request is answered, and the rest is counted.
    pub(super) fn turn_down(
        &self,
        envelope: &Envelope,
        reason: DropReason,
        round: &mut Round,
    ) -> Option<DropReason> {
        if envelope.sequence != 0 {
            self.metrics.refused(reason);
            if round.is_news(envelope.destination, envelope.sequence) {
                self.say(refusal(envelope, reason), round);
            }
            return Some(reason);
        }
        self.metrics.dropped(reason);
        if envelope.kind == EnvelopeKind::Request {
            self.say(error(envelope, reason), round);
        }
        None
    }

    /// The broker's own word. Where a node does not even read those, they are
    /// lost: its calls end by their deadlines, and what it numbered it sends
    /// again.
    fn say(&self, word: Envelope, round: &mut Round) {
        let Some(outlet) = self.outlet(word.destination) else {
            return;
        };
        match outlet.offer(word) {
            Ok(true) => round.wake(outlet),
            Ok(false) => {}
            Err(_) => self.metrics.dropped(DropReason::Overloaded),
        }
    }
}

fn refusal(envelope: &Envelope, reason: DropReason) -> Envelope {
    let reason = match reason {
        DropReason::NoRoute => RefusalReason::NoRoute,
        DropReason::Overloaded => RefusalReason::NoRoom,
    };
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

fn error(envelope: &Envelope, reason: DropReason) -> Envelope {
    let to = envelope.destination;
    let error = match reason {
        DropReason::NoRoute => CallError::new(
            ErrorKind::NoRoute,
            format!("the broker has no link to node {to}"),
        ),
        DropReason::Overloaded => CallError::new(
            ErrorKind::Overloaded,
            format!("the broker's queue for node {to} is full"),
        ),
    };
    Envelope {
        call_id: envelope.call_id,
        body: error.encode().into(),
        ..Envelope::new(envelope.source, NodeId::BROKER, EnvelopeKind::Error)
    }
}
