//! Forwarding: from a link's batch into the outboxes of its destinations.
//!
//! Only element heads and routing fields are read. Neighbours for one
//! destination are copied together, and each destination is woken once, when
//! the whole batch has been forwarded.

use std::ops::Range;

use bytes::{BufMut, Bytes};
use protocol::{
    CallError, Envelope, ErrorKind, NodeId,
    batch::{self, Element},
    envelope::{EnvelopeKind, Routing, WireError},
    link::Refused,
};

use crate::{
    links::{Links, Outlet},
    metrics::DropReason,
};

/// What a node did that ends its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It sent what is not a batch.
    #[error("node {node} sent a batch that cannot be read: {error}")]
    Malformed {
        /// Whose link it is.
        node: NodeId,
        /// What is wrong.
        error: WireError,
    },
    /// It sent in another node's name.
    #[error("node {node} sent in the name of node {claimed}")]
    ForgedSource {
        /// Whose link it is.
        node: NodeId,
        /// Whose name it used.
        claimed: NodeId,
    },
}

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
        let mut wakes = Wakes::default();
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
                        self.forward_run(batch, &done, &mut wakes);
                    }
                }
            }
        }
        if let Some(last) = run {
            self.forward_run(batch, &last, &mut wakes);
        }
        self.metrics.batches.increment(1);
        wakes.wake();
        outcome
    }

    /// Forwards one envelope of a node in this process.
    pub fn forward(&self, envelope: Envelope) {
        let mut wakes = Wakes::default();
        self.metrics.envelopes.increment(1);
        match self.outlet(envelope.destination) {
            Some(outlet) => self.hand_over(outlet, envelope, &mut wakes),
            None => self.undeliverable(&envelope, DropReason::NoRoute, &mut wakes),
        }
        wakes.wake();
    }

    fn forward_run(&self, batch: &Bytes, run: &Run, wakes: &mut Wakes) {
        self.metrics.envelopes.increment(run.envelopes);
        self.metrics.bytes.increment(run.bytes.len() as u64);
        let outlet = self.outlet(run.destination);
        if let Some(Outlet::Stream(outbox)) = &outlet {
            let bytes = &batch[run.bytes.clone()];
            let copied = outbox.push(bytes.len(), run.refusable, |buffer| buffer.put_slice(bytes));
            if let Ok(was_empty) = copied {
                if was_empty {
                    wakes.add(Outlet::Stream(outbox.clone()));
                }
                return;
            }
        }
        // One by one: to a node of this process, or because there is no room
        // for all of them, or no link.
        let run = batch.slice(run.bytes.clone());
        for envelope in batch::envelopes(&run) {
            // A content that cannot be read has passed through brokers before
            // this one in vain: here it would be dropped by its receiver.
            let Ok(envelope) = envelope else { continue };
            match outlet.clone() {
                Some(outlet) => self.hand_over(outlet, envelope, wakes),
                None => self.undeliverable(&envelope, DropReason::NoRoute, wakes),
            }
        }
    }

    fn hand_over(&self, outlet: Outlet, envelope: Envelope, wakes: &mut Wakes) {
        // What a refusal has to be answered with, kept while the queue takes
        // the envelope itself. Bodies are not needed for that.
        let answer_to = Envelope {
            body: Bytes::new(),
            trace_context: Bytes::new(),
            ..envelope.clone()
        };
        match push(&outlet, envelope) {
            Ok(true) => wakes.add(outlet),
            Ok(false) => {}
            Err(Refused::Full) => self.undeliverable(&answer_to, DropReason::Overloaded, wakes),
            Err(Refused::Closed) => self.undeliverable(&answer_to, DropReason::NoRoute, wakes),
        }
    }

    /// Ends what cannot be forwarded: a request is answered, anything else is
    /// counted.
    fn undeliverable(&self, envelope: &Envelope, reason: DropReason, wakes: &mut Wakes) {
        self.metrics.dropped(reason);
        if envelope.kind != EnvelopeKind::Request {
            return;
        }
        let error = match reason {
            DropReason::NoRoute => CallError::new(
                ErrorKind::NoRoute,
                format!("the broker has no link to node {}", envelope.destination),
            ),
            DropReason::Overloaded => CallError::new(
                ErrorKind::Overloaded,
                format!(
                    "the broker's queue for node {} is full",
                    envelope.destination
                ),
            ),
        };
        let answer = Envelope {
            call_id: envelope.call_id,
            body: error.encode().into(),
            ..Envelope::new(envelope.source, NodeId::BROKER, EnvelopeKind::Error)
        };
        if let Some(outlet) = self.outlet(envelope.source)
            && push(&outlet, answer) == Ok(true)
        {
            wakes.add(outlet);
        }
    }

    fn outlet(&self, node: NodeId) -> Option<Outlet> {
        self.table.get(&node)?.value().clone()
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

fn push(outlet: &Outlet, envelope: Envelope) -> Result<bool, Refused> {
    match outlet {
        Outlet::Stream(outbox) => outbox.push(
            envelope.element_bytes(),
            envelope.kind.is_refusable(),
            |buffer| envelope.write(buffer),
        ),
        Outlet::Memory(queue) => queue.push(envelope),
    }
}

/// The outlets to wake when a batch has been forwarded. An outlet is added only
/// when it was empty before, so each stands here at most a few times.
#[derive(Default)]
struct Wakes(Vec<Outlet>);

impl Wakes {
    fn add(&mut self, outlet: Outlet) {
        self.0.push(outlet);
    }

    fn wake(self) {
        for outlet in self.0 {
            outlet.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BytesMut;
    use futures_util::{FutureExt, StreamExt};
    use protocol::{Secret, link::Outbox};

    use super::*;

    const A: NodeId = NodeId::new(1, 1);
    const B: NodeId = NodeId::new(1, 2);
    const C: NodeId = NodeId::new(1, 3);

    fn links(outbox_bytes: usize) -> Arc<Links> {
        let links = Links::new("GroupA".parse().unwrap(), Secret::default(), outbox_bytes);
        for node in [A, B, C] {
            links.expect(node);
        }
        links
    }

    fn envelope(destination: NodeId, kind: EnvelopeKind, call_id: u64) -> Envelope {
        Envelope {
            call_id,
            body: vec![1; 10].into(),
            ..Envelope::new(destination, A, kind)
        }
    }

    fn batch(envelopes: &[Envelope]) -> Bytes {
        let mut batch = BytesMut::new();
        for envelope in envelopes {
            envelope.write(&mut batch);
        }
        batch.freeze()
    }

    fn received(outbox: &Arc<Outbox>) -> Vec<Envelope> {
        let mut envelopes = Vec::new();
        let mut stream = outbox.stream();
        while let Some(Some(batch)) = stream.next().now_or_never() {
            envelopes.extend(batch::envelopes(&batch).map(Result::unwrap));
        }
        envelopes
    }

    #[test]
    fn each_destination_gets_its_own_in_order_by_socket_and_by_memory() {
        let links = links(1 << 20);
        let to_b = links.open_stream(B).unwrap();
        let to_c = links.open_memory(C).unwrap();
        let sent: Vec<_> = (0..100)
            .map(|n| envelope(if n % 3 == 0 { B } else { C }, EnvelopeKind::Notify, n))
            .collect();
        links.forward_batch(A, &batch(&sent)).unwrap();

        let for_node = |node| -> Vec<_> {
            sent.iter()
                .filter(|one| one.destination == node)
                .cloned()
                .collect()
        };
        assert_eq!(received(&to_b), for_node(B));
        assert_eq!(to_c.take().now_or_never().flatten().unwrap(), for_node(C));
    }

    #[test]
    fn a_node_that_speaks_in_anothers_name_is_stopped_there() {
        let links = links(1 << 20);
        let to_c = links.open_stream(C).unwrap();
        let honest = envelope(C, EnvelopeKind::Notify, 1);
        let forged = Envelope {
            source: B,
            ..honest.clone()
        };
        let after = envelope(C, EnvelopeKind::Notify, 2);
        assert_eq!(
            links.forward_batch(A, &batch(&[honest.clone(), forged, after])),
            Err(LinkFault::ForgedSource {
                node: A,
                claimed: B
            })
        );
        assert_eq!(received(&to_c), [honest]);
    }

    #[test]
    fn garbage_ends_the_link_that_sent_it() {
        let fault = links(1000).forward_batch(A, &Bytes::from_static(b"GET / HTTP/1.1"));
        assert!(
            matches!(fault, Err(LinkFault::Malformed { node: A, .. })),
            "{fault:?}"
        );
    }

    #[test]
    fn a_request_without_a_route_is_answered_and_the_rest_is_not() {
        let links = links(1000);
        let to_a = links.open_stream(A).unwrap();
        let sent = [
            envelope(B, EnvelopeKind::Notify, 0),
            envelope(B, EnvelopeKind::Request, 7),
            envelope(B, EnvelopeKind::Response, 8),
        ];
        links.forward_batch(A, &batch(&sent)).unwrap();
        let answers = received(&to_a);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].call_id, answers[0].source), (7, NodeId::BROKER));
        assert_eq!(CallError::decode(&answers[0].body).kind, ErrorKind::NoRoute);
    }

    #[test]
    fn a_full_outbox_answers_overloaded_and_still_takes_responses() {
        for memory in [false, true] {
            let one = envelope(B, EnvelopeKind::Request, 1).element_bytes();
            let links = links(one * 2);
            let to_a = links.open_stream(A).unwrap();
            let waiting: Box<dyn Fn() -> usize> = if memory {
                let queue = links.open_memory(B).unwrap();
                Box::new(move || queue.bytes())
            } else {
                let outbox = links.open_stream(B).unwrap();
                Box::new(move || outbox.bytes())
            };
            let sent: Vec<_> = (1..=4)
                .map(|id| envelope(B, EnvelopeKind::Request, id))
                .chain([envelope(B, EnvelopeKind::Response, 5)])
                .collect();
            links.forward_batch(A, &batch(&sent)).unwrap();
            assert_eq!(waiting(), 3 * one);
            let refused: Vec<_> = received(&to_a)
                .into_iter()
                .map(|answer| (answer.call_id, CallError::decode(&answer.body).kind))
                .collect();
            assert_eq!(
                refused,
                [(3, ErrorKind::Overloaded), (4, ErrorKind::Overloaded)]
            );
        }
    }
}
