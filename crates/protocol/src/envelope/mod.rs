//! The envelope: one message between two nodes, written and read by hand.
//!
//! The layout is that of `Envelope` in `proto/redrabbit/v1/link.proto`, fields
//! in the order of their numbers. Writing goes straight into a link's outgoing
//! buffer; reading takes slices of the batch that arrived and copies nothing.

mod routing;
mod wire;

use std::{fmt, str};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

use self::wire::*;
pub use self::{routing::Routing, wire::WireError};
pub use crate::v1::EnvelopeKind;
use crate::{NodeId, batch};

/// The most bytes that an envelope may have, encoded.
pub const MAX_BYTES: usize = 1 << 20;

/// The most bytes of a body that surely fits an envelope with a method name of
/// up to 1 KiB and a trace context of up to 1 KiB.
pub const MAX_BODY_BYTES: usize = MAX_BYTES - 4096;

/// The most bytes of a method's name.
pub const MAX_METHOD_BYTES: usize = 256;

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who shall have it.
    pub destination: NodeId,
    /// Who sent it.
    pub source: NodeId,
    /// What it is.
    pub kind: EnvelopeKind,
    /// Its number in the ordered pair, from 1; 0 where pairs are not counted.
    pub sequence: u64,
    /// How far the other direction has arrived.
    pub acknowledged: u64,
    /// Joins an answer to its request.
    pub call_id: u64,
    /// What is called.
    pub method: Text,
    /// The way of a request between groups, as it stands in the envelope: a
    /// [`Crossing`](crate::v1::Crossing). Empty on everything else.
    pub crossing: Bytes,
    /// How long the caller will still wait, in milliseconds.
    pub deadline_ms: u32,
    /// How the call is known in logs further away: plain text of 128 bytes at most,
    /// such as a W3C trace context. Empty where its caller and its number say it.
    pub trace_context: Bytes,
    /// The message itself.
    pub body: Bytes,
}

/// Text that is a slice of what arrived.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Envelope {
    /// An envelope with these routing fields and nothing else in it.
    pub fn new(destination: NodeId, source: NodeId, kind: EnvelopeKind) -> Self {
        Envelope {
            destination,
            source,
            kind,
            sequence: 0,
            acknowledged: 0,
            call_id: 0,
            method: Text::default(),
            crossing: Bytes::new(),
            deadline_ms: 0,
            trace_context: Bytes::new(),
            body: Bytes::new(),
        }
    }

    /// How many bytes the envelope has, encoded as an element of a batch.
    pub fn element_bytes(&self) -> usize {
        let content = self.content_bytes();
        1 + encoded_len_varint(content as u64) + content
    }

    /// Appends the envelope to `batch`.
    pub fn write(&self, batch: &mut BytesMut) {
        batch.reserve(self.element_bytes());
        batch.put_u8(batch::ELEMENT);
        encode_varint(self.content_bytes() as u64, batch);
        // Destination, source and kind are written always: with them a broker
        // finds each at its place.
        batch.put_u8(DESTINATION);
        batch.put_u64_le(self.destination.as_u64());
        batch.put_u8(SOURCE);
        batch.put_u64_le(self.source.as_u64());
        batch.put_u8(KIND);
        encode_varint(self.kind as u64, batch);
        write_number(SEQUENCE, self.sequence, batch);
        write_number(ACKNOWLEDGED, self.acknowledged, batch);
        write_number(CALL_ID, self.call_id, batch);
        write_bytes(METHOD, &self.method.0, batch);
        write_bytes(CROSSING, &self.crossing, batch);
        write_number(DEADLINE_MS, self.deadline_ms.into(), batch);
        write_bytes(TRACE_CONTEXT, &self.trace_context, batch);
        write_bytes(BODY, &self.body, batch);
    }

    /// Reads what stands between two element heads of a batch. Fields may
    /// stand in any order, unknown ones are passed over.
    pub fn read(mut bytes: Bytes) -> Result<Self, WireError> {
        if bytes.len() > MAX_BYTES {
            return Err(WireError::TooLarge(bytes.len()));
        }
        let mut envelope = Envelope::new(NodeId::BROKER, NodeId::BROKER, EnvelopeKind::Unspecified);
        let mut seen = 0_u16;
        while bytes.has_remaining() {
            let key = read_varint(&mut bytes)?;
            let field = u32::try_from(key >> 3).map_err(|_| WireError::Varint)?;
            let wire_type = (key & 7) as u8;
            if let 1..=3 | 8 = field {
                if seen & 1 << field != 0 {
                    return Err(WireError::Repeated(field));
                }
                seen |= 1 << field;
            }
            match (field, wire_type) {
                (1, FIXED64) => envelope.destination = read_node(&mut bytes)?,
                (2, FIXED64) => envelope.source = read_node(&mut bytes)?,
                (3, VARINT) => envelope.kind = kind(read_varint(&mut bytes)?)?,
                (4, VARINT) => envelope.sequence = read_varint(&mut bytes)?,
                (5, VARINT) => envelope.acknowledged = read_varint(&mut bytes)?,
                (6, VARINT) => envelope.call_id = read_varint(&mut bytes)?,
                (7, LENGTH) => envelope.method = read_text(7, &mut bytes)?,
                (8, LENGTH) => envelope.crossing = read_bytes(&mut bytes)?,
                (9, VARINT) => envelope.deadline_ms = read_varint(&mut bytes)? as u32,
                (10, LENGTH) => envelope.trace_context = read_bytes(&mut bytes)?,
                (11, LENGTH) => envelope.body = read_bytes(&mut bytes)?,
                (1..=11, _) => return Err(WireError::FieldType(field)),
                _ => skip(field, wire_type, &mut bytes)?,
            }
        }
        match envelope.kind {
            EnvelopeKind::Unspecified => Err(WireError::Kind(0)),
            _ => Ok(envelope),
        }
    }

    fn content_bytes(&self) -> usize {
        9 + 9
            + 2
            + number_bytes(self.sequence)
            + number_bytes(self.acknowledged)
            + number_bytes(self.call_id)
            + field_bytes(&self.method.0)
            + field_bytes(&self.crossing)
            + number_bytes(self.deadline_ms.into())
            + field_bytes(&self.trace_context)
            + field_bytes(&self.body)
    }
}

impl EnvelopeKind {
    /// Whether a lack of room may refuse it. Everything else is bounded by
    /// whoever sends it: an answer by its request, control by its window.
    pub fn is_refusable(self) -> bool {
        matches!(self, EnvelopeKind::Notify | EnvelopeKind::Request)
    }
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Checked when it was made; checked again here because names are short
        // and that is cheaper than `unsafe` is to review.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Text(Bytes::from_static(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::v1;

    prop_compose! {
        fn envelopes()(
            (destination, source, sequence, acknowledged, call_id) in any::<(u64, u64, u64, u64, u64)>(),
            kind in 1i32..=9,
            deadline_ms in any::<u32>(),
            (method, group, hops) in (".{0,20}", ".{0,20}", any::<u32>()),
            (trace, body) in any::<(Vec<u8>, Vec<u8>)>(),
        ) -> Envelope {
            Envelope {
                destination: NodeId::from_u64(destination),
                source: NodeId::from_u64(source),
                kind: EnvelopeKind::try_from(kind).unwrap(),
                sequence,
                acknowledged,
                call_id,
                method: method.into(),
                crossing: v1::Crossing { group, hops, ..v1::Crossing::default() }.encode_to_vec().into(),
                deadline_ms,
                trace_context: trace.into(),
                body: body.into(),
            }
        }
    }

    fn generated(envelope: &Envelope) -> v1::Envelope {
        v1::Envelope {
            destination: envelope.destination.as_u64(),
            source: envelope.source.as_u64(),
            kind: envelope.kind.into(),
            sequence: envelope.sequence,
            acknowledged: envelope.acknowledged,
            call_id: envelope.call_id,
            method: envelope.method.as_str().into(),
            crossing: (!envelope.crossing.is_empty())
                .then(|| v1::Crossing::decode(envelope.crossing.clone()).unwrap()),
            deadline_ms: envelope.deadline_ms,
            trace_context: envelope.trace_context.clone(),
            body: envelope.body.clone(),
        }
    }

    proptest! {
        #[test]
        fn our_encoding_and_the_generated_one_are_equal(envelope in envelopes()) {
            let mut ours = BytesMut::new();
            envelope.write(&mut ours);
            prop_assert_eq!(ours.len(), envelope.element_bytes());
            let theirs = v1::Batch::decode(&ours[..]).unwrap();
            prop_assert_eq!(theirs.envelopes, vec![generated(&envelope)]);

            let content = generated(&envelope).encode_to_vec();
            let routing = Routing::read(&content).unwrap();
            prop_assert_eq!(routing.destination, envelope.destination);
            prop_assert_eq!(routing.source, envelope.source);
            prop_assert_eq!(routing.kind, envelope.kind);
            prop_assert_eq!(Envelope::read(content.into()).unwrap(), envelope);
        }

        #[test]
        fn garbage_is_an_error_or_an_envelope_and_never_a_panic(bytes: Vec<u8>) {
            let _ = Routing::read(&bytes);
            let _ = Envelope::read(bytes.into());
        }

        #[test]
        fn a_cut_envelope_is_refused_or_shorter(envelope in envelopes(), at in any::<prop::sample::Index>()) {
            let content = generated(&envelope).encode_to_vec();
            let cut = content[..at.index(content.len().max(1)).min(content.len())].to_vec();
            if let Ok(read) = Envelope::read(cut.into()) {
                prop_assert_ne!(read, envelope);
            }
        }
    }

    proptest! {
        #[test]
        fn a_routing_field_that_stands_there_twice_is_refused_wherever_it_is(
            envelope in envelopes(), field in 1u32..=3
        ) {
            let mut content = generated(&envelope).encode_to_vec();
            match field {
                1 => content.extend_from_slice(&[&[DESTINATION], &[7; 8][..]].concat()),
                2 => content.extend_from_slice(&[&[SOURCE], &[7; 8][..]].concat()),
                _ => content.extend_from_slice(&[KIND, 1]),
            }
            prop_assert_eq!(Routing::read(&content), Err(WireError::Repeated(field)));
        }
    }

    #[test]
    fn a_second_way_between_groups_is_refused() {
        let envelope = Envelope::new(NodeId::new(1, 1), NodeId::new(1, 2), EnvelopeKind::Request);
        let crossing = |group: &str| v1::Crossing {
            group: group.into(),
            ..v1::Crossing::default()
        };
        let mut content = v1::Envelope {
            crossing: Some(crossing("GroupA")),
            ..generated(&envelope)
        }
        .encode_to_vec();
        assert!(Envelope::read(content.clone().into()).is_ok());
        // The generated code would merge the two, and hops be of the one and the group
        // of the other.
        content.extend_from_slice(&[CROSSING, 0]);
        assert_eq!(Envelope::read(content.into()), Err(WireError::Repeated(8)));
    }

    #[test]
    fn a_second_source_is_refused() {
        let envelope = Envelope::new(NodeId::new(1, 1), NodeId::new(1, 2), EnvelopeKind::Notify);
        let mut content = generated(&envelope).encode_to_vec();
        content.push(SOURCE);
        content.extend_from_slice(&7_u64.to_le_bytes());
        assert_eq!(Envelope::read(content.into()), Err(WireError::Repeated(2)));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_unknown_kinds_are_not() {
        let envelope = Envelope::new(NodeId::new(1, 1), NodeId::new(1, 2), EnvelopeKind::Notify);
        let mut content = generated(&envelope).encode_to_vec();
        content.extend_from_slice(&[0xa2, 0x01, 2, 9, 9]); // field 20, two bytes
        assert_eq!(Envelope::read(content.into()), Ok(envelope));
        assert_eq!(
            Envelope::read(vec![KIND, 99].into()),
            Err(WireError::Kind(99))
        );
    }
}
