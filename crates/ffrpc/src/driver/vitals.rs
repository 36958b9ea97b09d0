//! How the node does, for operators.

use std::sync::atomic::Ordering;

use protocol::{
    link::Traffic,
    v1::{Role, Vitals},
};

use super::Driver;
use crate::metrics::Stock;

impl Driver {
    /// What its links carry and hold, and what its program says of itself.
    pub(super) fn vitals(&self, links: &Traffic, kept: Stock) -> Vitals {
        let shared = &self.shared;
        let mut vitals = Vitals {
            up_ms: self.begun.elapsed().as_millis() as u64,
            messages_in: self.heard.messages,
            bytes_in: self.heard.bytes,
            messages_out: links.messages,
            bytes_out: links.bytes,
            queued_messages: links.queued_messages,
            queued_bytes: links.queued_bytes,
            // What waits for an acknowledgement fills a bound as well.
            queue_fill: links.fill.max(kept.fill),
            dropped: shared.dropped.load(Ordering::Relaxed),
            sessions: match shared.config.role {
                Role::Gate | Role::Scene => Some(shared.load.load(Ordering::Relaxed)),
                _ => None,
            },
            ..Vitals::default()
        };
        shared.vitals().tell(&mut vitals);
        vitals
    }
}
