//! What a link's queue can say of itself.

/// What went through a queue since it is there, and what waits in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Envelopes that were put there.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Envelopes that wait.
    pub queued_messages: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// How much of the bound at which it refuses is taken: 0 is empty, 1 full.
    pub fill: f64,
}

impl Traffic {
    /// How full a queue of `bytes` bytes is whose bound is `limit`.
    pub(super) fn fill(bytes: usize, limit: usize) -> f64 {
        bytes as f64 / limit.max(1) as f64
    }
}
