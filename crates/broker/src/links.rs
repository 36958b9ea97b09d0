//! The table of links: who can be reached, and through what.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;
use protocol::{
    Envelope, GroupName, NodeId, NodeName, Secret,
    link::{EnvelopeQueue, Outbox, Refused},
    tls::PeerNames,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{info, warn};

use crate::{metrics::Metrics, secrets::Secrets, watch::Pulse};

/// The links of a broker to the nodes of its group.
///
/// A node is *expected* from the moment the directory has it until it is gone;
/// only an expected node may open a link, and it has one at a time. The table
/// is a map for independent look-ups by node, one for each run of envelopes; no
/// guard of it is held while anything waits.
pub struct Links {
    pub(crate) table: DashMap<NodeId, Expected>,
    pub(crate) metrics: Metrics,
    pub(crate) forwarded: AtomicU64,
    pub(crate) forwarded_bytes: AtomicU64,
    group: GroupName,
    secrets: Secrets,
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

/// The broker's end of a link to another process.
pub struct StreamLink {
    /// What waits for the node.
    pub outbox: Arc<Outbox>,
    /// To be told of every batch that comes from the node.
    pub(crate) pulse: Arc<Pulse>,
    /// The link is over: nothing more may be taken from it.
    pub(crate) ended: CancellationToken,
}

/// What the table knows of a node.
#[derive(Default)]
pub(crate) struct Expected {
    /// Whose certificate its connections have to show, where they show any.
    /// Where it is not known, no certificate will do.
    name: Option<NodeName>,
    pub(crate) link: Option<OpenLink>,
}

/// What the table knows of a link.
pub(crate) struct OpenLink {
    pub(crate) outlet: Outlet,
    /// Of links to other processes: whether anything comes from there.
    pub(crate) pulse: Option<Arc<Pulse>>,
    ended: CancellationToken,
}

impl Links {
    /// No links yet. Each will hold at most `outbox_bytes` bytes of what may be
    /// refused.
    pub fn new(group: GroupName, secret: Secret, outbox_bytes: usize) -> Arc<Self> {
        Arc::new(Links {
            table: DashMap::new(),
            metrics: Metrics::new(),
            forwarded: AtomicU64::new(0),
            forwarded_bytes: AtomicU64::new(0),
            group,
            secrets: Secrets::new(secret),
            outbox_bytes,
        })
    }

    /// The token with which `node` opens its links.
    pub fn token(&self, node: NodeId) -> Vec<u8> {
        self.secrets.sign(&self.group, node)
    }

    /// Whose token it is, if it is one of this group's.
    pub fn authenticate(&self, token: &[u8]) -> Option<NodeId> {
        self.secrets.verify(&self.group, token)
    }

    /// Whether who shows this secret is let in: it is the group's, or was a while ago.
    pub(crate) fn admits(&self, secret: &str) -> bool {
        self.secrets.admits(secret, Instant::now())
    }

    /// The group has this secret from now on. Tokens that were given stay good, and for
    /// an hour nodes may join with the one before. Says whether it is another one.
    pub fn set_secret(&self, secret: Secret) -> bool {
        let changed = self.secrets.replace(secret, Instant::now());
        if changed {
            info!("the group has another secret");
        }
        changed
    }

    /// The directory has the node under this name: it may open a link.
    pub fn expect_as(&self, node: NodeId, name: &NodeName) {
        self.table.entry(node).or_default().name = Some(name.clone());
    }

    /// The same for a node without a name, which opens no link under TLS.
    pub fn expect(&self, node: NodeId) {
        self.table.entry(node).or_default();
    }

    /// What the directory calls the node, as far as it has told.
    pub(crate) fn name(&self, node: NodeId) -> Option<NodeName> {
        self.table.get(&node)?.name.clone()
    }

    /// The directory has the node no more: its link closes, and nothing more is
    /// taken from it.
    pub fn forget(&self, node: NodeId) {
        if let Some((_, expected)) = self.table.remove(&node)
            && let Some(link) = expected.link
        {
            self.over(&link);
        }
    }

    /// Forgets every node that `stays` does not name.
    pub fn retain(&self, stays: impl Fn(NodeId) -> bool) {
        self.table.retain(|node, expected| {
            let stays = stays(*node);
            if let (false, Some(link)) = (stays, &expected.link) {
                self.over(link);
            }
            stays
        });
    }

    /// Forgets every node.
    pub fn forget_all(&self) {
        self.retain(|_| false);
    }

    /// Whether the node has a link here.
    pub fn is_linked(&self, node: NodeId) -> bool {
        self.table
            .get(&node)
            .is_some_and(|expected| expected.link.is_some())
    }

    /// How many envelopes of nodes have been forwarded to nodes.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }

    /// Opens a link to another process, for as long as `stop` lets it; `None`
    /// if the node is not expected. An older link of the node is over then.
    pub fn open_stream(&self, node: NodeId, stop: &CancellationToken) -> Option<StreamLink> {
        let link = StreamLink {
            outbox: Outbox::new(self.outbox_bytes),
            pulse: Arc::default(),
            ended: stop.child_token(),
        };
        let open = OpenLink {
            outlet: Outlet::Stream(Arc::clone(&link.outbox)),
            pulse: Some(Arc::clone(&link.pulse)),
            ended: link.ended.clone(),
        };
        self.open(node, open).then_some(link)
    }

    /// Opens a link within the process; `None` if the node is not expected. An
    /// older link of the node is over then.
    pub fn open_memory(&self, node: NodeId) -> Option<Arc<EnvelopeQueue>> {
        let queue = EnvelopeQueue::new(self.outbox_bytes);
        let open = OpenLink {
            outlet: Outlet::Memory(Arc::clone(&queue)),
            pulse: None,
            ended: CancellationToken::new(),
        };
        self.open(node, open).then_some(queue)
    }

    /// The link that goes through `outlet` has ended. A newer link of the node
    /// stays.
    pub fn closed(&self, node: NodeId, outlet: &Outlet) {
        outlet.end();
        if let Some(mut expected) = self.table.get_mut(&node)
            && let Some(link) = expected.link.take_if(|link| link.outlet.is(outlet))
        {
            self.over(&link);
        }
    }

    /// Closes every link; what waits in them still goes out.
    pub fn close(&self) {
        for expected in &self.table {
            if let Some(link) = &expected.link {
                link.outlet.close();
            }
        }
    }

    /// Whose token it is, or what to answer if it is nobody's.
    pub(crate) fn admit(&self, token: &[u8]) -> Result<NodeId, Status> {
        self.authenticate(token).ok_or_else(|| {
            self.metrics.link_fault("token");
            Status::unauthenticated("the link's token is not one of this group's")
        })
    }

    /// Why the caller with this certificate is not the node, where it shows one
    /// and the node is expected.
    pub(crate) fn mistaken(&self, node: NodeId, peer: Option<&PeerNames>) -> Option<Status> {
        let peer = peer?;
        let expected = self.table.get(&node)?;
        let name = match &expected.name {
            Some(name) if peer.include(&self.group, name) => return None,
            Some(name) => name.as_str(),
            None => "a node without a name",
        };
        warn!(peer = name, peer_id = %node, certificate = %peer, "caller refused: its certificate is another's");
        Some(Status::unauthenticated(format!(
            "the certificate is for {peer} and not for {name}: give each node its own"
        )))
    }

    /// What to answer a node that is not expected.
    pub(crate) fn unexpected(&self, node: NodeId) -> Status {
        self.metrics.link_fault("not_joined");
        Status::failed_precondition(format!("node {node} is not in the directory: join first"))
    }

    fn open(&self, node: NodeId, link: OpenLink) -> bool {
        let Some(mut expected) = self.table.get_mut(&node) else {
            return false;
        };
        self.metrics.links.increment(1);
        if let Some(older) = expected.link.replace(link) {
            self.over(&older);
        }
        true
    }

    fn over(&self, link: &OpenLink) {
        link.outlet.end();
        link.ended.cancel();
        self.metrics.links.decrement(1);
    }
}

impl Outlet {
    /// Appends the envelope, or gives it back with the reason. Says whether the
    /// outlet was empty and has to be woken.
    pub(crate) fn offer(&self, envelope: Envelope) -> Result<bool, Box<(Refused, Envelope)>> {
        match self {
            Outlet::Stream(outbox) => outbox
                .offer(
                    envelope.element_bytes(),
                    envelope.kind.is_refusable(),
                    |buffer| envelope.write(buffer),
                )
                .map_err(|refused| Box::new((refused, envelope))),
            Outlet::Memory(queue) => queue.offer(envelope),
        }
    }

    /// Wakes whoever takes envelopes from here.
    pub(crate) fn wake(&self) {
        match self {
            Outlet::Stream(outbox) => outbox.wake(),
            Outlet::Memory(queue) => queue.wake(),
        }
    }

    /// Takes nothing more and forgets what is there: the connection of a link
    /// that is over may live on, read by nobody, and what has a number comes
    /// again. Where [`close`](Self::close) came first, that still goes out.
    fn end(&self) {
        match self {
            Outlet::Stream(outbox) if !outbox.is_closed() => outbox.abandon(),
            Outlet::Memory(queue) if !queue.is_closed() => queue.abandon(),
            _ => {}
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
    use protocol::envelope::EnvelopeKind;

    use super::*;

    const NODE: NodeId = NodeId::new(1, 1);
    const OTHER: NodeId = NodeId::new(1, 2);

    fn links() -> Arc<Links> {
        Links::new("GroupA".parse().unwrap(), Secret::default(), 1000)
    }

    fn name() -> NodeName {
        "scene@0".parse().unwrap()
    }

    fn open(links: &Links, node: NodeId) -> Option<StreamLink> {
        links.open_stream(node, &CancellationToken::new())
    }

    #[test]
    fn only_an_expected_node_opens_a_link() {
        let links = links();
        assert!(open(&links, NODE).is_none());
        links.expect(NODE);
        let link = open(&links, NODE).unwrap();
        assert!(links.is_linked(NODE));
        links.forget(NODE);
        assert!(link.outbox.is_closed() && link.ended.is_cancelled());
        assert!(!links.is_linked(NODE));
        assert!(open(&links, NODE).is_none());
    }

    #[test]
    fn the_end_of_an_older_link_leaves_the_newer_one_open() {
        let links = links();
        links.expect(NODE);
        let older = open(&links, NODE).unwrap();
        let newer = open(&links, NODE).unwrap();
        assert!(older.outbox.is_closed() && older.ended.is_cancelled());
        links.closed(NODE, &Outlet::Stream(older.outbox));
        assert!(!newer.outbox.is_closed() && !newer.ended.is_cancelled());
        links.closed(NODE, &Outlet::Stream(Arc::clone(&newer.outbox)));
        assert!(newer.outbox.is_closed());
        assert!(links.open_memory(NODE).is_some());
    }

    #[test]
    fn who_is_not_retained_loses_its_link_and_may_open_no_other() {
        let links = links();
        for node in [NODE, OTHER] {
            links.expect(node);
        }
        let (one, other) = (
            open(&links, NODE).unwrap(),
            links.open_memory(OTHER).unwrap(),
        );
        links.retain(|node| node == OTHER);
        assert!(one.outbox.is_closed() && !other.is_closed());
        assert!(open(&links, NODE).is_none());
        links.forget_all();
        assert!(other.is_closed() && !links.is_linked(OTHER));
    }

    fn holding_a_notify(links: &Links) -> StreamLink {
        let link = open(links, NODE).unwrap();
        links.forward(Envelope::new(NODE, OTHER, EnvelopeKind::Notify));
        assert!(link.outbox.bytes() > 0);
        link
    }

    #[test]
    fn nothing_waits_in_a_link_that_is_over() {
        let links = links();
        links.expect(NODE);
        let replaced = holding_a_notify(&links);
        let ended = holding_a_notify(&links);
        assert_eq!(replaced.outbox.bytes(), 0);
        links.closed(NODE, &Outlet::Stream(Arc::clone(&ended.outbox)));
        assert_eq!(ended.outbox.bytes(), 0);
        let forgotten = holding_a_notify(&links);
        links.forget(NODE);
        assert_eq!(forgotten.outbox.bytes(), 0);
        links.expect(NODE);
        let not_retained = holding_a_notify(&links);
        links.forget_all();
        assert_eq!(not_retained.outbox.bytes(), 0);
    }

    #[test]
    fn what_waits_when_the_broker_stops_still_goes_out() {
        let links = links();
        links.expect(NODE);
        let link = holding_a_notify(&links);
        links.close();
        links.closed(NODE, &Outlet::Stream(Arc::clone(&link.outbox)));
        assert!(link.outbox.bytes() > 0 && link.outbox.is_closed());
    }

    #[test]
    fn a_certificate_has_to_be_of_the_node_as_it_is_named_now() {
        let links = links();
        let peer = PeerNames(Arc::from(["0.scene.GroupA".to_owned()]));
        let mistaken = |peer| links.mistaken(NODE, peer).map(|status| status.code());
        assert_eq!(mistaken(Some(&peer)), None);
        links.expect(NODE);
        assert!(mistaken(Some(&peer)).is_some());
        links.expect_as(NODE, &name());
        assert_eq!((mistaken(None), mistaken(Some(&peer))), (None, None));
        links.expect_as(NODE, &"scene@1".parse().unwrap());
        assert_eq!(mistaken(None), None);
        assert_eq!(mistaken(Some(&peer)), Some(tonic::Code::Unauthenticated));
    }
}
