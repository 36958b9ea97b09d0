//! What the rest of the gate holds of a connection: its send queue, the right
//! to write to its socket, the word that something has changed, and the wish
//! that it ends.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use protocol::{client::resume::CountError, v1::CloseReason};
use tokio::net::tcp::OwnedWriteHalf;

use crate::{
    direct::{Direct, write_now},
    mailbox::{Due, Mailbox, Stage, Writer},
    outbound::{Batch, Outbound},
};

pub(crate) use crate::mailbox::{Pushed, Taken};

/// A connection, as others reach it. Its own task is woken when there is
/// something for it, and collects it.
///
/// Frames are written by one at a time: by the connection's task, or, if the
/// socket was lent to the handle and takes them at once, by whoever delivers.
#[derive(Debug)]
pub(crate) struct Handle<S = OwnedWriteHalf> {
    /// A lock a connection, held for a few instructions: by whoever delivers
    /// to it, and by its own task. It guards no I/O and no `await`.
    mailbox: Mutex<Mailbox<S>>,
    /// Whether the client can read bodies that are compressed.
    reads_compressed: AtomicBool,
}

/// What a connection's task finds when it looks.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Why it is to end, if it is.
    pub(crate) asked: Option<CloseReason>,
    /// Whether something has changed on the way to the scene.
    pub(crate) stirred: bool,
    /// Frames and bytes that have just been put into the batch.
    pub(crate) taken: Taken,
}

/// Why a client does not get its session back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRejoin {
    /// Somebody is in the middle of a write to the socket before.
    NotYet,
    /// Its count makes no sense, or what it lacks is not kept any more.
    Refused(CountError),
}

/// What a flush came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing is left for the one who flushes.
    Done,
    /// More waits than one batch takes.
    More,
}

impl<S: Direct> Handle<S> {
    /// Of a connection that has just been made.
    pub(crate) fn new(outbound: Outbound) -> Self {
        Handle {
            mailbox: Mutex::new(Mailbox::new(outbound)),
            reads_compressed: AtomicBool::new(false),
        }
    }

    /// Of a connection that has been let in without an answer.
    #[cfg(test)]
    pub(crate) fn active(outbound: Outbound) -> Self {
        let handle = Handle::new(outbound);
        handle.lock().stage = Stage::Active;
        handle
    }

    /// For the connection's own task, before the client is let in: it can read bodies that
    /// are compressed.
    pub(crate) fn set_reads_compressed(&self) {
        self.reads_compressed.store(true, Ordering::Relaxed);
    }

    /// Whether it can.
    pub(crate) fn reads_compressed(&self) -> bool {
        self.reads_compressed.load(Ordering::Relaxed)
    }

    /// For the connection's own task: lets those who deliver write to this.
    pub(crate) fn lend(&self, socket: S) {
        self.lock().socket = Some(socket);
    }

    /// Queues an encoded frame for the client, which its task writes. One that only
    /// counts until there is a newer one of its `cmd` is pushed as the `latest`.
    pub(crate) fn push(&self, frame: Bytes, latest: bool) -> Pushed {
        let mut mailbox = self.lock();
        if !matches!(mailbox.stage, Stage::Active) {
            return Pushed::Closing;
        }
        let (pushed, due) = mailbox.push(frame, latest);
        if due == Due::Telling {
            tell(mailbox);
        }
        pushed
    }

    /// As [`push`](Self::push), by one who flushes afterwards all that it has put
    /// on its `list`.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        frame: Bytes,
        latest: bool,
        list: &mut Vec<Arc<Self>>,
    ) -> Pushed {
        let mut mailbox = self.lock();
        if !matches!(mailbox.stage, Stage::Active) {
            return Pushed::Closing;
        }
        let (pushed, due) = mailbox.push(frame, latest);
        if due == Due::Nothing {
            return pushed;
        }
        let direct = mailbox.socket.is_some() && pushed != Pushed::Overflowed;
        if !direct {
            tell(mailbox);
        } else if !std::mem::replace(&mut mailbox.listed, true) {
            list.push(Arc::clone(self));
        }
        pushed
    }

    /// Writes what waits as far as the socket takes it at once, and leaves the
    /// rest to the task. Says what has left the queue; `batch` is empty before
    /// and after.
    pub(crate) fn flush(&self, batch: &mut Batch) -> (Taken, Flushed) {
        let mut mailbox = self.lock();
        mailbox.listed = false;
        let active = matches!(mailbox.stage, Stage::Active);
        if !active || mailbox.writer != Writer::Nobody || mailbox.outbound.is_empty() {
            // Whoever has the socket, or ends the connection, takes it all.
            return ((0, 0), Flushed::Done);
        }
        let Some(mut socket) = mailbox.socket.take() else {
            return ((0, 0), Flushed::Done);
        };
        let taken = mailbox.outbound.refill(batch);
        mailbox.writer = Writer::Deliverer;
        drop(mailbox);

        // An error is left to the task, too, which gets it in its turn.
        let _ = write_now(&mut socket, batch);

        let mut mailbox = self.lock();
        if mailbox.away {
            // The connection was lost meanwhile: what was in hand went with it.
            mailbox.outbound.settle(batch);
            *batch = Batch::default();
            mailbox.writer = Writer::Nobody;
            return (taken, Flushed::Done);
        }
        mailbox.socket = Some(socket);
        let written = batch.is_written();
        if written {
            mailbox.outbound.settle(batch);
            mailbox.writer = Writer::Nobody;
        } else {
            mailbox.rest = Some(Box::new(std::mem::take(batch)));
            mailbox.writer = Writer::Task;
        }
        let active = matches!(mailbox.stage, Stage::Active);
        let more = written && active && !mailbox.outbound.is_empty();
        mailbox.listed |= more;
        if !written || !active {
            tell(mailbox);
        }
        let flushed = if more { Flushed::More } else { Flushed::Done };
        (taken, flushed)
    }

    /// Says that something has changed on the way to the scene.
    pub(crate) fn stir(&self) {
        let mut mailbox = self.lock();
        mailbox.stirred = true;
        tell(mailbox);
    }

    /// Frames and bytes that wait, or are being written.
    pub(crate) fn queued(&self) -> Taken {
        self.lock().outbound.queued()
    }

    /// For the connection's own task: the connection is lost. What was being written
    /// goes with it; a client that may come back is written to again then.
    pub(crate) fn part(&self, batch: &mut Batch) {
        let mut mailbox = self.lock();
        mailbox.away = true;
        mailbox.socket = None;
        if let Some(mut rest) = mailbox.rest.take() {
            mailbox.outbound.settle(&mut rest);
        }
        mailbox.outbound.settle(batch);
        if mailbox.writer == Writer::Task {
            mailbox.writer = Writer::Nobody;
        }
    }

    /// For the connection's own task: the client is back over `socket` and says how many
    /// messages have come. The batch is the one that is written there, with `answer` as its
    /// first frame; what was in it, and the socket before, is given back.
    pub(crate) fn rejoin(
        &self,
        received: u64,
        answer: Bytes,
        socket: Option<S>,
        batch: &mut Batch,
    ) -> Result<(Batch, Option<S>), (NoRejoin, Option<S>)> {
        let mut mailbox = self.lock();
        if mailbox.writer == Writer::Deliverer {
            return Err((NoRejoin::NotYet, socket));
        }
        if let Err(error) = mailbox.outbound.resume(received) {
            return Err((NoRejoin::Refused(error), socket));
        }
        if let Some(rest) = mailbox.rest.take() {
            *batch = *rest;
        }
        mailbox.outbound.settle(batch);
        let before = std::mem::take(batch);
        batch.push(answer);
        mailbox.away = false;
        // Those who deliver wait until it is written.
        mailbox.writer = Writer::Task;
        Ok((before, std::mem::replace(&mut mailbox.socket, socket)))
    }

    /// Whether the client is away.
    #[cfg(test)]
    pub(crate) fn is_away(&self) -> bool {
        self.lock().away
    }

    /// For the connection's own task: the client says how many messages have come.
    pub(crate) fn acknowledge(&self, count: u64) -> Result<(), CountError> {
        self.lock().outbound.acknowledge(count)
    }

    /// For the connection's own task: the client is to be told how many of its messages
    /// have come.
    pub(crate) fn tell_count(&self, count: u64) {
        let mut mailbox = self.lock();
        mailbox.outbound.tell(count);
    }

    /// Asks the connection to end.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut mailbox = self.lock();
        if !matches!(mailbox.stage, Stage::Closing(_)) {
            mailbox.stage = Stage::Closing(reason);
            tell(mailbox);
        }
    }

    /// As [`close`](Self::close), of a client that has not been let in yet.
    pub(crate) fn close_stranger(&self, reason: CloseReason) {
        let mut mailbox = self.lock();
        let strange = matches!(mailbox.stage, Stage::Strange);
        if strange {
            mailbox.stage = Stage::Closing(reason);
            tell(mailbox);
        }
    }

    /// As [`close`](Self::close), of a connection whose task is no more: nobody
    /// is to keep its socket open.
    pub(crate) fn abandon(&self, reason: CloseReason) {
        self.close(reason);
        let socket = self.lock().socket.take();
        drop(socket);
    }

    /// The gate is going: a client that has been let in is given `notice`, the
    /// others are sent away.
    pub(crate) fn drain(&self, notice: &Bytes) {
        let mut mailbox = self.lock();
        match mailbox.stage {
            Stage::Strange => mailbox.stage = Stage::Closing(CloseReason::Draining),
            Stage::Active => {
                let _ = mailbox.push(notice.clone(), false);
            }
            Stage::Closing(_) => return,
        }
        tell(mailbox);
    }

    /// The client is let in and given this `answer`, unless somebody has asked for
    /// the end by now. What is sent to one that may come back is kept.
    pub(crate) fn activate(&self, answer: Bytes, may_come_back: bool) -> bool {
        let mut mailbox = self.lock();
        let strange = matches!(mailbox.stage, Stage::Strange);
        if strange {
            mailbox.stage = Stage::Active;
            if may_come_back {
                mailbox.outbound.keep();
            }
            let _ = mailbox.push(answer, false);
        }
        strange
    }

    /// For the connection's own task: the next batch, if the last one has been
    /// written, and how things stand.
    pub(crate) fn collect(&self, batch: &mut Batch) -> Mail {
        let mut mailbox = self.lock();
        mailbox.told = false;
        Mail {
            taken: mailbox.refill(batch),
            asked: match mailbox.stage {
                Stage::Closing(reason) => Some(reason),
                Stage::Strange | Stage::Active => None,
            },
            stirred: std::mem::take(&mut mailbox.stirred),
        }
    }

    /// For the connection's own task, when it has written: the next batch, if
    /// there is one.
    pub(crate) fn refill(&self, batch: &mut Batch) -> Taken {
        self.lock().refill(batch)
    }

    /// For the connection's own task: takes no more, and puts all that was
    /// queued before the end into the last batch. Gives back what was lent.
    pub(crate) async fn shut(&self, reason: CloseReason, batch: &mut Batch) -> Option<S> {
        loop {
            {
                let mut mailbox = self.lock();
                if !matches!(mailbox.stage, Stage::Closing(_)) {
                    mailbox.stage = Stage::Closing(reason);
                }
                if mailbox.writer != Writer::Deliverer {
                    if let Some(rest) = mailbox.rest.take() {
                        *batch = *rest;
                    }
                    mailbox.writer = Writer::Task;
                    mailbox.outbound.take_all(batch);
                    return mailbox.socket.take();
                }
            }
            // It is in the middle of a write, and says when that is over.
            self.woken().await;
        }
    }

    /// For the connection's own task: waits until there may be something new.
    pub(crate) async fn woken(&self) {
        poll_fn(|cx| self.poll_woken(cx)).await;
    }

    /// As [`woken`](Self::woken). The last one to ask is woken.
    pub(crate) fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut mailbox = self.lock();
        if std::mem::take(&mut mailbox.told) {
            return Poll::Ready(());
        }
        match &mut mailbox.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Mailbox<S>> {
        // Nothing under the lock can panic half-way through a change.
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task, not under the lock.
fn tell<S>(mut mailbox: MutexGuard<'_, Mailbox<S>>) {
    mailbox.told = true;
    let waker = mailbox.waker.take();
    drop(mailbox);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(frames: usize) -> Handle {
        Handle::active(Outbound::new(frames, 1_000))
    }

    fn stranger() -> Handle {
        Handle::new(Outbound::new(9, 1_000))
    }

    #[test]
    fn queue_that_overflows_closes_the_connection_as_a_slow_consumer() {
        let handle = handle(1);
        assert_eq!(handle.push("a".into(), false), Pushed::Queued);
        assert_eq!(handle.push("b".into(), false), Pushed::Overflowed);
        assert_eq!(handle.push("c".into(), false), Pushed::Closing);
        let mut batch = Batch::default();
        assert_eq!(
            handle.collect(&mut batch).asked,
            Some(CloseReason::SlowConsumer)
        );
        assert!(batch.is_written(), "what waited is forgotten");
    }

    #[test]
    fn first_reason_to_close_is_the_one_that_counts() {
        let handle = stranger();
        handle.close(CloseReason::Replaced);
        handle.close(CloseReason::Draining);
        let mail = handle.collect(&mut Batch::default());
        assert_eq!(mail.asked, Some(CloseReason::Replaced));
        assert!(!handle.activate("hello".into(), false));
    }

    #[test]
    fn only_strangers_are_closed_as_strangers() {
        let handle = stranger();
        assert!(handle.activate("hello".into(), false));
        handle.close_stranger(CloseReason::Draining);
        assert_eq!(handle.collect(&mut Batch::default()).asked, None);
    }

    #[test]
    fn drain_is_announced_to_those_who_are_in_behind_their_answer() {
        let (stranger, active) = (stranger(), stranger());
        assert_eq!(active.push("too early".into(), false), Pushed::Closing);
        active.activate("hello".into(), false);
        for handle in [&stranger, &active] {
            handle.drain(&"draining".into());
        }
        let mut batch = Batch::default();
        let asked = stranger.collect(&mut batch).asked;
        assert_eq!(asked, Some(CloseReason::Draining));
        assert_eq!(active.collect(&mut batch).asked, None);
        assert_eq!(batch.pop().unwrap(), "hello");
        assert_eq!(batch.pop().unwrap(), "draining");
    }

    #[tokio::test]
    async fn what_was_queued_before_the_end_is_in_the_last_batch() {
        let handle = handle(10);
        handle.push("last words".into(), false);
        handle.close(CloseReason::ClosedByScene);
        assert_eq!(handle.push("too late".into(), false), Pushed::Closing);
        let mut batch = Batch::default();
        handle.shut(CloseReason::ClosedByScene, &mut batch).await;
        assert_eq!(batch.pop().unwrap(), "last words");
        assert!(!batch.has_frames());
    }

    #[tokio::test]
    async fn task_is_woken_by_the_first_frame_and_by_a_change() {
        let handle = handle(10);
        handle.push("a".into(), false);
        handle.push("b".into(), false);
        handle.woken().await;
        handle.stir();
        handle.woken().await;
        let mail = handle.collect(&mut Batch::default());
        assert!(mail.stirred);
        assert!(!handle.collect(&mut Batch::default()).stirred);
    }
}
