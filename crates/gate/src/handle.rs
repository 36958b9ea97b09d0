//! What the rest of the gate holds of a connection: its send queue, its
//! window, and the wish that it ends.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use protocol::v1::CloseReason;
use tokio::sync::Notify;

use crate::{
    outbound::{Batch, Outbound},
    window::{Freed, SessionWindow},
};

/// A connection, as others reach it. Its own task is woken when there is
/// something for it, and collects it.
#[derive(Debug)]
pub(crate) struct Handle {
    /// A lock a connection, held for a few instructions: by whoever delivers
    /// to it, and by its own task. It guards no I/O and no `await`.
    mailbox: Mutex<Mailbox>,
    wake: Notify,
}

#[derive(Debug)]
struct Mailbox {
    outbound: Outbound,
    window: SessionWindow,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Not let in yet.
    Strange,
    Active,
    /// To be closed. The first reason is the one that counts.
    Closing(CloseReason),
}

/// What became of a frame for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It will be written.
    Queued,
    /// The client reads too slowly: it will be closed.
    Overflowed,
    /// The connection is about to end.
    Closing,
}

/// What a connection's task finds when it looks.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Why it is to end, if it is.
    pub(crate) asked: Option<CloseReason>,
    /// Whether another frame may be sent to the scene.
    pub(crate) window_open: bool,
    /// Frames and bytes that have just been put into the batch.
    pub(crate) taken: (usize, usize),
}

impl Handle {
    /// Of a connection that has just been made.
    pub(crate) fn new(outbound: Outbound, window: SessionWindow) -> Self {
        Handle {
            mailbox: Mutex::new(Mailbox {
                outbound,
                window,
                stage: Stage::Strange,
            }),
            wake: Notify::new(),
        }
    }

    /// Queues an encoded frame for the client.
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        let mut mailbox = self.lock();
        if let Stage::Closing(_) = mailbox.stage {
            return Pushed::Closing;
        }
        match mailbox.outbound.push(frame) {
            // Its task takes all that waits: one wake is enough for it.
            Ok(false) => Pushed::Queued,
            Ok(true) => {
                drop(mailbox);
                self.wake.notify_one();
                Pushed::Queued
            }
            Err(_) => {
                mailbox.outbound.clear();
                mailbox.stage = Stage::Closing(CloseReason::SlowConsumer);
                drop(mailbox);
                self.wake.notify_one();
                Pushed::Overflowed
            }
        }
    }

    /// The scene has finished some frames. Returns what they weighed, and
    /// whether they were the last of a connection that ends.
    pub(crate) fn finish(&self, frames: u32) -> (usize, bool) {
        let mut mailbox = self.lock();
        let Freed { weight, opened } = mailbox.window.finish(frames);
        let closing = matches!(mailbox.stage, Stage::Closing(_));
        let last = closing && mailbox.window.is_empty();
        drop(mailbox);
        if opened {
            self.wake.notify_one();
        }
        (weight, last)
    }

    /// Whether frames are on their way to the scene.
    pub(crate) fn has_unfinished(&self) -> bool {
        !self.lock().window.is_empty()
    }

    /// A frame of this weight is on its way to the scene.
    pub(crate) fn send(&self, weight: u32) {
        self.lock().window.send(weight);
    }

    /// The latest frame was not sent after all. Returns what it weighs.
    pub(crate) fn take_back(&self) -> usize {
        self.lock().window.take_back()
    }

    /// Asks the connection to end.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut mailbox = self.lock();
        if !matches!(mailbox.stage, Stage::Closing(_)) {
            mailbox.stage = Stage::Closing(reason);
            drop(mailbox);
            self.wake.notify_one();
        }
    }

    /// As [`close`](Self::close), of a client that has not been let in yet.
    pub(crate) fn close_stranger(&self, reason: CloseReason) {
        let mut mailbox = self.lock();
        if matches!(mailbox.stage, Stage::Strange) {
            mailbox.stage = Stage::Closing(reason);
            drop(mailbox);
            self.wake.notify_one();
        }
    }

    /// The client is let in, unless somebody has asked for the end by now.
    pub(crate) fn activate(&self) -> bool {
        let mut mailbox = self.lock();
        let strange = matches!(mailbox.stage, Stage::Strange);
        if strange {
            mailbox.stage = Stage::Active;
        }
        strange
    }

    /// For the connection's own task: the next batch, if the last one has been
    /// written, and how things stand.
    pub(crate) fn collect(&self, batch: &mut Batch) -> Mail {
        let mut mailbox = self.lock();
        Mail {
            taken: mailbox.outbound.refill(batch),
            asked: match mailbox.stage {
                Stage::Closing(reason) => Some(reason),
                Stage::Strange | Stage::Active => None,
            },
            window_open: !mailbox.window.is_full(),
        }
    }

    /// For the connection's own task: takes no more, and puts all that was
    /// queued before the end into the last batch.
    pub(crate) fn shut(&self, reason: CloseReason, batch: &mut Batch) {
        let mut mailbox = self.lock();
        if !matches!(mailbox.stage, Stage::Closing(_)) {
            mailbox.stage = Stage::Closing(reason);
        }
        mailbox.outbound.take_all(batch);
    }

    /// For the connection's own task: waits until there may be something new.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        // Nothing under the lock can panic half-way through a change.
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(frames: usize) -> Handle {
        Handle::new(Outbound::new(frames, 1_000), SessionWindow::new(1, 1_000))
    }

    #[test]
    fn queue_that_overflows_closes_the_connection_as_a_slow_consumer() {
        let handle = handle(1);
        assert_eq!(handle.push("a".into()), Pushed::Queued);
        assert_eq!(handle.push("b".into()), Pushed::Overflowed);
        assert_eq!(handle.push("c".into()), Pushed::Closing);
        let mut batch = Batch::default();
        assert_eq!(
            handle.collect(&mut batch).asked,
            Some(CloseReason::SlowConsumer)
        );
        assert!(batch.is_written(), "what waited is forgotten");
    }

    #[test]
    fn first_reason_to_close_is_the_one_that_counts() {
        let handle = handle(1);
        handle.close(CloseReason::Replaced);
        handle.close(CloseReason::Draining);
        let mail = handle.collect(&mut Batch::default());
        assert_eq!(mail.asked, Some(CloseReason::Replaced));
        assert!(!handle.activate());
    }

    #[test]
    fn only_strangers_are_closed_as_strangers() {
        let handle = handle(1);
        assert!(handle.activate());
        handle.close_stranger(CloseReason::Draining);
        assert_eq!(handle.collect(&mut Batch::default()).asked, None);
    }

    #[test]
    fn what_was_queued_before_the_end_is_in_the_last_batch() {
        let handle = handle(10);
        handle.push("last words".into());
        handle.close(CloseReason::ClosedByScene);
        assert_eq!(handle.push("too late".into()), Pushed::Closing);
        let mut batch = Batch::default();
        handle.shut(CloseReason::ClosedByScene, &mut batch);
        assert_eq!(batch.pop().unwrap(), "last words");
        assert!(!batch.has_frames());
    }

    #[test]
    fn last_finished_frame_of_a_connection_that_ends_is_known_as_such() {
        let handle = handle(1);
        handle.send(70);
        assert_eq!(handle.finish(1), (70, false));
        handle.send(71);
        handle.send(72);
        handle.close(CloseReason::ClientClosed);
        assert_eq!(handle.finish(1), (71, false));
        assert_eq!(handle.finish(1), (72, true));
    }

    #[tokio::test]
    async fn task_is_woken_by_the_first_frame_and_by_an_opened_window() {
        let handle = handle(10);
        handle.push("a".into());
        handle.push("b".into());
        handle.woken().await;
        handle.send(1);
        handle.finish(1);
        handle.woken().await;
    }
}
