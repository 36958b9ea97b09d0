//! What a broker reads of an envelope, and nothing more.

use bytes::Bytes;

use super::{
    Envelope, EnvelopeKind, WireError,
    wire::{DESTINATION, FIXED32, FIXED64, KIND, LENGTH, SOURCE, VARINT, kind},
};
use crate::NodeId;

/// The bytes of the three routing fields at the beginning.
const HEAD: usize = 20;

/// What a broker reads of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Who shall have it.
    pub destination: NodeId,
    /// Who says that it sent it.
    pub source: NodeId,
    /// What it is.
    pub kind: EnvelopeKind,
}

impl Routing {
    /// Reads the routing fields at the places where a writer that keeps to the
    /// order of the fields puts them, and searches for them otherwise.
    ///
    /// One that stands there twice is refused: readers differ in which of the
    /// two they take, and a node could speak in another's name to some of them.
    pub fn read(content: &[u8]) -> Result<Self, WireError> {
        match Self::at_fixed_places(content) {
            Some(routing) if has_no_routing(&content[HEAD..]) => Ok(routing),
            _ => Envelope::read(Bytes::copy_from_slice(content)).map(|envelope| Routing {
                destination: envelope.destination,
                source: envelope.source,
                kind: envelope.kind,
            }),
        }
    }

    fn at_fixed_places(content: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD] = content.first_chunk()?;
        let number = |at: usize| {
            let bytes = head[at..at + 8].try_into().ok()?;
            Some(NodeId::from_u64(u64::from_le_bytes(bytes)))
        };
        // Kinds are below 128, so that the varint is a single byte; any other
        // goes the slow way, which says what is wrong with it.
        if head[0] != DESTINATION || head[9] != SOURCE || head[18] != KIND {
            return None;
        }
        Some(Routing {
            destination: number(1)?,
            source: number(10)?,
            kind: kind(head[19].into()).ok()?,
        })
    }
}

/// Whether the fields behind the head are well-formed at first sight and none
/// of them is a routing field. Whatever is not is looked at more closely.
fn has_no_routing(mut fields: &[u8]) -> bool {
    while let [key, rest @ ..] = fields {
        // Keys of one byte: fields 1 to 15, which are all there are.
        if key & 0x80 != 0 || key >> 3 < 4 {
            return false;
        }
        let Some(rest) = skip(key & 7, rest) else {
            return false;
        };
        fields = rest;
    }
    true
}

/// What stands behind a field.
fn skip(wire_type: u8, fields: &[u8]) -> Option<&[u8]> {
    match wire_type {
        VARINT => varint(fields).map(|(_, rest)| rest),
        FIXED64 => fields.get(8..),
        FIXED32 => fields.get(4..),
        LENGTH => {
            let (length, rest) = varint(fields)?;
            rest.get(usize::try_from(length).ok()?..)
        }
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}
