//! A batch that a node sends to its broker.

use std::sync::Arc;

use broker::Links;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use prost::Message;
use protocol::{
    CallError, Envelope, NodeId, Secret,
    batch::elements,
    envelope::{EnvelopeKind, Routing},
    link::{EnvelopeQueue, OutboxStream},
    v1::Refusal,
};
use tokio_util::sync::CancellationToken;

use super::{ALICE, BOB, CAROL, DAVE};

/// Room for a few envelopes, so that batches fill it.
const OUTBOX_BYTES: usize = 256;

struct Broker {
    links: Arc<Links>,
    alice: OutboxStream,
    bob: OutboxStream,
    carol: Arc<EnvelopeQueue>,
}

/// What was sent arrives as it was, in order, in nobody else's name; what is
/// refused is said to its source; and a fault ends the link without a word of
/// what stood behind it.
pub fn check(bytes: &[u8]) {
    let batch = Bytes::copy_from_slice(bytes);
    let mut broker = Broker::new();
    let outcome = broker.links.forward_batch(ALICE, &batch);

    let sent = sent(&batch);
    let whole = elements(&batch).all(|element| {
        element.is_ok_and(|element| {
            Routing::read(&batch[element.content]).is_ok_and(|routing| routing.source == ALICE)
        })
    });
    assert_eq!(outcome.is_ok(), whole);

    let to = |node: NodeId| {
        sent.iter()
            .filter(move |(routing, _)| routing.destination == node)
    };
    let bob = drain(&mut broker.bob);
    let arrived = elements(&bob).map(|element| {
        let element = element.expect("a broker sends whole elements");
        bob.slice(element.content)
    });
    let arrived: Vec<_> = arrived.collect();
    // One that is handed over by itself is written anew, in the order of fields.
    in_turn(
        to(BOB).map(|(_, content)| content),
        &arrived,
        |sent, arrived| {
            sent == arrived || Envelope::read(sent.clone()) == Envelope::read(arrived.clone())
        },
    );
    let carol = broker.carol.take().now_or_never().flatten();
    let sent_to_carol = to(CAROL).filter_map(|(_, content)| Envelope::read(content.clone()).ok());
    let sent_to_carol: Vec<_> = sent_to_carol.collect();
    in_turn(
        &sent_to_carol,
        &carol.unwrap_or_default(),
        |sent, arrived| sent == arrived,
    );

    let alice = drain(&mut broker.alice);
    for element in elements(&alice) {
        let element = element.expect("a broker sends whole elements");
        let content = alice.slice(element.content);
        let routing = Routing::read(&content).expect("a broker sends what can be routed");
        assert_eq!(routing.destination, ALICE);
        // What she sends to herself is forwarded unread, as to anybody.
        if routing.source != ALICE {
            assert_eq!(routing.source, NodeId::BROKER);
            let said = Envelope::read(content).expect("a broker's own word can be read");
            check_word(&said, &sent);
        }
    }
}

/// What a broker says itself, about something that was sent.
fn check_word(said: &Envelope, sent: &[(Routing, Bytes)]) {
    let mut sent = sent
        .iter()
        .filter_map(|(_, content)| Envelope::read(content.clone()).ok());
    match said.kind {
        EnvelopeKind::Pong => assert!(sent.any(|sent| sent.kind == EnvelopeKind::Ping)),
        EnvelopeKind::Refused => {
            let refusal = Refusal::decode(said.body.clone()).expect("a refusal can be read");
            assert!(sent.any(|sent| {
                sent.sequence == refusal.sequence
                    && sent.destination.as_u64() == refusal.destination
            }));
        }
        EnvelopeKind::Error => {
            assert!(sent.any(|sent| {
                sent.call_id == said.call_id && sent.kind == EnvelopeKind::Request
            }));
            assert!(!CallError::decode(&said.body).message.is_empty());
        }
        other => panic!("a broker never says {other:?}"),
    }
}

/// What stands before the first fault.
fn sent(batch: &Bytes) -> Vec<(Routing, Bytes)> {
    elements(batch)
        .map_while(|element| {
            let content = batch.slice(element.ok()?.content);
            let routing = Routing::read(&content).ok()?;
            (routing.source == ALICE).then_some((routing, content))
        })
        .collect()
}

/// Everything that arrived was sent, in this order.
fn in_turn<'a, T: std::fmt::Debug + 'a>(
    sent: impl IntoIterator<Item = &'a T>,
    arrived: &[T],
    equal: impl Fn(&T, &T) -> bool,
) {
    let mut sent = sent.into_iter();
    for one in arrived {
        assert!(
            sent.any(|sent| equal(sent, one)),
            "not sent, or out of turn: {one:?}"
        );
    }
}

/// All that waits.
fn drain(outbox: &mut OutboxStream) -> Bytes {
    let mut all = Vec::new();
    while let Some(Some(batch)) = outbox.next().now_or_never() {
        all.extend_from_slice(&batch);
    }
    all.into()
}

impl Broker {
    fn new() -> Broker {
        let group = "GroupA".parse().expect("the literal is a name");
        let links = Links::new(group, Secret::default(), OUTBOX_BYTES);
        for node in [ALICE, BOB, CAROL, DAVE] {
            links.expect(node);
        }
        let open = |node| {
            let link = links.open_stream(node, &CancellationToken::new());
            link.expect("the node is expected").outbox.stream()
        };
        Broker {
            alice: open(ALICE),
            bob: open(BOB),
            carol: links.open_memory(CAROL).expect("the node is expected"),
            links,
        }
    }
}
