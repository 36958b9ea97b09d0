//! Writing without waiting: what a socket takes at once.

use std::io::{self, IoSlice};

use tokio::net::tcp::OwnedWriteHalf;

use crate::outbound::Batch;

/// As many frames go into one write.
pub(crate) const WRITE_FRAMES: usize = 64;

/// Something that takes bytes at once, or says that it would have to wait.
pub(crate) trait Direct {
    /// Writes some of the bytes, without waiting.
    fn try_write(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Direct for OwnedWriteHalf {
    fn try_write(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(bytes)
    }
}

/// Writes as much of a batch as goes at once. What is not written is still in it
/// afterwards, whatever this returns.
pub(crate) fn write_now(socket: &mut impl Direct, batch: &mut Batch) -> io::Result<()> {
    while !batch.is_written() {
        let mut slices = [IoSlice::new(&[]); WRITE_FRAMES];
        let filled = batch.chunks(&mut slices);
        let written = socket.try_write(&slices[..filled])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        batch.advance(written);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use proptest::prelude::*;
    use protocol::v1::CloseReason;

    use super::*;
    use crate::{
        handle::{Flushed, Handle, Pushed},
        outbound::Outbound,
    };

    /// A socket that takes so many bytes and no more.
    #[derive(Clone, Default)]
    struct Stub(Arc<Mutex<Wire>>);

    #[derive(Default)]
    struct Wire {
        room: usize,
        written: Vec<u8>,
        writes: usize,
    }

    impl Direct for Stub {
        fn try_write(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut wire = self.0.lock().unwrap();
            let bytes: Vec<u8> = bytes.iter().flat_map(|slice| slice.to_vec()).collect();
            let count = bytes.len().min(wire.room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            wire.room -= count;
            wire.writes += 1;
            wire.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
    }

    impl Stub {
        fn open(&self, room: usize) {
            self.0.lock().unwrap().room = room;
        }

        fn written(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().written.clone()).unwrap()
        }

        fn writes(&self) -> usize {
            self.0.lock().unwrap().writes
        }
    }

    /// A connection that has been let in, and whose socket takes everything.
    fn connection(frames: usize) -> (Arc<Handle<Stub>>, Stub) {
        let (handle, socket) = (
            Handle::active(Outbound::new(frames, 10_000)),
            Stub::default(),
        );
        handle.lend(socket.clone());
        socket.open(usize::MAX);
        (Arc::new(handle), socket)
    }

    fn deliver(handle: &Arc<Handle<Stub>>, frame: &'static str) -> Pushed {
        handle.deliver(Bytes::from(frame), false, &mut Vec::new())
    }

    #[test]
    fn frames_that_come_together_leave_in_one_write() {
        let (handle, socket) = connection(9);
        let mut list = Vec::new();
        for frame in ["a", "b", "c"] {
            handle.deliver(frame.into(), false, &mut list);
        }
        assert_eq!(list.len(), 1, "it is listed once");
        let (taken, flushed) = handle.flush(&mut Batch::default());
        assert_eq!((taken, flushed), ((3, 3), Flushed::Done));
        assert_eq!((&*socket.written(), socket.writes()), ("abc", 1));
        // And it can be listed again.
        handle.deliver("d".into(), false, &mut list);
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn more_than_a_batch_takes_another_turn() {
        let (handle, socket) = connection(1_000);
        for _ in 0..70 {
            deliver(&handle, "x");
        }
        let mut batch = Batch::default();
        assert_eq!(handle.flush(&mut batch), ((64, 64), Flushed::More));
        assert_eq!(handle.flush(&mut batch), ((6, 6), Flushed::Done));
        assert_eq!((socket.written().len(), socket.writes()), (70, 2));
    }

    #[tokio::test]
    async fn what_the_socket_does_not_take_is_left_to_the_task_and_nobody_overtakes_it() {
        let (handle, mut socket) = connection(9);
        socket.open(4);
        deliver(&handle, "first");
        deliver(&handle, "second");
        let mut batch = Batch::default();
        handle.flush(&mut batch);
        assert_eq!(socket.written(), "firs");
        handle.woken().await;

        socket.open(usize::MAX);
        deliver(&handle, "third");
        assert_eq!(handle.flush(&mut batch), ((0, 0), Flushed::Done));
        assert_eq!(socket.written(), "firs", "it is the task's turn");
        let mut own = Batch::default();
        assert_eq!(handle.collect(&mut own).taken, (0, 0), "counted before");
        write_now(&mut socket, &mut own).unwrap();
        assert_eq!(handle.refill(&mut own), (1, 5));
        write_now(&mut socket, &mut own).unwrap();
        assert_eq!(handle.refill(&mut own), (0, 0));
        assert_eq!(socket.written(), "firstsecondthird");

        deliver(&handle, "fourth");
        handle.flush(&mut batch);
        assert_eq!(socket.written(), "firstsecondthirdfourth");
    }

    #[test]
    fn client_that_does_not_take_what_is_written_at_once_is_a_slow_consumer_at_its_bound() {
        let (handle, socket) = connection(3);
        socket.open(1);
        assert_eq!(deliver(&handle, "aa"), Pushed::Queued);
        handle.flush(&mut Batch::default());
        // What is being written counts.
        assert_eq!(deliver(&handle, "bb"), Pushed::Queued);
        assert_eq!(deliver(&handle, "cc"), Pushed::Queued);
        assert_eq!(deliver(&handle, "dd"), Pushed::Overflowed);
        let asked = handle.collect(&mut Batch::default()).asked;
        assert_eq!(asked, Some(CloseReason::SlowConsumer));
    }

    #[test]
    fn what_has_been_written_at_once_counts_no_more() {
        let (handle, _socket) = connection(2);
        let mut batch = Batch::default();
        for _ in 0..9 {
            assert_eq!(deliver(&handle, "aa"), Pushed::Queued);
            assert_eq!(deliver(&handle, "bb"), Pushed::Queued);
            handle.flush(&mut batch);
        }
    }

    #[tokio::test]
    async fn end_comes_behind_what_was_half_written_and_what_waits() {
        let (handle, mut socket) = connection(9);
        socket.open(2);
        deliver(&handle, "half");
        handle.flush(&mut Batch::default());
        deliver(&handle, "whole");
        handle.close(CloseReason::ClosedByScene);
        socket.open(usize::MAX);
        handle.flush(&mut Batch::default());
        assert_eq!(socket.written(), "ha");
        let mut last = Batch::default();
        let lent = handle.shut(CloseReason::ClosedByScene, &mut last).await;
        assert!(lent.is_some(), "it is given back");
        last.push("bye".into());
        write_now(&mut socket, &mut last).unwrap();
        assert_eq!(socket.written(), "halfwholebye");
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Deliver,
        Answer,
        Flush,
        Task,
        Room(usize),
    }

    proptest! {
        /// Whoever writes when, and however much the socket takes: every byte
        /// leaves once, in the order of the frames, and nobody is left with a
        /// frame of which nobody knows.
        #[test]
        fn bytes_leave_in_order_whoever_writes(
            steps in prop::collection::vec(prop_oneof![
                Just(Step::Deliver), Just(Step::Deliver), Just(Step::Answer),
                Just(Step::Flush), Just(Step::Task), (0usize..12).prop_map(Step::Room),
            ], 0..200)
        ) {
            let (handle, mut socket) = connection(1_000);
            let (mut listed, mut batch, mut own) = (Vec::new(), Batch::default(), Batch::default());
            let (mut expected, mut taken) = (String::new(), 0);
            let mut task = |socket: &mut Stub, taken: &mut usize| {
                *taken += handle.collect(&mut own).taken.0;
                while write_now(socket, &mut own).is_ok() {
                    match handle.refill(&mut own).0 {
                        0 => break,
                        more => *taken += more,
                    }
                }
            };
            let mut frames = 0;
            for step in steps {
                match step {
                    Step::Deliver | Step::Answer => {
                        let frame = format!("{frames},");
                        frames += 1;
                        expected.push_str(&frame);
                        match step {
                            Step::Deliver => handle.deliver(frame.into(), false, &mut listed),
                            _ => handle.push(frame.into(), false),
                        };
                    }
                    Step::Flush => for handle in std::mem::take(&mut listed) {
                        let (flushed, more) = handle.flush(&mut batch);
                        taken += flushed.0;
                        if more == Flushed::More {
                            listed.push(handle);
                        }
                    },
                    Step::Task => task(&mut socket, &mut taken),
                    Step::Room(room) => socket.open(room),
                }
                let written = socket.written();
                prop_assert!(expected.starts_with(&written), "{written} of {expected}");
            }
            socket.open(usize::MAX);
            let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
            while !listed.is_empty() || handle.poll_woken(&mut waker).is_ready() {
                task(&mut socket, &mut taken);
                for handle in std::mem::take(&mut listed) {
                    taken += handle.flush(&mut batch).0.0;
                }
            }
            // The task is in the middle of it, and its socket has room again.
            task(&mut socket, &mut taken);
            prop_assert_eq!((socket.written(), taken), (expected, frames));
        }
    }
}
