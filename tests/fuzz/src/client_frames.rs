//! What external clients send.

use bytes::{Bytes, BytesMut};
use protocol::client::{Frame, FrameDecoder, FrameError, HEAD_BYTES};

/// The largest body that is taken.
const LIMIT: usize = 64;

/// The frames of a stream, what is left of it, and why it cannot be read on.
type Read = (Vec<Frame>, Bytes, Option<FrameError>);

/// However the bytes are split on their way, the same frames come out, and the
/// buffer needs no more room than one of them.
pub fn check(bytes: &[u8]) {
    let whole = read([bytes]);
    for at in 0..bytes.len() {
        assert_eq!(read([&bytes[..at], &bytes[at..]]), whole, "split at {at}");
    }
    for size in [1, 2, 3, 5, 8, 13] {
        assert_eq!(read(bytes.chunks(size)), whole, "in parts of {size}");
    }

    let message = FrameDecoder::new(LIMIT).decode_message(Bytes::copy_from_slice(bytes));
    let (frames, rest, error) = whole;
    match message {
        Ok(frame) => assert_eq!((frames, rest.len(), error), (vec![frame], 0, None)),
        Err(_) => assert!(frames.len() != 1 || !rest.is_empty() || error.is_some()),
    }
}

fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let decoder = FrameDecoder::new(LIMIT);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut error = None;
    for part in parts {
        buffer.extend_from_slice(part);
        while error.is_none() {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    assert!(frame.body.len() <= LIMIT);
                    frames.push(frame);
                }
                Ok(None) => {
                    let missing = decoder.missing(&buffer).expect("it has just been read");
                    assert!(missing > 0 && buffer.len() + missing <= HEAD_BYTES + LIMIT);
                    break;
                }
                Err(why) => error = Some(why),
            }
        }
    }
    (frames, buffer.freeze(), error)
}
