//! What arrives where, and what is said to whom when it does not.

use std::sync::Arc;

use bytes::BytesMut;
use futures_util::{FutureExt, StreamExt};
use prost::Message;
use protocol::{
    CallError, ErrorKind, Secret,
    envelope::EnvelopeKind,
    link::{MAX_BATCH_BYTES, Outbox},
    v1::{Refusal, RefusalReason},
};
use tokio_util::sync::CancellationToken;

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

fn open(links: &Links, node: NodeId) -> Arc<Outbox> {
    links
        .open_stream(node, &CancellationToken::new())
        .unwrap()
        .outbox
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
    let to_b = open(&links, B);
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
    let to_c = open(&links, C);
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
    let to_a = open(&links, A);
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
        let to_a = open(&links, A);
        let waiting: Box<dyn Fn() -> usize> = if memory {
            let queue = links.open_memory(B).unwrap();
            Box::new(move || queue.bytes())
        } else {
            let outbox = open(&links, B);
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

fn numbered(destination: NodeId, kind: EnvelopeKind, sequence: u64) -> Envelope {
    Envelope {
        sequence,
        ..envelope(destination, kind, sequence)
    }
}

fn refusals(outbox: &Arc<Outbox>) -> Vec<(NodeId, u64, RefusalReason)> {
    received(outbox)
        .into_iter()
        .map(|word| {
            assert_eq!(
                (word.kind, word.source, word.destination),
                (EnvelopeKind::Refused, NodeId::BROKER, A)
            );
            let refusal = Refusal::decode(word.body).unwrap();
            let to = NodeId::from_u64(refusal.destination);
            (to, refusal.sequence, refusal.reason())
        })
        .collect()
}

#[test]
fn a_full_outbox_refuses_the_first_number_and_drops_the_rest_of_the_run() {
    for memory in [false, true] {
        let one = numbered(B, EnvelopeKind::Request, 1).element_bytes();
        let links = links(one * 2);
        let to_a = open(&links, A);
        let (queue, outbox) = match memory {
            true => (links.open_memory(B), None),
            false => (None, Some(open(&links, B))),
        };
        // The response would have room where the requests have none, and must
        // not overtake them.
        let sent: Vec<_> = (1..=4)
            .map(|n| numbered(B, EnvelopeKind::Request, n))
            .chain([numbered(B, EnvelopeKind::Response, 5)])
            .chain([envelope(B, EnvelopeKind::Ack, 0)])
            .collect();
        links.forward_batch(A, &batch(&sent)).unwrap();
        assert_eq!(refusals(&to_a), [(B, 3, RefusalReason::NoRoom)]);
        let there = match (queue, outbox) {
            (Some(queue), _) => queue.take().now_or_never().flatten().unwrap(),
            (_, Some(outbox)) => received(&outbox),
            _ => unreachable!(),
        };
        // What has no number is out of turn by nature.
        assert_eq!(there, [&sent[0], &sent[1], &sent[5]].map(Clone::clone));
        assert_eq!(links.forwarded(), 3);
    }
}

#[test]
fn a_destination_without_a_link_refuses_from_the_first_number_once_a_batch() {
    let links = links(1 << 20);
    let (to_a, to_c) = (open(&links, A), open(&links, C));
    let sent: Vec<_> = (1..=6)
        .map(|n| numbered(if n % 2 == 0 { B } else { C }, EnvelopeKind::Control, n))
        .collect();
    links.forward_batch(A, &batch(&sent)).unwrap();
    assert_eq!(refusals(&to_a), [(B, 2, RefusalReason::NoRoute)]);
    assert_eq!(received(&to_c).len(), 3);
    assert_eq!(links.forwarded(), 3);
}

#[test]
fn an_earlier_number_that_is_refused_later_is_told_too() {
    let links = links(1 << 20);
    let to_a = open(&links, A);
    let sent = [
        numbered(B, EnvelopeKind::Notify, 8),
        envelope(C, EnvelopeKind::Notify, 0),
        numbered(B, EnvelopeKind::Notify, 5),
    ];
    links.forward_batch(A, &batch(&sent)).unwrap();
    let told: Vec<_> = refusals(&to_a).into_iter().map(|(_, n, _)| n).collect();
    assert_eq!(told, [8, 5]);
}

#[test]
fn control_past_every_bound_is_refused_or_dropped_and_the_link_stays() {
    for memory in [false, true] {
        let one = numbered(B, EnvelopeKind::Control, 1).element_bytes();
        let links = links(one);
        let to_a = open(&links, A);
        let closed: Box<dyn Fn() -> bool> = match memory {
            true => {
                let queue = links.open_memory(B).unwrap();
                Box::new(move || queue.is_closed())
            }
            false => {
                let outbox = open(&links, B);
                Box::new(move || outbox.is_closed())
            }
        };
        let sent: Vec<_> = (1..=6)
            .map(|n| numbered(B, EnvelopeKind::Control, n))
            .collect();
        links.forward_batch(A, &batch(&sent)).unwrap();
        assert_eq!(refusals(&to_a), [(B, 5, RefusalReason::NoRoom)]);
        assert!(!closed());
        let lost = envelope(B, EnvelopeKind::Control, 0);
        links.forward_batch(A, &batch(&[lost])).unwrap();
        assert!(!closed());
        assert_eq!(links.forwarded(), 4);
    }
}

/// Counting every one against every other takes minutes.
#[test]
fn a_batch_to_as_many_strangers_as_it_holds_is_refused_in_no_time() {
    let links = links(1 << 20);
    let to_a = open(&links, A);
    let mut sent = BytesMut::new();
    let mut strangers = 0;
    while sent.len() + 32 <= MAX_BATCH_BYTES {
        strangers += 1;
        Envelope {
            sequence: 1,
            ..Envelope::new(NodeId::new(9, strangers), A, EnvelopeKind::Notify)
        }
        .write(&mut sent);
    }
    assert!(strangers > 60_000);
    let started = std::time::Instant::now();
    links.forward_batch(A, &sent.freeze()).unwrap();
    let took = started.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    assert!(!to_a.is_closed());
}

#[test]
fn a_refusal_reaches_a_node_of_this_process() {
    let links = links(1 << 20);
    let to_a = links.open_memory(A).unwrap();
    links.forward(numbered(B, EnvelopeKind::Request, 9));
    let words = to_a.take().now_or_never().flatten().unwrap();
    let refusal = Refusal::decode(words[0].body.clone()).unwrap();
    assert_eq!(
        (words[0].kind, words[0].source, refusal.sequence),
        (EnvelopeKind::Refused, NodeId::BROKER, 9)
    );
}

#[test]
fn pings_are_answered_and_are_no_data() {
    let links = links(1 << 20);
    let (to_a, to_b) = (open(&links, A), open(&links, B));
    let ping = Envelope::new(NodeId::BROKER, A, EnvelopeKind::Ping);
    let sent = [ping.clone(), ping, envelope(B, EnvelopeKind::Notify, 1)];
    links.forward_batch(A, &batch(&sent[..2])).unwrap();
    let pong = Envelope::new(A, NodeId::BROKER, EnvelopeKind::Pong);
    assert_eq!(received(&to_a), std::slice::from_ref(&pong));
    assert_eq!(links.forwarded(), 0);
    let to_a = links.open_memory(A).unwrap();
    links.forward(sent[0].clone());
    assert_eq!(to_a.take().now_or_never().flatten().unwrap(), [pong]);
    assert_eq!(links.forwarded(), 0);
    links.forward_batch(A, &batch(&sent)).unwrap();
    assert_eq!((received(&to_b).len(), links.forwarded()), (1, 1));
}

#[test]
fn a_full_destination_leaves_the_others_of_its_batch_alone() {
    let one = numbered(B, EnvelopeKind::Request, 1).element_bytes();
    let links = links(one * 50);
    let (_to_a, to_b, to_c) = (open(&links, A), open(&links, B), open(&links, C));
    let sent: Vec<_> = (1..=100)
        .map(|n| numbered(B, EnvelopeKind::Request, n))
        .chain((1..=40).map(|n| numbered(C, EnvelopeKind::Request, n)))
        .collect();
    links.forward_batch(A, &batch(&sent)).unwrap();
    assert_eq!((received(&to_b).len(), received(&to_c).len()), (50, 40));
}

#[test]
fn every_drop_and_every_refusal_is_counted_by_its_reason() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let one = numbered(B, EnvelopeKind::Request, 1).element_bytes();
        let links = links(one);
        let (_to_a, _to_b) = (open(&links, A), open(&links, B));
        let mut sent: Vec<_> = (1..=4)
            .map(|n| numbered(B, EnvelopeKind::Request, n))
            .collect();
        sent.push(envelope(B, EnvelopeKind::Notify, 0));
        // Past four times the limit it is lost too.
        sent.extend((0..4).map(|_| envelope(B, EnvelopeKind::Control, 0)));
        sent.push(envelope(C, EnvelopeKind::Response, 0));
        sent.push(numbered(C, EnvelopeKind::Response, 1));
        links.forward_batch(A, &batch(&sent)).unwrap();
    });
    let page = recorder.handle().render();
    for line in [
        "redrabbit_broker_refused_total{reason=\"no_room\"} 3",
        "redrabbit_broker_refused_total{reason=\"no_route\"} 1",
        "redrabbit_broker_dropped_total{reason=\"overloaded\"} 2",
        "redrabbit_broker_dropped_total{reason=\"no_route\"} 1",
        "redrabbit_broker_envelopes_total 4",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}
