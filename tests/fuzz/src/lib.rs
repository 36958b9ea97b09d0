//! What has to hold for whatever bytes arrive, one module for each reader.
//!
//! Each `check` panics where it does not hold. The programs in `targets/` hand
//! them what the fuzzer thinks of; `corpus/` is what it starts from, and
//! [`corpus`] is where that comes from.

pub mod batch;
pub mod broker;
pub mod client_frames;
pub mod corpus;
pub mod envelope;
pub mod node;
pub mod websocket;
pub mod words;

use bytes::{Bytes, BytesMut};
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

/// The envelope as the generated code has it.
pub fn generated(envelope: &Envelope) -> v1::Envelope {
    v1::Envelope {
        destination: envelope.destination.as_u64(),
        source: envelope.source.as_u64(),
        kind: envelope.kind.into(),
        sequence: envelope.sequence,
        acknowledged: envelope.acknowledged,
        call_id: envelope.call_id,
        method: envelope.method.as_str().into(),
        group: envelope.group.as_str().into(),
        deadline_ms: envelope.deadline_ms,
        trace_context: envelope.trace_context.clone(),
        body: envelope.body.clone(),
    }
}

/// The batch of these envelopes.
pub fn batch_of<'a>(envelopes: impl IntoIterator<Item = &'a Envelope>) -> Bytes {
    let mut batch = BytesMut::new();
    for envelope in envelopes {
        envelope.write(&mut batch);
    }
    batch.freeze()
}
