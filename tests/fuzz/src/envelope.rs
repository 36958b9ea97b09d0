//! One envelope.

use bytes::Bytes;
use prost::Message;
use protocol::{
    Envelope,
    batch::envelopes,
    envelope::{MAX_BYTES, Routing},
    v1,
};

use super::{batch_of, generated, plain};

/// What is read is what the generated code reads, a broker reads the same of it
/// as its receiver, and it survives being written again.
pub fn check(content: &[u8]) {
    let routing = Routing::read(content);
    let Ok(envelope) = Envelope::read(Bytes::copy_from_slice(content)) else {
        return;
    };
    let routing = routing.expect("a broker reads what a receiver reads");
    assert_eq!(routing.destination, envelope.destination);
    assert_eq!(routing.source, envelope.source);
    assert_eq!(routing.kind, envelope.kind);
    if let Ok(theirs) = v1::Envelope::decode(content) {
        assert_eq!(plain(generated(&envelope)), plain(theirs));
    }
    let batch = batch_of([&envelope]);
    assert_eq!(batch.len(), envelope.element_bytes());
    // Written again it has the routing fields that were left out before.
    if content.len() + 20 <= MAX_BYTES {
        let again: Vec<_> = envelopes(&batch).collect();
        assert_eq!(again, [Ok(envelope)]);
    }
}
