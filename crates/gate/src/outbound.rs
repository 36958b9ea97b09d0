//! What waits to be written to one client: bounded, so that a client that
//! reads slowly costs itself its connection and nobody else anything.

use std::{collections::VecDeque, io::IoSlice, sync::Arc};

use bytes::{Buf, Bytes};
use protocol::client::resume::{CountError, Sent, encode_ack, is_message};

use topology::Limits;

use crate::{latest::Latest, live::Amount};

/// As much is taken for one write, and then waits for the socket.
const BATCH_BYTES: usize = 64 * 1024;
const BATCH_FRAMES: usize = 64;

/// A session's send queue. It counts a frame from the moment it is pushed to
/// the moment it is written.
#[derive(Debug)]
pub(crate) struct Outbound {
    room: Arc<SendRoom>,
    waiting: VecDeque<Bytes>,
    latest: Latest,
    /// Waiting and being written.
    frames: usize,
    bytes: usize,
    /// Of a client that may resume.
    kept: Option<Box<Kept>>,
}

/// What a client that may resume costs.
#[derive(Debug, Default)]
struct Kept {
    /// Messages that have left the queue.
    sent: Sent,
    /// How many of its own the client is to be told to have come.
    ack: Option<u64>,
}

/// What may wait for each client now.
#[derive(Debug)]
pub(crate) struct SendRoom {
    frames: Amount,
    bytes: Amount,
    /// Of what was written and has not been acknowledged.
    kept_bytes: Amount,
}

impl SendRoom {
    /// Those of a gate with these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        SendRoom {
            frames: Amount::new(limits.send_queue_frames),
            bytes: Amount::new(limits.send_queue_bytes),
            kept_bytes: Amount::new(limits.resume_bytes),
        }
    }

    /// As much from now on. What waits goes out.
    pub(crate) fn set(&self, limits: &Limits) {
        self.frames.set(limits.send_queue_frames);
        self.bytes.set(limits.send_queue_bytes);
        self.kept_bytes.set(limits.resume_bytes);
    }
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

/// Where a frame was put.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushing {
    /// Nothing waited.
    First,
    /// Behind those that wait.
    Behind,
    /// In the place of an older one.
    Replaced,
}

impl Outbound {
    /// For so many frames and bytes.
    #[cfg(test)]
    pub(crate) fn new(frames: usize, bytes: usize) -> Self {
        Outbound::within(&Arc::new(SendRoom {
            frames: Amount::new(frames),
            bytes: Amount::new(bytes),
            kept_bytes: Amount::new(bytes),
        }))
    }

    /// For as much as there is room now.
    pub(crate) fn within(room: &Arc<SendRoom>) -> Self {
        Outbound {
            room: Arc::clone(room),
            waiting: VecDeque::new(),
            latest: Latest::default(),
            frames: 0,
            bytes: 0,
            kept: None,
        }
    }

    /// From here on messages are kept until they are acknowledged.
    pub(crate) fn keep(&mut self) {
        self.kept = Some(Box::default());
    }

    /// The client is to be told, with what goes out next, that so many of its messages
    /// have come.
    pub(crate) fn tell(&mut self, count: u64) {
        if let Some(kept) = &mut self.kept {
            kept.ack = Some(count);
        }
    }

    /// The client says how many messages have come.
    pub(crate) fn acknowledge(&mut self, count: u64) -> Result<(), CountError> {
        let kept = self.kept.as_mut();
        kept.map_or(Ok(()), |kept| kept.sent.acknowledge(count))
    }

    /// The client is back on another connection and says how many messages have come:
    /// the others go out again.
    pub(crate) fn resume(&mut self, count: u64) -> Result<(), CountError> {
        let Some(kept) = &mut self.kept else {
            return Ok(());
        };
        kept.sent.resume(count)?;
        // The answer says it.
        kept.ack = None;
        Ok(())
    }

    /// Puts a frame behind those that wait, or, as the `latest` of its `cmd`, in
    /// the place of the one that was the latest. An empty queue takes any frame:
    /// one message that is larger than the bound is the script's choice and not
    /// the client's fault.
    pub(crate) fn push(&mut self, frame: Bytes, latest: bool) -> Result<Pushing, Full> {
        if latest && let Some(older) = self.latest.place(&frame) {
            let older = &mut self.waiting[older];
            let bytes = self.bytes - older.len() + frame.len();
            if bytes > self.room.bytes.get() && self.frames > 1 {
                return Err(Full);
            }
            self.bytes = bytes;
            *older = frame;
            return Ok(Pushing::Replaced);
        }
        let fits = self.frames < self.room.frames.get()
            && self.bytes + frame.len() <= self.room.bytes.get();
        if !fits && self.frames > 0 {
            return Err(Full);
        }
        if latest {
            self.latest.note(&frame, self.waiting.len());
        }
        self.frames += 1;
        self.bytes += frame.len();
        start_small(&mut self.waiting);
        self.waiting.push_back(frame);
        Ok(match self.waiting.len() {
            1 => Pushing::First,
            _ => Pushing::Behind,
        })
    }

    /// Frames and bytes that wait, or are being written.
    pub(crate) fn queued(&self) -> (usize, usize) {
        (self.frames, self.bytes)
    }

    /// Once a batch has been written: takes the next one. Says how many frames
    /// and bytes are in it, if it is new.
    pub(crate) fn refill(&mut self, batch: &mut Batch) -> (usize, usize) {
        if !batch.is_written() {
            return (0, 0);
        }
        self.settle(batch);
        let waited = self.waiting.len();
        while batch.taken_frames < BATCH_FRAMES && batch.taken_bytes < BATCH_BYTES {
            let Some(frame) = self.take() else {
                break;
            };
            start_small(&mut batch.frames);
            batch.taken_frames += 1;
            batch.taken_bytes += frame.len();
            batch.frames.push_back(frame);
        }
        let left = waited - self.waiting.len();
        self.latest.advance(left, self.waiting.len());
        // A queue that was long once need not stay large.
        if self.waiting.is_empty() && self.waiting.capacity() > BATCH_FRAMES {
            self.waiting = VecDeque::new();
        }
        (batch.taken_frames, batch.taken_bytes)
    }

    /// The next frame to be written.
    fn take(&mut self) -> Option<Bytes> {
        let Some(kept) = &mut self.kept else {
            return self.waiting.pop_front();
        };
        // Neither was counted when it was pushed.
        let again = kept.ack.take().map(encode_ack);
        if let Some(frame) = again.or_else(|| kept.sent.next_out()) {
            self.frames += 1;
            self.bytes += frame.len();
            return Some(frame);
        }
        let frame = self.waiting.pop_front()?;
        if !is_message(&frame) {
            return Some(frame);
        }
        kept.sent.push(frame);
        let frame = kept.sent.next_out();
        let room = &self.room;
        kept.sent
            .keep_within(room.frames.get(), room.kept_bytes.get());
        frame
    }

    /// Once a batch has been written, or never will be: it counts no more.
    pub(crate) fn settle(&mut self, batch: &mut Batch) {
        self.frames -= std::mem::take(&mut batch.taken_frames);
        self.bytes -= std::mem::take(&mut batch.taken_bytes);
    }

    /// Whether nothing waits. Something may still be being written.
    pub(crate) fn is_empty(&self) -> bool {
        let owes = |kept: &Kept| kept.ack.is_some() || kept.sent.has_next();
        self.waiting.is_empty() && !self.kept.as_deref().is_some_and(owes)
    }

    /// Takes all that waits, for a last batch.
    pub(crate) fn take_all(&mut self, batch: &mut Batch) {
        if let Some(kept) = &mut self.kept {
            batch
                .frames
                .extend(std::iter::from_fn(|| kept.sent.next_out()));
        }
        batch.frames.append(&mut self.waiting);
        self.latest = Latest::default();
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.latest = Latest::default();
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

    /// Some of it is in a buffer, and not written until
    /// [`set_flushed`](Self::set_flushed) says that the buffer is.
    pub(crate) fn set_buffered(&mut self) {
        self.buffered = true;
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

/// Most connections are idle most of the time, and have had one frame: their
/// answer.
fn start_small(frames: &mut VecDeque<Bytes>) {
    if frames.capacity() == 0 {
        frames.reserve_exact(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use protocol::client::encode_frame;

    use super::*;

    #[test]
    fn queue_is_full_past_its_frames_or_its_bytes() {
        let mut queue = Outbound::new(2, 100);
        assert_eq!(queue.push("a".into(), false), Ok(Pushing::First));
        assert_eq!(queue.push("b".into(), false), Ok(Pushing::Behind));
        assert_eq!(queue.push("c".into(), false), Err(Full));

        let mut queue = Outbound::new(100, 10);
        assert_eq!(queue.push("123456".into(), false), Ok(Pushing::First));
        assert_eq!(queue.push("12345".into(), false), Err(Full));
        assert_eq!(queue.push("1234".into(), false), Ok(Pushing::Behind));
    }

    #[test]
    fn empty_queue_takes_a_frame_larger_than_its_bound() {
        let mut queue = Outbound::new(2, 10);
        assert_eq!(queue.push(vec![0; 1_000].into(), false), Ok(Pushing::First));
        assert_eq!(queue.push("a".into(), false), Err(Full));
    }

    #[test]
    fn what_is_being_written_counts_until_it_is_written() {
        let mut queue = Outbound::new(2, 100);
        let mut batch = Batch::default();
        queue.push("ab".into(), false).unwrap();
        queue.push("cd".into(), false).unwrap();
        queue.refill(&mut batch);
        assert_eq!(queue.push("x".into(), false), Err(Full));
        batch.advance(4);
        queue.refill(&mut batch);
        assert_eq!(queue.push("x".into(), false), Ok(Pushing::First));
    }

    /// A frame of `cmd`.
    fn state(cmd: u16, body: &str) -> Bytes {
        encode_frame(cmd, 0, body.as_bytes())
    }

    fn written(queue: &mut Outbound) -> Vec<Bytes> {
        let mut batch = Batch::default();
        queue.refill(&mut batch);
        std::iter::from_fn(|| batch.pop()).collect()
    }

    #[test]
    fn latest_frame_takes_the_place_of_the_older_one_and_of_no_other() {
        let mut queue = Outbound::new(9, 900);
        queue.push(state(1, "once"), false).unwrap();
        queue.push(state(1, "old"), true).unwrap();
        queue.push(state(2, "other"), true).unwrap();
        queue.push(state(1, "twice"), false).unwrap();
        let bytes = queue.bytes;
        assert_eq!(queue.push(state(1, "newer"), true), Ok(Pushing::Replaced));
        assert_eq!((queue.frames, queue.bytes), (4, bytes + 2));
        let expected = [
            state(1, "once"),
            state(1, "newer"),
            state(2, "other"),
            state(1, "twice"),
        ];
        assert_eq!(written(&mut queue), expected);
    }

    #[test]
    fn latest_frame_that_is_being_written_is_not_touched() {
        let mut queue = Outbound::new(9, 900);
        let mut batch = Batch::default();
        queue.push(state(1, "a"), true).unwrap();
        queue.refill(&mut batch);
        assert_eq!(queue.push(state(1, "b"), true), Ok(Pushing::First));
        assert_eq!(queue.push(state(1, "c"), true), Ok(Pushing::Replaced));
        assert_eq!(batch.pop(), Some(state(1, "a")));
        assert_eq!(batch.pop(), None);
        batch.set_flushed();
        queue.refill(&mut batch);
        assert_eq!(batch.pop(), Some(state(1, "c")));
        assert_eq!(batch.pop(), None);
    }

    #[test]
    fn latest_frame_that_outgrows_the_queue_is_refused() {
        let mut queue = Outbound::new(9, 40);
        queue.push(state(1, "0123456789"), true).unwrap();
        queue.push(state(2, ""), false).unwrap();
        let larger = "0".repeat(30);
        assert_eq!(queue.push(state(1, &larger), true), Err(Full));
    }

    proptest! {
        /// Whatever is pushed and written in between: who reads everything sees
        /// each frame that is not a latest one, in order, the last of each latest
        /// one, and never more than its bound waits.
        #[test]
        fn newest_state_of_each_cmd_arrives(
            steps in prop::collection::vec((0u16..4, any::<bool>(), 0u8..4), 1..200)
        ) {
            let mut queue = Outbound::new(1_000, 1_000_000);
            let mut batch = Batch::default();
            let (mut read, mut sent, mut newest) = (Vec::new(), Vec::new(), [None; 4]);
            let mut read_some = |queue: &mut Outbound, read: &mut Vec<Bytes>| {
                queue.refill(&mut batch);
                read.extend(std::iter::from_fn(|| batch.pop()));
                batch.set_flushed();
            };
            for (number, (cmd, latest, reads)) in steps.into_iter().enumerate() {
                let frame = state(cmd, &number.to_string());
                queue.push(frame.clone(), latest).unwrap();
                if latest {
                    newest[usize::from(cmd)] = Some(number);
                } else {
                    sent.push(frame);
                }
                if reads == 0 {
                    read_some(&mut queue, &mut read);
                }
            }
            for _ in 0..9 {
                read_some(&mut queue, &mut read);
            }
            for (cmd, number) in newest.iter().enumerate() {
                if let Some(number) = number {
                    prop_assert!(read.contains(&state(cmd as u16, &number.to_string())));
                }
            }
            let plain: Vec<_> = read.iter().filter(|frame| sent.contains(frame)).collect();
            prop_assert_eq!(plain, sent.iter().collect::<Vec<_>>());
            prop_assert_eq!((queue.frames, queue.bytes), (0, 0));
        }


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
                queue.push(frame.clone().into(), false).unwrap();
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
