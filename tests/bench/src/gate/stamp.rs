//! What a message carries: when it was sent, and its place among all of its
//! sender's.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The shortest body: a part's number, the message's, and a moment.
pub(crate) const LEAST_BYTES: usize = 20;
/// The same as JSON.
const LEAST_JSON_BYTES: usize = 2 * LEAST_BYTES + 4;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes and reads what messages of one load carry.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Moments are counted from here.
    epoch: Instant,
    body: Vec<u8>,
    text: Option<Vec<u8>>,
}

/// What a message has carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// A number that the scene may have put in.
    pub(crate) part: u32,
    pub(crate) number: u64,
    pub(crate) age: Duration,
}

impl Stamp {
    /// For bodies of this length.
    pub(crate) fn new(bytes: usize) -> Self {
        Stamp {
            epoch: Instant::now(),
            body: vec![b'x'; bytes.max(LEAST_BYTES)],
            text: None,
        }
    }

    /// For bodies of this length that are JSON: a list with one text.
    pub(crate) fn json(bytes: usize) -> Self {
        let mut text = vec![b'x'; bytes.max(LEAST_JSON_BYTES)];
        let end = text.len() - 2;
        text[..2].copy_from_slice(b"[\"");
        text[end..].copy_from_slice(b"\"]");
        Stamp {
            text: Some(text),
            ..Self::new(LEAST_BYTES)
        }
    }

    /// The body of a message.
    pub(crate) fn write(&mut self, part: u32, number: u64, now: Instant) -> &[u8] {
        let nanoseconds = now.saturating_duration_since(self.epoch).as_nanos() as u64;
        self.body[..4].copy_from_slice(&part.to_le_bytes());
        self.body[4..12].copy_from_slice(&number.to_le_bytes());
        self.body[12..20].copy_from_slice(&nanoseconds.to_le_bytes());
        let Some(text) = &mut self.text else {
            return &self.body;
        };
        for (digits, byte) in text[2..].chunks_exact_mut(2).zip(&self.body) {
            digits[0] = DIGITS[usize::from(byte >> 4)];
            digits[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// What a body says.
    pub(crate) fn read(&self, body: &[u8], now: Instant) -> Result<Read> {
        let length = self.text.as_ref().map_or(self.body.len(), Vec::len);
        ensure!(
            body.len() == length,
            "an answer of {} bytes and not {length}: {}",
            body.len(),
            String::from_utf8_lossy(body)
        );
        let read;
        let body = if self.text.is_some() {
            read = bytes(&body[2..]);
            &read[..]
        } else {
            body
        };
        let eight = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&body[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let sent = self.epoch + Duration::from_nanos(eight(12));
        Ok(Read {
            part: (eight(0) & u64::from(u32::MAX)) as u32,
            number: eight(4),
            age: now.saturating_duration_since(sent),
        })
    }
}

/// The bytes that hexadecimal digits stand for; any that are none are zeros.
fn bytes(digits: &[u8]) -> [u8; LEAST_BYTES] {
    let mut bytes = [0; LEAST_BYTES];
    for (byte, digits) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or(0) as u8;
        *byte = digit(digits[0]) << 4 | digit(digits[1]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut stamp = Stamp::new(64);
        let sent = Instant::now();
        let body = stamp.write(7, 1 << 40, sent).to_vec();
        let later = sent + Duration::from_millis(3);
        let read = stamp.read(&body, later).unwrap();
        assert_eq!((read.part, read.number), (7, 1 << 40));
        assert_eq!(read.age, Duration::from_millis(3));
        assert!(stamp.read(&body[1..], later).is_err());
    }

    #[test]
    fn what_is_written_as_json_is_json_and_is_read() {
        let mut stamp = Stamp::json(64);
        let sent = Instant::now();
        let body = stamp.write(7, 1 << 40, sent).to_vec();
        let text: Vec<String> = serde_json::from_slice(&body).unwrap();
        assert_eq!((body.len(), text.len()), (64, 1));
        let read = stamp.read(&body, sent).unwrap();
        assert_eq!((read.part, read.number), (7, 1 << 40));
    }
}
