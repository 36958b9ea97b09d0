//! Bodies that are compressed, each by itself: so one that goes to many is compressed once.
//!
//! A compressed body is its size as it was (`u32`, little-endian), and raw DEFLATE (RFC
//! 1951), which browsers, Python and everybody else can read without a library of ours.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{FLAG_COMPRESSED, encode_frame};

const SIZE_BYTES: usize = 4;

/// Why a body is none that was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It says that it was larger than the reader allows. Nothing was made of it.
    #[error("a body of {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// What it says.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// It is not as large as it says, or no DEFLATE at all.
    #[error("a compressed body that is none")]
    Broken,
}

/// A message as a frame with its body compressed; nothing where that makes it no smaller.
pub fn encode_compressed(cmd: u16, body: &[u8]) -> Option<Bytes> {
    // Room for one byte less than it is.
    let room = body.len().checked_sub(SIZE_BYTES + 1)?;
    let size = u32::try_from(body.len()).ok()?;
    let mut deflated = vec![0; room];
    let mut compress = Compress::new(Compression::fast(), false);
    let done = compress.compress(body, &mut deflated, FlushCompress::Finish);
    if !matches!(done, Ok(Status::StreamEnd)) {
        return None;
    }
    deflated.truncate(usize::try_from(compress.total_out()).ok()?);
    let mut compressed = BytesMut::with_capacity(SIZE_BYTES + deflated.len());
    compressed.put_u32_le(size);
    compressed.put_slice(&deflated);
    Some(encode_frame(cmd, FLAG_COMPRESSED, &compressed))
}

/// The body as it was, if it had at most `limit` bytes.
///
/// # Errors
/// [`InflateError`]. Whatever it claims, no more is made of it than `limit` bytes.
pub fn inflate(body: &[u8], limit: usize) -> Result<Bytes, InflateError> {
    let (size, deflated) = body.split_first_chunk().ok_or(InflateError::Broken)?;
    let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
    if size > limit {
        return Err(InflateError::TooLarge { size, limit });
    }
    // One more byte shows that there would be more.
    let mut inflated = vec![0; size + 1];
    let mut decompress = Decompress::new(false);
    let done = decompress.decompress(deflated, &mut inflated, FlushDecompress::Finish);
    let is_whole = matches!(done, Ok(Status::StreamEnd))
        && decompress.total_out() == size as u64
        && decompress.total_in() == deflated.len() as u64;
    if !is_whole {
        return Err(InflateError::Broken);
    }
    inflated.truncate(size);
    Ok(inflated.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::{FrameDecoder, HEAD_BYTES};

    fn compressed(body: &[u8]) -> Option<Bytes> {
        let frame = encode_compressed(7, body)?;
        assert!(frame.len() < HEAD_BYTES + body.len());
        let frame = FrameDecoder::new(1 << 20).decode_message(frame).unwrap();
        assert_eq!((frame.cmd, frame.flags), (7, FLAG_COMPRESSED));
        Some(frame.body)
    }

    #[test]
    fn what_does_not_become_smaller_is_left_as_it_is() {
        assert_eq!(compressed(b""), None);
        assert_eq!(compressed(b"short"), None);
        let noise: Vec<u8> = (0..1000u32)
            .map(|n| ((n * n) >> 7) as u8 ^ n as u8)
            .collect();
        if let Some(body) = compressed(&noise) {
            assert!(body.len() < noise.len());
        }
        assert!(compressed(&[7; 1000]).unwrap().len() < 50);
    }

    #[test]
    fn bomb_is_refused_before_it_goes_off() {
        let body = compressed(&vec![0; 1 << 20]).unwrap();
        assert!(body.len() < 16_000);
        assert_eq!(
            inflate(&body, 65536),
            Err(InflateError::TooLarge {
                size: 1 << 20,
                limit: 65536
            })
        );
        // One that lies about its size.
        let mut lies = body.to_vec();
        lies[..4].copy_from_slice(&1000u32.to_le_bytes());
        assert_eq!(inflate(&lies, 65536), Err(InflateError::Broken));
        let honest = inflate(&body, 1 << 20).unwrap();
        assert_eq!(honest.len(), 1 << 20);
    }

    proptest! {
        #[test]
        fn body_comes_as_it_was_sent(
            body in prop::collection::vec(0u8..4, 0..3000),
        ) {
            if let Some(compressed) = compressed(&body) {
                prop_assert_eq!(inflate(&compressed, body.len()).unwrap(), body);
            }
        }

        #[test]
        fn no_bytes_are_too_strange(
            size in 0u32..2000,
            deflated in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let body = [&size.to_le_bytes()[..], &deflated].concat();
            if let Ok(inflated) = inflate(&body, 1000) {
                prop_assert_eq!(inflated.len(), size as usize);
            }
            let _ = inflate(&deflated, 1000);
        }
    }
}
