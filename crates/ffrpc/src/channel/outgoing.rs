//! What goes to the other node of a pair, until it is acknowledged.
//!
//! Everything here counts from the first that is not acknowledged. "Sent" means
//! that a link has taken it since the last going back, and nothing more: it may
//! be lost, and what is not sent may have been sent, and delivered, before.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use protocol::{
    Envelope,
    envelope::{EnvelopeKind, Text},
};
use tokio::time::Instant;

/// The sending half of a pair.
#[derive(Debug)]
pub struct Outgoing {
    /// What is not acknowledged, in the order of the numbers.
    kept: VecDeque<Kept>,
    /// The number of the first of them, or the next to be given.
    first: u64,
    /// How many of them have been sent since the last going back.
    sent: usize,
    kept_bytes: usize,
    /// Those of them that could have been refused.
    refusable_bytes: usize,
    sent_bytes: usize,
    limit: usize,
    /// How many bytes may be on their way while the pair recovers.
    window: usize,
    waiting: Option<Waiting>,
    /// Nothing is sent before then.
    paused_until: Option<Instant>,
    /// How often nothing has come back since the last progress.
    failures: u32,
    /// How often a broker has had no room since the last progress.
    refusals: u32,
}

#[derive(Debug)]
struct Kept {
    envelope: Envelope,
    bytes: usize,
    refusable: bool,
}

/// Since when the first of the kept has been the first, on this route.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    first: u64,
    since: Instant,
}

/// What is not acknowledged for so long is sent again; twice as long each time.
const RESEND: Duration = Duration::from_millis(200);
const LONGEST_RESEND: Duration = Duration::from_secs(2);
/// How long a pair waits when a broker had no room for it, at first and at most.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// What it costs to keep an envelope beside its bytes.
const KEPT_BYTES: usize = size_of::<Kept>();
/// What a pair has on its way when it begins to recover. Each acknowledgement
/// doubles it.
const RECOVERY_WINDOW: usize = 64 << 10;

impl Outgoing {
    /// A pair that keeps at most `limit` bytes of what may be refused.
    pub fn new(limit: usize) -> Self {
        Outgoing {
            kept: VecDeque::new(),
            first: 1,
            sent: 0,
            kept_bytes: 0,
            refusable_bytes: 0,
            sent_bytes: 0,
            limit,
            window: usize::MAX,
            waiting: None,
            paused_until: None,
            failures: 0,
            refusals: 0,
        }
    }

    /// Whether an envelope of this size that may be refused may have a number.
    /// One that is larger than the bound may when it is alone.
    pub fn admits(&self, bytes: usize) -> bool {
        self.refusable_bytes == 0 || self.refusable_bytes + bytes <= self.limit
    }

    /// How many times the bound is kept of what may not be refused, answers
    /// above all: those of a node that takes them and does not say so.
    pub fn excess(&self) -> usize {
        let room = self.limit.max(1);
        (self.kept_bytes - self.refusable_bytes + self.kept.len() * KEPT_BYTES) / room
    }

    /// How much has been acknowledged.
    pub fn progress(&self) -> u64 {
        self.first - 1
    }

    /// The number that the next envelope gets.
    pub fn next_sequence(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Whether an envelope that comes now can be sent at once: nothing waits
    /// before it.
    pub fn is_clear(&self) -> bool {
        self.sent == self.kept.len()
            && self.paused_until.is_none()
            && (self.window == usize::MAX || self.sent_bytes < self.window)
    }

    /// Keeps `envelope`, which has the next number. `is_sent` says whether it
    /// has gone out already; otherwise [`next`](Self::next) gives it in turn.
    pub fn keep(&mut self, envelope: Envelope, bytes: usize, is_sent: bool) {
        debug_assert!(!is_sent || self.sent == self.kept.len(), "out of turn");
        let refusable = envelope.kind.is_refusable();
        self.kept_bytes += bytes;
        if refusable {
            self.refusable_bytes += bytes;
        }
        if is_sent {
            self.sent += 1;
            self.sent_bytes += bytes;
        }
        self.kept.push_back(Kept {
            envelope,
            bytes,
            refusable,
        });
    }

    /// What to send next, if anything may be sent. It stays the next until
    /// [`advance`](Self::advance): where a link does not take it, nothing has
    /// happened.
    #[allow(
        clippy::should_implement_trait,
        reason = "it lends and does not take out"
    )]
    pub fn next(&mut self) -> Option<&mut Envelope> {
        if self.paused_until.is_some() || (self.sent > 0 && self.sent_bytes >= self.window) {
            return None;
        }
        self.kept.get_mut(self.sent).map(|kept| &mut kept.envelope)
    }

    /// What [`next`](Self::next) gave has been sent.
    pub fn advance(&mut self) {
        if let Some(kept) = self.kept.get(self.sent) {
            self.sent_bytes += kept.bytes;
            self.sent += 1;
        }
    }

    /// Everything up to this number has arrived. Says whether that was news.
    pub fn acknowledged(&mut self, sequence: u64) -> bool {
        // A number that was never given is nonsense and changes nothing.
        if sequence < self.first || sequence >= self.next_sequence() {
            return false;
        }
        let count = (sequence - self.first + 1) as usize;
        for (index, kept) in self.kept.drain(..count).enumerate() {
            self.kept_bytes -= kept.bytes;
            if kept.refusable {
                self.refusable_bytes -= kept.bytes;
            }
            if index < self.sent {
                self.sent_bytes -= kept.bytes;
            }
        }
        self.sent = self.sent.saturating_sub(count);
        self.first = sequence + 1;
        self.failures = 0;
        self.refusals = 0;
        if self.window != usize::MAX {
            self.window = self.window.saturating_mul(2);
            if self.window > self.limit {
                self.window = usize::MAX;
            }
        }
        true
    }

    /// The route has changed: everything that is not acknowledged goes again.
    pub fn rewind(&mut self) {
        self.sent = 0;
        self.sent_bytes = 0;
        self.waiting = None;
        self.paused_until = None;
    }

    /// A broker had no room for the envelope of this number: the pair goes back
    /// to it, waits a little and continues carefully. What was acknowledged or
    /// gone back to meanwhile is no news.
    pub fn no_room(&mut self, sequence: u64, now: Instant) {
        let Some(index) = self.index(sequence).filter(|index| *index < self.sent) else {
            return;
        };
        self.go_back(index);
        let pause = PAUSE.saturating_mul(1 << self.refusals.min(8));
        self.paused_until = Some(now + pause.min(LONGEST_PAUSE));
        self.refusals = self.refusals.saturating_add(1);
        self.window = RECOVERY_WINDOW;
    }

    /// A message that nobody waits for any more: its place is kept and its
    /// content is not.
    pub fn cancel(&mut self, sequence: u64) {
        let Some(index) = self.index(sequence) else {
            return;
        };
        let kept = &mut self.kept[index];
        kept.envelope.kind = EnvelopeKind::Ack;
        kept.envelope.call_id = 0;
        kept.envelope.deadline_ms = 0;
        kept.envelope.method = Text::default();
        kept.envelope.body = Bytes::new();
        kept.envelope.crossing = Bytes::new();
        kept.envelope.trace_context = Bytes::new();
        let saved = kept.bytes - kept.envelope.element_bytes().min(kept.bytes);
        kept.bytes -= saved;
        self.kept_bytes -= saved;
        if kept.refusable {
            self.refusable_bytes -= saved;
        }
        if index < self.sent {
            self.sent_bytes -= saved;
        }
    }

    /// [`cancel`](Self::cancel) for the requests of these calls.
    pub fn cancel_calls(&mut self, calls: &HashSet<u64>) {
        let of_calls = |kept: &Kept| {
            kept.envelope.kind == EnvelopeKind::Request && calls.contains(&kept.envelope.call_id)
        };
        for index in 0..self.kept.len() {
            if of_calls(&self.kept[index]) {
                self.cancel(self.first + index as u64);
            }
        }
    }

    /// Looks at the time; wants to be called only while there is a route. Says
    /// how often in a row nothing has come back, when that has just happened
    /// again: the pair has gone back then.
    ///
    /// It makes no difference why nothing has come back. A link that takes
    /// nothing any more and a broker that never has room must not hold the pair
    /// longer than one that is silent.
    pub fn tick(&mut self, now: Instant) -> Option<u32> {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        if self.kept.is_empty() {
            self.waiting = None;
            return None;
        }
        let waiting = self
            .waiting
            .filter(|waiting| waiting.first == self.first)
            .unwrap_or(Waiting {
                first: self.first,
                since: now,
            });
        self.waiting = Some(waiting);
        let patience = RESEND.saturating_mul(1 << self.failures.min(8));
        if now < waiting.since + patience.min(LONGEST_RESEND) {
            return None;
        }
        self.go_back(0);
        self.waiting = None;
        self.failures = self.failures.saturating_add(1);
        self.window = RECOVERY_WINDOW;
        Some(self.failures)
    }

    /// Whether everything has been acknowledged.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many envelopes are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> usize {
        self.kept_bytes
    }

    fn index(&self, sequence: u64) -> Option<usize> {
        let index = sequence.checked_sub(self.first)? as usize;
        (index < self.kept.len()).then_some(index)
    }

    fn go_back(&mut self, index: usize) {
        let undone = self.kept.range(index..self.sent);
        self.sent_bytes -= undone.map(|kept| kept.bytes).sum::<usize>();
        self.sent = index;
    }
}

#[cfg(test)]
mod tests;
