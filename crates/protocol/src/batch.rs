//! A batch of envelopes as a broker sees it: elements to be copied in runs.
//!
//! On the wire a batch is the concatenation of its elements, each a tag, a
//! length and an envelope. So a batch is made by appending, and taken apart by
//! looking at the heads alone.

use std::ops::Range;

use bytes::Bytes;

use crate::envelope::{self, Envelope, Routing, WireError};

/// The tag of an element: field 1, length-delimited.
pub(crate) const ELEMENT: u8 = 0x0a;

/// Where an element stands in its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The element with its head: what is copied.
    pub whole: Range<usize>,
    /// The envelope: what is read.
    pub content: Range<usize>,
}

/// The elements of `batch`, in order. After an error there is nothing more to
/// be read.
pub fn elements(batch: &[u8]) -> Elements<'_> {
    Elements { batch, at: 0 }
}

/// The elements of a batch; see [`elements`].
#[derive(Debug)]
pub struct Elements<'a> {
    batch: &'a [u8],
    at: usize,
}

impl Iterator for Elements<'_> {
    type Item = Result<Element, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.batch.len() {
            return None;
        }
        let element = element(self.batch, self.at);
        self.at = element
            .as_ref()
            .map_or(self.batch.len(), |element| element.whole.end);
        Some(element)
    }
}

/// The envelopes of `batch`, in order, as slices of it.
pub fn envelopes(batch: &Bytes) -> impl Iterator<Item = Result<Envelope, WireError>> + '_ {
    elements(batch).map(|element| Envelope::read(batch.slice(element?.content)))
}

/// The routing fields of `element`.
pub fn routing(batch: &[u8], element: &Element) -> Result<Routing, WireError> {
    Routing::read(&batch[element.content.clone()])
}

fn element(batch: &[u8], start: usize) -> Result<Element, WireError> {
    if batch[start] != ELEMENT {
        return Err(WireError::FieldType(u32::from(batch[start] >> 3)));
    }
    let mut length = 0_usize;
    let mut at = start + 1;
    // An envelope's length has at most 21 bits; four bytes carry 28.
    for shift in [0, 7, 14, 21] {
        let byte = *batch.get(at).ok_or(WireError::Truncated)?;
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if length > envelope::MAX_BYTES {
                return Err(WireError::TooLarge(length));
            }
            if length > batch.len() - at {
                return Err(WireError::Truncated);
            }
            return Ok(Element {
                whole: start..at + length,
                content: at..at + length,
            });
        }
    }
    Err(WireError::Varint)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::{NodeId, envelope::EnvelopeKind};

    fn sample(body: usize) -> Envelope {
        Envelope {
            body: vec![7; body].into(),
            ..Envelope::new(NodeId::new(1, 2), NodeId::new(1, 3), EnvelopeKind::Notify)
        }
    }

    proptest! {
        #[test]
        fn what_was_appended_comes_out_in_order(bodies in prop::collection::vec(0usize..20_000, 0..9)) {
            let sent: Vec<_> = bodies.into_iter().map(sample).collect();
            let mut batch = BytesMut::new();
            for envelope in &sent {
                envelope.write(&mut batch);
            }
            let batch = batch.freeze();
            let read: Result<Vec<_>, _> = envelopes(&batch).collect();
            prop_assert_eq!(read.unwrap(), sent);
            let covered: usize = elements(&batch).map(|element| element.unwrap().whole.len()).sum();
            prop_assert_eq!(covered, batch.len());
        }

        #[test]
        fn a_batch_cut_anywhere_is_whole_elements_and_at_most_one_error(
            bodies in prop::collection::vec(0usize..300, 1..5), at in any::<prop::sample::Index>()
        ) {
            let mut batch = BytesMut::new();
            for body in bodies {
                sample(body).write(&mut batch);
            }
            let cut = batch.freeze();
            let cut = cut.slice(..at.index(cut.len()));
            let mut covered = 0;
            for element in elements(&cut) {
                match element {
                    Ok(element) => covered = element.whole.end,
                    Err(error) => {
                        prop_assert_eq!(error, WireError::Truncated);
                        covered = cut.len();
                    }
                }
            }
            prop_assert_eq!(covered, cut.len());
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            for envelope in envelopes(&bytes) {
                let _ = envelope;
            }
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_read() {
        let claims_2_mib = [ELEMENT, 0x80, 0x80, 0x80, 0x01];
        assert_eq!(
            elements(&claims_2_mib).next(),
            Some(Err(WireError::TooLarge(2 << 20)))
        );
    }
}
