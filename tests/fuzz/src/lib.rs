//! What has to hold for whatever bytes arrive, one module for each reader.
//!
//! Each `check` panics where it does not hold. The programs in `targets/` hand
//! them what the fuzzer thinks of; `corpus/` is what it starts from, and
//! [`corpus`] is where that comes from.

pub mod batch;
pub mod bodies;
pub mod broker;
pub mod client_frames;
pub mod corpus;
pub mod envelope;
pub mod node;
pub mod proxy;
pub mod websocket;
pub mod words;

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use protocol::{Envelope, NodeId, v1};

/// The nodes of the group that the targets play with. Messages of a corpus are
/// from `ALICE`.
pub const ALICE: NodeId = NodeId::new(1, 2);
/// Another node, in another process.
pub const BOB: NodeId = NodeId::new(1, 3);
/// A node in the broker's own process.
pub const CAROL: NodeId = NodeId::new(1, 4);
/// A node that has no link yet.
pub const DAVE: NodeId = NodeId::new(1, 5);

/// The envelope as the generated code has it. What is between groups is not read with
/// the envelope: where it cannot be, it says nothing, and the generated code reads none
/// of the envelope.
pub fn generated(envelope: &Envelope) -> v1::Envelope {
    v1::Envelope {
        destination: envelope.destination.as_u64(),
        source: envelope.source.as_u64(),
        kind: envelope.kind.into(),
        sequence: envelope.sequence,
        acknowledged: envelope.acknowledged,
        call_id: envelope.call_id,
        method: envelope.method.as_str().into(),
        crossing: (!envelope.crossing.is_empty())
            .then(|| v1::Crossing::decode(envelope.crossing.clone()).unwrap_or_default()),
        deadline_ms: envelope.deadline_ms,
        trace_context: envelope.trace_context.clone(),
        body: envelope.body.clone(),
    }
}

/// What the generated code has read, for comparison with ours: it tells a crossing that
/// is empty from none, and nobody else does.
pub fn plain(mut envelope: v1::Envelope) -> v1::Envelope {
    envelope.crossing = envelope
        .crossing
        .filter(|crossing| *crossing != v1::Crossing::default());
    envelope
}

/// The batch of these envelopes.
pub fn batch_of<'a>(envelopes: impl IntoIterator<Item = &'a Envelope>) -> Bytes {
    let mut batch = BytesMut::new();
    for envelope in envelopes {
        envelope.write(&mut batch);
    }
    batch.freeze()
}
