//! Forwarding: from a link's batch into the outboxes of its destinations.
//!
//! Only element heads and routing fields are read. Neighbours for one
//! destination are copied together, and each destination is woken once, when
//! the whole batch has been forwarded.

mod fault;
mod round;
#[cfg(test)]
mod tests;
mod turned_down;

use std::{ops::Range, sync::atomic::Ordering};

use bytes::{BufMut, Bytes};
use protocol::{
    Envelope, NodeId,
    batch::{self, Element},
    envelope::{Routing, WireError},
    link::Refused,
};

use crate::{
    links::{Links, Outlet},
    metrics::DropReason,
};
pub use fault::LinkFault;
use round::Round;

/// Neighbours in a batch that have one destination.
struct Run {
    destination: NodeId,
    bytes: Range<usize>,
    envelopes: u64,
    refusable: bool,
}

impl Links {
    /// Forwards what arrived on the link of `node`. After a fault the link has
    /// to be closed; what stood before the fault has been forwarded.
    pub fn forward_batch(&self, node: NodeId, batch: &Bytes) -> Result<(), LinkFault> {
        self.forward_counted(node, batch).map(|_| ())
    }

    /// The same; says how many envelopes there were.
    pub(crate) fn forward_counted(&self, node: NodeId, batch: &Bytes) -> Result<u64, LinkFault> {
        let mut count = 0;
        let mut round = Round::default();
        let mut run: Option<Run> = None;
        let mut outcome = Ok(());
        for element in batch::elements(batch) {
            let (element, routing) = match checked(node, batch, element) {
                Ok(both) => both,
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            };
            count += 1;
            match &mut run {
                Some(run) if run.destination == routing.destination => {
                    run.bytes.end = element.whole.end;
                    run.envelopes += 1;
                    run.refusable |= routing.kind.is_refusable();
                }
                _ => {
                    let next = Run {
                        destination: routing.destination,
                        bytes: element.whole,
                        envelopes: 1,
                        refusable: routing.kind.is_refusable(),
                    };
                    if let Some(done) = run.replace(next) {
                        self.forward_run(node, batch, &done, &mut round);
                    }
                }
            }
        }
        if let Some(last) = run {
            self.forward_run(node, batch, &last, &mut round);
        }
        self.metrics.batches.increment(1);
        self.end(round);
        outcome.map(|()| count)
    }

    /// Forwards one envelope of a node in this process.
    pub fn forward(&self, envelope: Envelope) {
        let mut round = Round::default();
        if envelope.destination == NodeId::BROKER {
            self.hear(envelope.source, [envelope], &mut round);
        } else {
            let outlet = self.outlet(envelope.destination);
            self.hand_over(outlet.as_ref(), envelope, &mut round);
        }
        self.end(round);
    }

    fn forward_run(&self, node: NodeId, batch: &Bytes, run: &Run, round: &mut Round) {
        if run.destination == NodeId::BROKER {
            let words = batch.slice(run.bytes.clone());
            return self.hear(node, self.envelopes(&words), round);
        }
        let outlet = self.outlet(run.destination);
        if let Some(Outlet::Stream(outbox)) = &outlet {
            let bytes = &batch[run.bytes.clone()];
            let put = outbox.offer_run(run.envelopes, bytes.len(), run.refusable, |buffer| {
                buffer.put_slice(bytes);
            });
            if let Ok(was_empty) = put {
                round.put(run.envelopes, bytes.len());
                if was_empty {
                    round.wake(Outlet::Stream(outbox.clone()));
                }
                return;
            }
        }
        // One by one: to a node of this process, or because there is no room
        // for all of them, or no link.
        let mut refused = None;
        for envelope in self.envelopes(&batch.slice(run.bytes.clone())) {
            match refused {
                // Its receiver takes numbers in turn, and one is missing.
                Some(reason) if envelope.sequence != 0 => self.metrics.refused(reason),
                _ => {
                    let outcome = self.hand_over(outlet.as_ref(), envelope, round);
                    refused = refused.or(outcome);
                }
            }
        }
    }

    /// The envelopes of a run, as slices of it. What cannot be read has passed
    /// through other brokers in vain, to be dropped by its receiver: it is
    /// dropped here.
    fn envelopes(&self, run: &Bytes) -> impl Iterator<Item = Envelope> {
        batch::envelopes(run).filter_map(|envelope| {
            envelope
                .inspect_err(|_| self.metrics.dropped_malformed())
                .ok()
        })
    }

    /// Puts the envelope where its destination takes it from. If that refuses
    /// an envelope with a number, its source hears of it, and the answer is
    /// why.
    fn hand_over(
        &self,
        outlet: Option<&Outlet>,
        envelope: Envelope,
        round: &mut Round,
    ) -> Option<DropReason> {
        let Some(outlet) = outlet else {
            return self.turn_down(&envelope, DropReason::NoRoute, round);
        };
        let bytes = envelope.element_bytes();
        let (refused, envelope) = match outlet.offer(envelope) {
            Ok(was_empty) => {
                round.put(1, bytes);
                if was_empty {
                    round.wake(outlet.clone());
                }
                return None;
            }
            Err(unsent) => *unsent,
        };
        let reason = match refused {
            Refused::Closed => DropReason::NoRoute,
            // Whatever it is: its sender, who may be anybody, has no say in
            // whether the destination keeps its link.
            Refused::Full => DropReason::Overloaded,
        };
        self.turn_down(&envelope, reason, round)
    }

    fn outlet(&self, node: NodeId) -> Option<Outlet> {
        let expected = self.table.get(&node)?;
        expected.link.as_ref().map(|link| link.outlet.clone())
    }

    fn end(&self, round: Round) {
        if round.envelopes > 0 {
            self.metrics.envelopes.increment(round.envelopes);
            self.metrics.bytes.increment(round.bytes);
            self.forwarded.fetch_add(round.envelopes, Ordering::Relaxed);
            self.forwarded_bytes
                .fetch_add(round.bytes, Ordering::Relaxed);
        }
        round.end();
    }
}

/// The element and where it goes, if it may go there.
fn checked(
    node: NodeId,
    batch: &Bytes,
    element: Result<Element, WireError>,
) -> Result<(Element, Routing), LinkFault> {
    let malformed = |error| LinkFault::Malformed { node, error };
    let element = element.map_err(malformed)?;
    let routing = batch::routing(batch, &element).map_err(malformed)?;
    if routing.source != node {
        return Err(LinkFault::ForgedSource {
            node,
            claimed: routing.source,
        });
    }
    Ok((element, routing))
}
