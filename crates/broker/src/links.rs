//! The table of links: who can be reached, and through what.

use std::sync::Arc;

use dashmap::DashMap;
use protocol::{
    GroupName, NodeId, Secret,
    link::{EnvelopeQueue, Outbox},
    token,
};

use crate::metrics::Metrics;

/// The links of a broker to the nodes of its group.
///
/// A node is *expected* from the moment the directory has it until it is gone;
/// only an expected node may open a link, and it has one at a time. The table
/// is a map for independent look-ups by node, one for each run of envelopes; no
/// guard of it is held while anything waits.
pub struct Links {
    pub(crate) table: DashMap<NodeId, Option<Outlet>>,
    pub(crate) metrics: Metrics,
    group: GroupName,
    secret: Secret,
    outbox_bytes: usize,
}

/// Where envelopes for a node go.
#[derive(Clone)]
pub enum Outlet {
    /// To another process, encoded.
    Stream(Arc<Outbox>),
    /// To a node of this process.
    Memory(Arc<EnvelopeQueue>),
}

impl Links {
    /// No links yet. Each will hold at most `outbox_bytes` bytes of what may be
    /// refused.
    pub fn new(group: GroupName, secret: Secret, outbox_bytes: usize) -> Arc<Self> {
        Arc::new(Links {
            table: DashMap::new(),
            metrics: Metrics::new(),
            group,
            secret,
            outbox_bytes,
        })
    }

    /// The token with which `node` opens its links.
    pub fn token(&self, node: NodeId) -> Vec<u8> {
        token::sign(&self.secret, &self.group, node)
    }

    /// Whose token it is, if it is one of this group's.
    pub fn authenticate(&self, token: &[u8]) -> Option<NodeId> {
        token::verify(&self.secret, &self.group, token)
    }

    /// The directory has the node: it may open a link.
    pub fn expect(&self, node: NodeId) {
        self.table.entry(node).or_insert(None);
    }

    /// The directory has the node no more: its link closes.
    pub fn forget(&self, node: NodeId) {
        if let Some((_, Some(outlet))) = self.table.remove(&node) {
            outlet.close();
            self.metrics.links.decrement(1);
        }
    }

    /// Opens a link to another process; `None` if the node is not expected. An
    /// older link of the node closes.
    pub fn open_stream(&self, node: NodeId) -> Option<Arc<Outbox>> {
        let outbox = Outbox::new(self.outbox_bytes);
        self.open(node, Outlet::Stream(Arc::clone(&outbox)))
            .then_some(outbox)
    }

    /// Opens a link within the process; `None` if the node is not expected. An
    /// older link of the node closes.
    pub fn open_memory(&self, node: NodeId) -> Option<Arc<EnvelopeQueue>> {
        let queue = EnvelopeQueue::new(self.outbox_bytes);
        self.open(node, Outlet::Memory(Arc::clone(&queue)))
            .then_some(queue)
    }

    /// The link that goes through `outlet` has ended. A newer link of the node
    /// stays.
    pub fn closed(&self, node: NodeId, outlet: &Outlet) {
        outlet.close();
        if let Some(mut slot) = self.table.get_mut(&node)
            && slot.as_ref().is_some_and(|current| current.is(outlet))
        {
            *slot = None;
            self.metrics.links.decrement(1);
        }
    }

    /// Closes every link; what waits in them still goes out.
    pub fn close(&self) {
        for slot in &self.table {
            if let Some(outlet) = slot.value() {
                outlet.close();
            }
        }
    }

    fn open(&self, node: NodeId, outlet: Outlet) -> bool {
        let Some(mut slot) = self.table.get_mut(&node) else {
            return false;
        };
        match slot.replace(outlet) {
            Some(older) => older.close(),
            None => self.metrics.links.increment(1),
        }
        true
    }
}

impl Outlet {
    /// Wakes whoever takes envelopes from here.
    pub(crate) fn wake(&self) {
        match self {
            Outlet::Stream(outbox) => outbox.wake(),
            Outlet::Memory(queue) => queue.wake(),
        }
    }

    fn close(&self) {
        match self {
            Outlet::Stream(outbox) => outbox.close(),
            Outlet::Memory(queue) => queue.close(),
        }
    }

    /// Whether it is the same outlet, not just an equal one.
    pub(crate) fn is(&self, other: &Outlet) -> bool {
        match (self, other) {
            (Outlet::Stream(one), Outlet::Stream(two)) => Arc::ptr_eq(one, two),
            (Outlet::Memory(one), Outlet::Memory(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::new(1, 1);

    fn links() -> Arc<Links> {
        Links::new("GroupA".parse().unwrap(), Secret::default(), 1000)
    }

    #[test]
    fn only_an_expected_node_opens_a_link() {
        let links = links();
        assert!(links.open_stream(NODE).is_none());
        links.expect(NODE);
        let outbox = links.open_stream(NODE).unwrap();
        links.forget(NODE);
        assert!(outbox.is_closed());
        assert!(links.open_stream(NODE).is_none());
    }

    #[test]
    fn the_end_of_an_older_link_leaves_the_newer_one_open() {
        let links = links();
        links.expect(NODE);
        let older = links.open_stream(NODE).unwrap();
        let newer = links.open_stream(NODE).unwrap();
        assert!(older.is_closed());
        links.closed(NODE, &Outlet::Stream(older));
        assert!(!newer.is_closed());
        links.closed(NODE, &Outlet::Stream(Arc::clone(&newer)));
        assert!(newer.is_closed());
        assert!(links.open_memory(NODE).is_some());
    }
}
