//! How fields stand on the wire.

use std::str;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{decode_varint, encode_varint, encoded_len_varint};

use super::{EnvelopeKind, MAX_BYTES, Text};
use crate::NodeId;

/// Why bytes are not an envelope, or not a batch of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends in the middle of something.
    #[error("the bytes end inside a field")]
    Truncated,
    /// A number is longer than ten bytes.
    #[error("a varint is malformed")]
    Varint,
    /// A field has another type than the protocol gives it.
    #[error("field {0} has the wrong type")]
    FieldType(u32),
    /// A routing field stands there twice, which could deceive a broker; or the way
    /// between groups does, which readers put together differently.
    #[error("field {0} stands there twice")]
    Repeated(u32),
    /// A text is not UTF-8.
    #[error("field {0} is not UTF-8")]
    Utf8(u32),
    /// No kind, or one that this version does not know.
    #[error("the kind {0} is unknown")]
    Kind(u64),
    /// Larger than [`MAX_BYTES`].
    #[error("an envelope of {0} bytes, at most {MAX_BYTES} are allowed")]
    TooLarge(usize),
}

pub(super) const DESTINATION: u8 = tag(1, FIXED64);
pub(super) const SOURCE: u8 = tag(2, FIXED64);
pub(super) const KIND: u8 = tag(3, VARINT);
pub(super) const SEQUENCE: u8 = tag(4, VARINT);
pub(super) const ACKNOWLEDGED: u8 = tag(5, VARINT);
pub(super) const CALL_ID: u8 = tag(6, VARINT);
pub(super) const METHOD: u8 = tag(7, LENGTH);
pub(super) const CROSSING: u8 = tag(8, LENGTH);
pub(super) const DEADLINE_MS: u8 = tag(9, VARINT);
pub(super) const TRACE_CONTEXT: u8 = tag(10, LENGTH);
pub(super) const BODY: u8 = tag(11, LENGTH);

pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const LENGTH: u8 = 2;
pub(super) const FIXED32: u8 = 5;

pub(super) const fn tag(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

pub(super) fn kind(number: u64) -> Result<EnvelopeKind, WireError> {
    i32::try_from(number)
        .ok()
        .and_then(|number| EnvelopeKind::try_from(number).ok())
        .filter(|kind| *kind != EnvelopeKind::Unspecified)
        .ok_or(WireError::Kind(number))
}

pub(super) fn number_bytes(number: u64) -> usize {
    match number {
        0 => 0,
        _ => 1 + encoded_len_varint(number),
    }
}

pub(super) fn field_bytes(field: &Bytes) -> usize {
    match field.len() {
        0 => 0,
        length => 1 + encoded_len_varint(length as u64) + length,
    }
}

pub(super) fn write_number(tag: u8, number: u64, batch: &mut BytesMut) {
    if number != 0 {
        batch.put_u8(tag);
        encode_varint(number, batch);
    }
}

pub(super) fn write_bytes(tag: u8, field: &Bytes, batch: &mut BytesMut) {
    if !field.is_empty() {
        batch.put_u8(tag);
        encode_varint(field.len() as u64, batch);
        batch.put_slice(field);
    }
}

pub(super) fn read_varint(bytes: &mut Bytes) -> Result<u64, WireError> {
    match bytes.first() {
        None => Err(WireError::Truncated),
        Some(&byte) if byte < 0x80 => {
            bytes.advance(1);
            Ok(byte.into())
        }
        Some(_) => decode_varint(bytes).map_err(|_| WireError::Varint),
    }
}

pub(super) fn read_node(bytes: &mut Bytes) -> Result<NodeId, WireError> {
    let raw = bytes.try_get_u64_le().map_err(|_| WireError::Truncated)?;
    Ok(NodeId::from_u64(raw))
}

pub(super) fn read_bytes(bytes: &mut Bytes) -> Result<Bytes, WireError> {
    let length = read_varint(bytes)?;
    if length > bytes.len() as u64 {
        return Err(WireError::Truncated);
    }
    Ok(bytes.split_to(length as usize))
}

pub(super) fn read_text(field: u32, bytes: &mut Bytes) -> Result<Text, WireError> {
    let text = read_bytes(bytes)?;
    match str::from_utf8(&text) {
        Ok(_) => Ok(Text(text)),
        Err(_) => Err(WireError::Utf8(field)),
    }
}

/// Passes over a field of a later version.
pub(super) fn skip(field: u32, wire_type: u8, bytes: &mut Bytes) -> Result<(), WireError> {
    let length = match wire_type {
        VARINT => return read_varint(bytes).map(drop),
        LENGTH => return read_bytes(bytes).map(drop),
        FIXED64 => 8,
        FIXED32 => 4,
        _ => return Err(WireError::FieldType(field)),
    };
    if bytes.len() < length {
        return Err(WireError::Truncated);
    }
    bytes.advance(length);
    Ok(())
}
