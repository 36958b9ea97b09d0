//! What a broker has to remember while it forwards one batch.

use std::collections::HashMap;

use protocol::NodeId;

use crate::links::Outlet;

/// The forwarding of one batch: what is counted, said and done at its end.
#[derive(Default)]
pub(super) struct Round {
    /// Envelopes that went on.
    pub(super) envelopes: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// To be woken at the end. An outlet is added only when it was empty
    /// before, so each stands here at most a few times.
    wakes: Vec<Outlet>,
    /// From which number on a destination has refused.
    refused: HashMap<NodeId, u64>,
}

impl Round {
    pub(super) fn put(&mut self, envelopes: u64, bytes: usize) {
        self.envelopes += envelopes;
        self.bytes += bytes as u64;
    }

    pub(super) fn wake(&mut self, outlet: Outlet) {
        self.wakes.push(outlet);
    }

    /// Whether the source still has to be told that `destination` refuses this
    /// number: it has not been told of it or of an earlier one.
    pub(super) fn is_news(&mut self, destination: NodeId, sequence: u64) -> bool {
        let first = self.refused.get(&destination);
        let news = first.is_none_or(|first| sequence < *first);
        if news {
            self.refused.insert(destination, sequence);
        }
        news
    }

    pub(super) fn end(self) {
        for outlet in self.wakes {
            outlet.wake();
        }
    }
}
