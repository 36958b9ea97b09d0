//! What is under the lock of a connection's handle: its send queue, who writes,
//! and what the task has to hear of.

use std::task::Waker;

use bytes::Bytes;
use protocol::v1::CloseReason;

use crate::outbound::{Batch, Outbound, Pushing};

/// Everything that others and the task tell each other.
#[derive(Debug)]
pub(crate) struct Mailbox<S> {
    pub(crate) outbound: Outbound,
    pub(crate) stage: Stage,
    /// Who holds the session has changed, or room has been made.
    pub(crate) stirred: bool,
    /// The client's connection is lost, and it may come back: nothing is written.
    pub(crate) away: bool,
    /// It is on a list of those that are to be flushed.
    pub(crate) listed: bool,
    pub(crate) writer: Writer,
    /// What deliverers write to, unless one of them has it in hand or the task
    /// alone writes.
    pub(crate) socket: Option<S>,
    /// What a deliverer has not been able to write; the task's to finish.
    pub(crate) rest: Option<Box<Batch>>,
    /// There may be something new for the task.
    pub(crate) told: bool,
    /// The task, if it waits.
    pub(crate) waker: Option<Waker>,
}

/// Who has frames in hand that have left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Nobody,
    Task,
    Deliverer,
}

#[derive(Debug)]
pub(crate) enum Stage {
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
    /// It will be written, in place of an older one.
    Replaced,
    /// The client reads too slowly: it will be closed.
    Overflowed,
    /// The connection is about to end, or has yet to begin.
    Closing,
}

/// What has to be done for a frame that was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Whoever writes takes it, or has been told to.
    Nothing,
    /// Nobody knows of it yet.
    Telling,
}

/// Frames and bytes that have left a queue.
pub(crate) type Taken = (usize, usize);

impl<S> Mailbox<S> {
    /// Of a connection that has just been made.
    pub(crate) fn new(outbound: Outbound) -> Self {
        Mailbox {
            outbound,
            stage: Stage::Strange,
            stirred: false,
            away: false,
            listed: false,
            writer: Writer::Nobody,
            socket: None,
            rest: None,
            told: false,
            waker: None,
        }
    }

    /// Queues a frame, and says whether somebody has to be told.
    pub(crate) fn push(&mut self, frame: Bytes, latest: bool) -> (Pushed, Due) {
        match self.outbound.push(frame, latest) {
            // Who takes the first takes all that waits.
            Ok(Pushing::Behind) => (Pushed::Queued, Due::Nothing),
            Ok(Pushing::Replaced) => (Pushed::Replaced, Due::Nothing),
            // Who writes looks again afterwards.
            Ok(Pushing::First) if self.writer != Writer::Nobody => (Pushed::Queued, Due::Nothing),
            Ok(Pushing::First) => (Pushed::Queued, Due::Telling),
            Err(_) => {
                self.outbound.clear();
                self.stage = Stage::Closing(CloseReason::SlowConsumer);
                (Pushed::Overflowed, Due::Telling)
            }
        }
    }

    /// The task's next batch, unless a deliverer is at it, or nobody is there to read it.
    pub(crate) fn refill(&mut self, batch: &mut Batch) -> Taken {
        if self.writer == Writer::Deliverer || self.away {
            return (0, 0);
        }
        if let Some(rest) = self.rest.take() {
            *batch = *rest;
        }
        let taken = self.outbound.refill(batch);
        self.writer = match batch.is_written() {
            true => Writer::Nobody,
            false => Writer::Task,
        };
        taken
    }
}
