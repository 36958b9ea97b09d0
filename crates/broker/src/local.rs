//! A broker as nodes of its own process reach it: no socket, no encoding.

use std::sync::Arc;

use futures_util::{StreamExt, TryFutureExt, stream::BoxStream};
use protocol::{
    Envelope, NodeId,
    link::{EnvelopeQueue, EnvelopeSink, LocalBroker, MemoryLink, Refused},
    v1::{JoinRequest, JoinResponse, LeastLoadedRequest},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{
    links::{Links, Outlet},
    registry::Registry,
};

/// The master of this process.
pub struct Local {
    registry: Arc<Registry>,
    links: Arc<Links>,
}

impl Local {
    /// Offers `registry` and `links` to nodes of this process.
    pub fn new(registry: Arc<Registry>, links: Arc<Links>) -> Arc<Self> {
        Arc::new(Local { registry, links })
    }
}

impl LocalBroker for Local {
    fn join(
        &self,
        requests: mpsc::Receiver<JoinRequest>,
    ) -> BoxStream<'static, Result<JoinResponse, Status>> {
        let requests = ReceiverStream::new(requests).map(Ok);
        Arc::clone(&self.registry)
            .join(None, requests)
            .try_flatten_stream()
            .boxed()
    }

    fn least_loaded(&self, request: &LeastLoadedRequest) -> Result<NodeId, Status> {
        self.registry.least_loaded(None, request)
    }

    fn open(&self, token: &[u8]) -> Result<MemoryLink, Status> {
        let node = self.links.admit(token)?;
        let queue = self
            .links
            .open_memory(node)
            .ok_or_else(|| self.links.unexpected(node))?;
        let sink = Arc::new(Port {
            node,
            links: Arc::clone(&self.links),
            queue: Arc::clone(&queue),
        });
        Ok(MemoryLink { sink, queue })
    }
}

/// Where a node of this process sends.
struct Port {
    node: NodeId,
    links: Arc<Links>,
    queue: Arc<EnvelopeQueue>,
}

impl EnvelopeSink for Port {
    fn send(&self, envelope: Envelope) -> Result<(), Refused> {
        // A node that is gone, or has a newer link, sends nothing on this one.
        if envelope.source != self.node || self.queue.is_closed() {
            return Err(Refused::Closed);
        }
        self.links.forward(envelope);
        Ok(())
    }

    fn close(&self) {
        self.links
            .closed(self.node, &Outlet::Memory(Arc::clone(&self.queue)));
    }
}
