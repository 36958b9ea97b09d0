//! What waits to be written to one client: bounded, so that a client that
//! reads slowly costs itself its connection and nobody else anything.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

/// As much is taken for one write, and then waits for the socket.
const BATCH_BYTES: usize = 64 * 1024;
const BATCH_FRAMES: usize = 64;

/// A session's send queue. It counts a frame from the moment it is pushed to
/// the moment it is written.
#[derive(Debug)]
pub(crate) struct Outbound {
    limit_frames: usize,
    limit_bytes: usize,
    waiting: VecDeque<Bytes>,
    /// Waiting and being written.
    frames: usize,
    bytes: usize,
}

/// Frames that have left the queue together and are being written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: VecDeque<Bytes>,
    taken_frames: usize,
    taken_bytes: usize,
    /// Frames were popped, and are not written yet.
    buffered: bool,
}

/// The queue would be past its bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Outbound {
    /// For so many frames and bytes.
    pub(crate) fn new(limit_frames: usize, limit_bytes: usize) -> Self {
        Outbound {
            limit_frames,
            limit_bytes,
            waiting: VecDeque::new(),
            frames: 0,
            bytes: 0,
        }
    }

    /// Puts a frame behind those that wait, and says whether it is the first.
    /// An empty queue takes any frame: one message that is larger than the
    /// bound is the script's choice and not the client's fault.
    pub(crate) fn push(&mut self, frame: Bytes) -> Result<bool, Full> {
        let fits = self.frames < self.limit_frames && self.bytes + frame.len() <= self.limit_bytes;
        if !fits && self.frames > 0 {
            return Err(Full);
        }
        self.frames += 1;
        self.bytes += frame.len();
        self.waiting.push_back(frame);
        Ok(self.waiting.len() == 1)
    }

    /// Once a batch has been written: takes the next one. Says how many frames
    /// and bytes are in it, if it is new.
    pub(crate) fn refill(&mut self, batch: &mut Batch) -> (usize, usize) {
        if !batch.is_written() {
            return (0, 0);
        }
        self.frames -= batch.taken_frames;
        self.bytes -= batch.taken_bytes;
        batch.taken_frames = 0;
        batch.taken_bytes = 0;
        while batch.taken_frames < BATCH_FRAMES && batch.taken_bytes < BATCH_BYTES {
            let Some(frame) = self.waiting.pop_front() else {
                break;
            };
            batch.taken_frames += 1;
            batch.taken_bytes += frame.len();
            batch.frames.push_back(frame);
        }
        // A queue that was long once need not stay large.
        if self.waiting.is_empty() && self.waiting.capacity() > BATCH_FRAMES {
            self.waiting = VecDeque::new();
        }
        (batch.taken_frames, batch.taken_bytes)
    }

    /// Takes all that waits, for a last batch.
    pub(crate) fn take_all(&mut self, batch: &mut Batch) {
        batch.frames.append(&mut self.waiting);
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        for frame in std::mem::take(&mut self.waiting) {
            self.frames -= 1;
            self.bytes -= frame.len();
        }
    }
}

impl Batch {
    /// Whether everything has been written.
    pub(crate) fn is_written(&self) -> bool {
        self.frames.is_empty() && !self.buffered
    }

    /// Whether there is a frame to take.
    pub(crate) fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Adds the last frame of a connection.
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.frames.push_back(frame);
    }

    /// Takes the next whole frame into a buffer; the batch is not written
    /// until [`set_flushed`](Self::set_flushed) says that the buffer is.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front();
        self.buffered |= frame.is_some();
        frame
    }

    /// What was popped has been written.
    pub(crate) fn set_flushed(&mut self) {
        self.buffered = false;
    }

    /// Fills `slices` with what is next to be written, and says with how many.
    pub(crate) fn chunks<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame);
            filled += 1;
        }
        filled
    }

    /// So many bytes have been written.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.frames.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn queue_is_full_past_its_frames_or_its_bytes() {
        let mut queue = Outbound::new(2, 100);
        assert_eq!(queue.push("a".into()), Ok(true));
        assert_eq!(queue.push("b".into()), Ok(false));
        assert_eq!(queue.push("c".into()), Err(Full));

        let mut queue = Outbound::new(100, 10);
        assert_eq!(queue.push("123456".into()), Ok(true));
        assert_eq!(queue.push("12345".into()), Err(Full));
        assert_eq!(queue.push("1234".into()), Ok(false));
    }

    #[test]
    fn empty_queue_takes_a_frame_larger_than_its_bound() {
        let mut queue = Outbound::new(2, 10);
        assert_eq!(queue.push(vec![0; 1_000].into()), Ok(true));
        assert_eq!(queue.push("a".into()), Err(Full));
    }

    #[test]
    fn what_is_being_written_counts_until_it_is_written() {
        let mut queue = Outbound::new(2, 100);
        let mut batch = Batch::default();
        queue.push("ab".into()).unwrap();
        queue.push("cd".into()).unwrap();
        queue.refill(&mut batch);
        assert_eq!(queue.push("x".into()), Err(Full));
        batch.advance(4);
        queue.refill(&mut batch);
        assert_eq!(queue.push("x".into()), Ok(true));
    }

    proptest! {
        /// However the socket takes it, the bytes are those that were pushed,
        /// in order, and in the end nothing is counted.
        #[test]
        fn bytes_leave_in_order_and_once(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..200),
            writes in prop::collection::vec(1usize..100, 1..50),
        ) {
            let mut queue = Outbound::new(1_000, 1_000_000);
            let mut batch = Batch::default();
            let mut written = Vec::new();
            for frame in &frames {
                queue.push(frame.clone().into()).unwrap();
            }
            let mut writes = writes.iter().cycle();
            queue.refill(&mut batch);
            while !batch.is_written() {
                let mut slices = [IoSlice::new(&[]); 5];
                let filled = batch.chunks(&mut slices);
                let all: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
                let count = (*writes.next().unwrap()).min(all.len());
                written.extend_from_slice(&all[..count]);
                batch.advance(count);
                queue.refill(&mut batch);
            }
            prop_assert_eq!(written, frames.concat());
            prop_assert_eq!((queue.frames, queue.bytes), (0, 0));
        }
    }
}
