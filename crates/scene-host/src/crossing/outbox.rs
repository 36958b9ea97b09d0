//! What the script wants done and the network has not yet taken.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use metrics::counter;
use tokio::sync::Notify;

use crate::Action;

/// The queue out of the script's thread.
///
/// Messages for clients, and what a script wants of channels and scenes, may take
/// [`Outbox::limit`] bytes of it; past that they are refused, and the script is
/// told so. What answers the gates is never refused: their windows, and the
/// sessions that they have, bound it.
#[derive(Debug)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    /// What was handed over and not taken.
    bytes: AtomicUsize,
    /// What was reserved since. Only the script's thread writes it.
    reserved: Own,
    limit: usize,
    ready: Notify,
    /// Messages of the script that came to nothing.
    lost: AtomicU64,
}

/// On a line of the cache that no other thread has.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Own(AtomicUsize);

#[derive(Debug, Default)]
struct Waiting {
    actions: Vec<Action>,
    closed: bool,
}

impl Outbox {
    /// What an action weighs beside its message.
    const OVERHEAD: usize = 64;

    pub(crate) fn new(limit: usize) -> Self {
        Outbox {
            waiting: Mutex::default(),
            bytes: AtomicUsize::new(0),
            reserved: Own::default(),
            limit,
            ready: Notify::new(),
            lost: AtomicU64::new(0),
        }
    }

    /// Reserves room for a message of `length` bytes; false if there is none.
    pub(crate) fn reserve(&self, length: usize) -> bool {
        let taken = self.bytes.load(Ordering::Relaxed) + self.reserved();
        if taken + length + Self::OVERHEAD > self.limit {
            return false;
        }
        self.charge(length);
        true
    }

    /// Takes room for a message of `length` bytes that is not refused.
    pub(crate) fn charge(&self, length: usize) {
        let reserved = self.reserved() + length + Self::OVERHEAD;
        self.reserved.0.store(reserved, Ordering::Relaxed);
    }

    fn reserved(&self) -> usize {
        self.reserved.0.load(Ordering::Relaxed)
    }

    /// Hands over everything in `actions`.
    pub(crate) fn hand_over(&self, actions: &mut Vec<Action>) {
        if actions.is_empty() {
            return;
        }
        // Before anybody can take what it is for.
        let reserved = self.reserved.0.swap(0, Ordering::Relaxed);
        self.bytes.fetch_add(reserved, Ordering::Relaxed);
        {
            let mut waiting = self.waiting();
            if waiting.actions.is_empty() {
                mem::swap(&mut waiting.actions, actions);
            } else {
                waiting.actions.append(actions);
            }
        }
        self.ready.notify_one();
    }

    /// Says that nothing follows.
    pub(crate) fn close(&self) {
        self.waiting().closed = true;
        self.ready.notify_one();
    }

    /// Waits for actions and takes all that there are, in their order. `None`
    /// once the scene has stopped and everything was taken. For one taker.
    pub async fn take(&self) -> Option<Vec<Action>> {
        loop {
            let (actions, closed) = {
                let mut waiting = self.waiting();
                (mem::take(&mut waiting.actions), waiting.closed)
            };
            if !actions.is_empty() {
                let weight: usize = actions
                    .iter()
                    .filter_map(Action::message_bytes)
                    .map(|length| length + Self::OVERHEAD)
                    .sum();
                self.bytes.fetch_sub(weight, Ordering::Relaxed);
                return Some(actions);
            }
            if closed {
                return None;
            }
            self.ready.notified().await;
        }
    }

    /// How many bytes of messages may wait.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes of messages were handed over and not taken.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A message of the script comes to nothing.
    pub(crate) fn lose(&self, reason: &'static str) {
        counter!("redrabbit_messages_dropped_total", "reason" => reason).increment(1);
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many have.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether there is ample room.
    pub(crate) fn is_half_empty(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) + self.reserved() < self.limit / 2
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A queue of whole actions is as good after a panic as before it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Audience, Parcel};

    fn broadcast(body: &'static [u8]) -> Action {
        Action::Broadcast {
            audience: Audience::Group,
            parcel: Parcel {
                cmd: 1,
                body: Bytes::from_static(body),
                latest: false,
            },
        }
    }

    #[tokio::test]
    async fn messages_past_the_limit_are_refused_until_some_are_taken() {
        let length = broadcast(b"aaaa").message_bytes().unwrap();
        let outbox = Outbox::new(2 * (Outbox::OVERHEAD + length));
        let mut actions = Vec::new();
        for body in [b"aaaa", b"bbbb"] {
            assert!(outbox.reserve(length));
            actions.push(broadcast(body));
        }
        assert!(!outbox.reserve(0));
        outbox.hand_over(&mut actions);
        assert_eq!(outbox.take().await.unwrap().len(), 2);
        assert!(outbox.reserve(length));
    }

    #[tokio::test]
    async fn what_was_handed_over_before_the_end_is_still_taken() {
        let outbox = Outbox::new(1 << 20);
        let message = broadcast(b"a");
        assert!(outbox.reserve(message.message_bytes().unwrap()));
        outbox.hand_over(&mut vec![message]);
        outbox.close();
        assert_eq!(outbox.take().await.unwrap().len(), 1);
        assert!(outbox.take().await.is_none());
    }
}
