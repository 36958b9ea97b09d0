//! What stands in the bodies of frames between clients and gates: ways back, ways to other
//! gates, and bodies that are compressed.

use bytes::Bytes;
use protocol::client::{
    FrameDecoder,
    compression::{InflateError, encode_compressed, inflate},
    redirect::Redirect,
    resume::{ResumeOffer, decode_count, decode_resume, encode_ack, encode_resume},
};

/// The largest body that is taken.
const LIMIT: usize = 4096;

/// What is read survives being written again, and nothing becomes larger than it may.
pub fn check(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    match inflate(bytes, LIMIT) {
        Ok(inflated) => {
            assert!(inflated.len() <= LIMIT);
            assert_eq!(bytes[..4], (inflated.len() as u32).to_le_bytes());
            if let Some(frame) = encode_compressed(1, &inflated) {
                assert_eq!(inflate(&body_of(frame), LIMIT), Ok(inflated));
            }
        }
        Err(InflateError::TooLarge { size, limit }) => assert!(size > limit && limit == LIMIT),
        Err(InflateError::Broken) => {}
    }
    if let Some(redirect) = Redirect::decode(body.clone()) {
        assert_eq!(body_of(redirect.encode()), body);
    }
    if let Some(offer) = ResumeOffer::decode(body.clone()) {
        assert_eq!(offer.body(), body);
    }
    if let Some((token, count)) = decode_resume(bytes) {
        assert_eq!(body_of(encode_resume(token, count)), body);
    }
    if let Some(count) = decode_count(bytes) {
        assert_eq!(body_of(encode_ack(count)), body);
    }
}

fn body_of(frame: Bytes) -> Bytes {
    let frame = FrameDecoder::new(1 << 20).decode_message(frame);
    frame.expect("it is of our own making").body
}
