//! What a message carries: when it was sent, and its place among all of its
//! sender's.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The shortest body: a part's number, the message's, and a moment.
pub(crate) const LEAST_BYTES: usize = 20;

/// Writes and reads what messages of one load carry.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Moments are counted from here.
    epoch: Instant,
    body: Vec<u8>,
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
        }
    }

    /// The body of a message.
    pub(crate) fn write(&mut self, part: u32, number: u64, now: Instant) -> &[u8] {
        let nanoseconds = now.saturating_duration_since(self.epoch).as_nanos() as u64;
        self.body[..4].copy_from_slice(&part.to_le_bytes());
        self.body[4..12].copy_from_slice(&number.to_le_bytes());
        self.body[12..20].copy_from_slice(&nanoseconds.to_le_bytes());
        &self.body
    }

    /// What a body says.
    pub(crate) fn read(&self, body: &[u8], now: Instant) -> Result<Read> {
        ensure!(
            body.len() == self.body.len(),
            "an answer of {} bytes and not {}",
            body.len(),
            self.body.len()
        );
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
}
