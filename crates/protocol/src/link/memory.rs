//! A link within a process: no encoding, no socket.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use futures_util::task::AtomicWaker;

use super::{OVERFLOW, Refused, Traffic};
use crate::Envelope;

/// A node's end of a link to a broker in its own process.
pub struct MemoryLink {
    /// Where the node sends.
    pub sink: Arc<dyn EnvelopeSink>,
    /// Where the broker puts what is for the node.
    pub queue: Arc<EnvelopeQueue>,
}

/// Takes envelopes for routing.
pub trait EnvelopeSink: Send + Sync {
    /// Routes `envelope`, or says why not.
    fn send(&self, envelope: Envelope) -> Result<(), Refused>;

    /// The node sends nothing more.
    fn close(&self);
}

/// Envelopes that wait for a node of the same process.
///
/// It has the bounds of an [`Outbox`](super::Outbox): at most `limit` bytes of
/// what may be refused, and closed at four times that.
#[derive(Debug)]
pub struct EnvelopeQueue {
    state: Mutex<State>,
    reader: AtomicWaker,
    limit: usize,
    /// What `State::closed` says, for those who only want to know that: the
    /// node's sending half asks for every envelope.
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    envelopes: Vec<Envelope>,
    bytes: usize,
    closed: bool,
    /// All that was ever put here.
    messages_put: u64,
    bytes_put: u64,
}

impl EnvelopeQueue {
    /// An empty one that takes refusable envelopes up to `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(EnvelopeQueue {
            state: Mutex::default(),
            reader: AtomicWaker::new(),
            limit,
            closed: AtomicBool::new(false),
        })
    }

    /// Appends an envelope. Says whether nothing was waiting before, so that
    /// the reader has to be woken when the caller is done appending.
    pub fn push(&self, envelope: Envelope) -> Result<bool, Refused> {
        let refusable = envelope.kind.is_refusable();
        match self.offer(envelope).map_err(|unsent| unsent.0) {
            Err(Refused::Full) if !refusable => {
                self.abandon();
                Err(Refused::Closed)
            }
            outcome => outcome,
        }
    }

    /// What [`push`](Self::push) does, but it gives back what it does not take,
    /// and at four times the limit the queue is full and stays open.
    pub fn offer(&self, envelope: Envelope) -> Result<bool, Box<(Refused, Envelope)>> {
        let bytes = envelope.element_bytes();
        let bound = match envelope.kind.is_refusable() {
            true => self.limit,
            false => self.limit.saturating_mul(OVERFLOW),
        };
        let mut state = self.lock();
        let refused = if state.closed {
            Refused::Closed
        } else if state.bytes + bytes > bound {
            Refused::Full
        } else {
            let was_empty = state.envelopes.is_empty();
            state.bytes += bytes;
            state.messages_put += 1;
            state.bytes_put += bytes as u64;
            state.envelopes.push(envelope);
            return Ok(was_empty);
        };
        Err(Box::new((refused, envelope)))
    }

    /// Wakes the reader.
    pub fn wake(&self) {
        self.reader.wake();
    }

    /// Everything that waits, as soon as there is something; `None` when the
    /// link is closed and everything has been taken. One reader at a time.
    pub async fn take(&self) -> Option<Vec<Envelope>> {
        poll_fn(|context| {
            self.reader.register(context.waker());
            let mut state = self.lock();
            if !state.envelopes.is_empty() {
                state.bytes = 0;
                return Poll::Ready(Some(std::mem::take(&mut state.envelopes)));
            }
            match state.closed {
                true => Poll::Ready(None),
                false => Poll::Pending,
            }
        })
        .await
    }

    /// Takes nothing more; what is there can still be read.
    pub fn close(&self) {
        self.lock().closed = true;
        self.closed.store(true, Ordering::Release);
        self.wake();
    }

    /// Takes nothing more and forgets what is there.
    pub fn abandon(&self) {
        {
            let mut state = self.lock();
            *state = State {
                closed: true,
                messages_put: state.messages_put,
                bytes_put: state.bytes_put,
                ..State::default()
            };
        }
        self.closed.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether it takes nothing more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// What went through it, and what waits.
    pub fn traffic(&self) -> Traffic {
        let state = self.lock();
        Traffic {
            messages: state.messages_put,
            bytes: state.bytes_put,
            queued_messages: state.envelopes.len() as u64,
            queued_bytes: state.bytes as u64,
            fill: Traffic::fill(state.bytes, self.limit),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeId, envelope::EnvelopeKind};

    fn sample(kind: EnvelopeKind) -> Envelope {
        Envelope::new(NodeId::new(1, 1), NodeId::new(1, 2), kind)
    }

    #[tokio::test]
    async fn a_reader_gets_all_that_waits_and_then_the_end() {
        let queue = EnvelopeQueue::new(1000);
        assert_eq!(queue.push(sample(EnvelopeKind::Notify)), Ok(true));
        assert_eq!(queue.push(sample(EnvelopeKind::Notify)), Ok(false));
        queue.close();
        assert_eq!(
            queue.push(sample(EnvelopeKind::Notify)),
            Err(Refused::Closed)
        );
        assert_eq!(queue.take().await.map(|some| some.len()), Some(2));
        assert_eq!(queue.take().await, None);
    }

    #[test]
    fn a_full_queue_refuses_notifies_and_takes_control() {
        let one = sample(EnvelopeKind::Notify).element_bytes();
        let queue = EnvelopeQueue::new(2 * one);
        queue.push(sample(EnvelopeKind::Notify)).unwrap();
        queue.push(sample(EnvelopeKind::Notify)).unwrap();
        assert_eq!(queue.push(sample(EnvelopeKind::Notify)), Err(Refused::Full));
        for _ in 0..6 {
            queue.push(sample(EnvelopeKind::Control)).unwrap();
        }
        assert_eq!(
            queue.push(sample(EnvelopeKind::Control)),
            Err(Refused::Closed)
        );
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_is_offered_to_a_full_queue_comes_back_and_leaves_it_open() {
        let one = sample(EnvelopeKind::Control).element_bytes();
        let queue = EnvelopeQueue::new(one);
        for _ in 0..4 {
            queue.offer(sample(EnvelopeKind::Control)).unwrap();
        }
        let unsent = queue.offer(sample(EnvelopeKind::Control)).unwrap_err();
        assert_eq!(unsent.0, Refused::Full);
        assert_eq!(unsent.1, sample(EnvelopeKind::Control));
        assert!(!queue.is_closed());
        queue.close();
        let unsent = queue.offer(sample(EnvelopeKind::Control)).unwrap_err();
        assert_eq!(unsent.0, Refused::Closed);
        assert!(queue.is_closed());
    }
}
