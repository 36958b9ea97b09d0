//! The framing that external clients speak over TCP.
//!
//! A frame is a head of 8 bytes, little-endian, and a body:
//! `size: u32` (of the body), `cmd: u16`, `flags: u16`. Over WebSocket one
//! binary message holds exactly one frame. It is the framing of the clients of
//! 2013, so that they still work.

pub mod compression;
pub mod redirect;
pub mod resume;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The bytes of a frame's head.
pub const HEAD_BYTES: usize = 8;
/// From a client: its verification. From the gate: the answer to it, or, with
/// [`FLAG_CLOSED`], why the connection ends.
pub const CMD_VERIFY: u16 = 0;
/// From a client: answered by the gate with the same body.
pub const CMD_PING: u16 = u16::MAX;
/// How many messages have come, in both directions, where a connection may be
/// [resumed](resume). With [`FLAG_RESUME`] from a client: it goes on with a session; with
/// [`FLAG_CLOSED`]: it ends it.
pub const CMD_ACK: u16 = u16::MAX - 1;
/// On the gate's `cmd` 0: the connection ends, for the reason in the body.
pub const FLAG_CLOSED: u16 = 1;
/// From a client, on its first frame: it would like to resume. From the gate, on the
/// answer: it may.
pub const FLAG_RESUME: u16 = 2;
/// On the gate's `cmd` 0: a notice for the client, in a word; the connection goes
/// on. The only word so far is `draining`: it will be closed soon, and another
/// gate is to be had.
pub const FLAG_NOTICE: u16 = 4;

/// From a client, on its first frame: the body is a [ticket](redirect), and no session key.
/// On the gate's `cmd` 0: the connection ends, and the client goes on at another gate.
pub const FLAG_TICKET: u16 = 8;

/// From a client, on its first frame: it can read [compressed](compression) bodies. From the
/// gate, on the answer: both sides may send such. On a message: its body is one.
pub const FLAG_COMPRESSED: u16 = 16;

/// One message of or to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is, in the game's own numbers; 0, 65534 and 65535 are the gate's.
    pub cmd: u16,
    /// 0, but for what the gate itself means by it.
    pub flags: u16,
    /// The message.
    pub body: Bytes,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The head claims more than the reader allows.
    #[error("a frame of {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// What the head claims.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A message that should hold one whole frame holds less or more.
    #[error("a message of {found} bytes for a frame of {expected}")]
    Length {
        /// What the message holds.
        found: usize,
        /// What its head says, or the head's own size.
        expected: usize,
    },
}

/// Cuts a stream of bytes into frames.
///
/// It keeps nothing but its limit: what is not yet a frame stays in the
/// caller's buffer, which need not grow before the head has been accepted.
#[derive(Clone, Copy, Debug)]
pub struct FrameDecoder {
    max_body: usize,
}

impl FrameDecoder {
    /// Takes bodies of at most `max_body` bytes.
    pub fn new(max_body: usize) -> Self {
        FrameDecoder { max_body }
    }

    /// The next frame, taken off the front of `buffer`; `None` if it is not
    /// all there yet. After an error the stream cannot be read any further.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(size) = self.body_bytes(buffer)? else {
            return Ok(None);
        };
        if buffer.len() < HEAD_BYTES + size {
            return Ok(None);
        }
        Ok(Some(split(
            &mut buffer.split_to(HEAD_BYTES + size).freeze(),
        )))
    }

    /// The one frame that `message` holds.
    pub fn decode_message(&self, mut message: Bytes) -> Result<Frame, FrameError> {
        let expected = HEAD_BYTES + self.body_bytes(&message)?.unwrap_or(0);
        if message.len() != expected {
            return Err(FrameError::Length {
                found: message.len(),
                expected,
            });
        }
        Ok(split(&mut message))
    }

    /// How many bytes the next frame still lacks in `buffer`: what a reader
    /// should make room for.
    pub fn missing(&self, buffer: &[u8]) -> Result<usize, FrameError> {
        let whole = HEAD_BYTES + self.body_bytes(buffer)?.unwrap_or(0);
        Ok(whole.saturating_sub(buffer.len()))
    }

    /// The size in the head of `buffer`, once it is there.
    fn body_bytes(&self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(mut head) = buffer.get(..HEAD_BYTES) else {
            return Ok(None);
        };
        let size = head.get_u32_le() as usize;
        if size > self.max_body {
            return Err(FrameError::TooLarge {
                size,
                limit: self.max_body,
            });
        }
        Ok(Some(size))
    }
}

/// A frame as it stands on the wire. `body` is at most 4 GiB - 1, which no
/// limit of a gate comes near.
pub fn encode_frame(cmd: u16, flags: u16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + body.len());
    frame.put_u32_le(body.len() as u32);
    frame.put_u16_le(cmd);
    frame.put_u16_le(flags);
    frame.put_slice(body);
    frame.freeze()
}

/// Takes a whole frame apart.
fn split(frame: &mut Bytes) -> Frame {
    frame.advance(4);
    Frame {
        cmd: frame.get_u16_le(),
        flags: frame.get_u16_le(),
        body: std::mem::take(frame),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_that_claims_4_gib_is_refused_before_its_body_comes() {
        let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0][..]);
        let error = FrameDecoder::new(65_536).decode(&mut buffer).unwrap_err();
        assert_eq!(
            error,
            FrameError::TooLarge {
                size: 0xffff_ffff,
                limit: 65_536
            }
        );
    }

    #[test]
    fn a_message_holds_exactly_one_frame() {
        let decoder = FrameDecoder::new(16);
        let frame = encode_frame(7, 0, b"hello");
        assert_eq!(decoder.decode_message(frame.clone()).unwrap().cmd, 7);
        assert!(
            decoder
                .decode_message(frame.slice(..frame.len() - 1))
                .is_err()
        );
        assert!(decoder.decode_message(frame.slice(..3)).is_err());
        let twice = [frame.clone(), frame].concat();
        assert!(decoder.decode_message(twice.into()).is_err());
    }

    proptest! {
        /// However the bytes arrive, the same frames come out.
        #[test]
        fn frames_survive_any_split_of_the_bytes(
            frames in prop::collection::vec(
                (any::<u16>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..80)), 0..12),
            cuts in prop::collection::vec(1usize..40, 1..60),
        ) {
            let wire: Vec<u8> = frames
                .iter()
                .flat_map(|(cmd, flags, body)| encode_frame(*cmd, *flags, body))
                .collect();
            let decoder = FrameDecoder::new(80);
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            let mut rest = &wire[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                buffer.extend_from_slice(now);
                while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                    seen.push((frame.cmd, frame.flags, frame.body.to_vec()));
                }
                prop_assert!(buffer.len() + decoder.missing(&buffer).unwrap() <= HEAD_BYTES + 80);
                rest = later;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(seen, frames);
            prop_assert!(buffer.is_empty());
        }

        /// Garbage is frames or an error, never a panic.
        #[test]
        fn garbage_is_harmless(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let decoder = FrameDecoder::new(64);
            let _ = decoder.decode_message(bytes.clone().into());
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
                prop_assert!(frame.body.len() <= 64);
            }
        }
    }
}
