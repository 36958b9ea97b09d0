//! The registry and the links, over gRPC.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use protocol::{
    NodeId,
    link::{BatchStream, Link, LinkServer, MAX_BATCH_BYTES},
    tls::PeerNames,
    token,
    v1::{
        JoinRequest, JoinResponse, LeastLoadedRequest, LeastLoadedResponse, ListNodesRequest,
        ListNodesResponse, WatchRequest, WatchResponse,
        registry_server::{Registry as RegistryRpc, RegistryServer},
    },
};
use tokio::sync::oneshot;
use tokio_stream::wrappers::WatchStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Request, Response, Status, Streaming, service::Routes};
use tracing::{Instrument, debug, error_span, warn};

use crate::{
    forward::LinkFault,
    links::{Links, Outlet, StreamLink},
    registry::Registry,
    watch::{Pulse, watch},
};

/// Both services of a broker that keeps the directory, ready for a server. The
/// readers of links, and the watch over them, run in `tasks` and end with
/// `stop`.
pub fn services(
    registry: Arc<Registry>,
    links: Arc<Links>,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> Routes {
    let registry = RegistryServer::new(RegistryService { registry })
        .max_decoding_message_size(MAX_REQUEST_BYTES);
    link_services(links, tasks, stop).add_service(registry)
}

/// The service of a broker that only routes. Its links are those of the nodes
/// that it is told to expect.
pub fn link_services(links: Arc<Links>, tasks: TaskTracker, stop: CancellationToken) -> Routes {
    tasks.spawn(watch(Arc::clone(&links), stop.clone()));
    let link = LinkService { links, tasks, stop };
    Routes::new(LinkServer::new(link).max_decoding_message_size(MAX_BATCH_BYTES))
}

/// The most bytes of what a node says on its Join stream. More than a hello may
/// have, so that one that tells too much is told so.
const MAX_REQUEST_BYTES: usize = 512 << 10;

/// `Registry` of the protocol.
pub struct RegistryService {
    registry: Arc<Registry>,
}

#[tonic::async_trait]
impl RegistryRpc for RegistryService {
    type JoinStream = Pin<Box<dyn Stream<Item = Result<JoinResponse, Status>> + Send>>;
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let shown = self.registry.watch(&request.into_inner().secret)?;
        let ended = self.registry.ended();
        // What is shown is the whole state: who reads slowly misses what was in between.
        let states = WatchStream::new(shown)
            .filter_map(async |state| state.map(|state| Ok(WatchResponse::clone(&state))));
        Ok(Response::new(Box::pin(
            states.take_until(ended.cancelled_owned()),
        )))
    }

    async fn join(
        &self,
        request: Request<Streaming<JoinRequest>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        let peer = request.extensions().get::<PeerNames>().cloned();
        let responses = Arc::clone(&self.registry)
            .join(peer, request.into_inner())
            .await?;
        Ok(Response::new(Box::pin(responses)))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        self.registry
            .list(&request.into_inner().secret)
            .map(Response::new)
    }

    async fn least_loaded(
        &self,
        request: Request<LeastLoadedRequest>,
    ) -> Result<Response<LeastLoadedResponse>, Status> {
        let peer = request.extensions().get::<PeerNames>();
        let node = self.registry.least_loaded(peer, request.get_ref())?;
        Ok(Response::new(LeastLoadedResponse {
            node_id: node.as_u64(),
        }))
    }
}

/// `Link` of the protocol.
pub struct LinkService {
    links: Arc<Links>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[tonic::async_trait]
impl Link for LinkService {
    type OpenStream = BatchStream;

    async fn open(
        &self,
        request: Request<Streaming<Bytes>>,
    ) -> Result<Response<BatchStream>, Status> {
        let node = self.links.admit(&token_of(&request))?;
        let peer = request.extensions().get::<PeerNames>();
        if let Some(mistaken) = self.links.mistaken(node, peer) {
            self.links.metrics.link_fault("certificate");
            return Err(mistaken);
        }
        let StreamLink {
            outbox,
            pulse,
            ended,
        } = self
            .links
            .open_stream(node, &self.stop)
            .ok_or_else(|| self.links.unexpected(node))?;
        let (fault_tx, mut fault_rx) = oneshot::channel();
        let batches = outbox.stream().map(Ok);
        // The fault is there before the outbox closes because of it. A link that
        // closes for another reason ends without one, at once.
        let fault = stream::once(future::lazy(move |_| fault_rx.try_recv().ok()))
            .filter_map(async |fault| fault.map(Err));
        let reader = Reader {
            node,
            links: Arc::clone(&self.links),
            outlet: Outlet::Stream(outbox),
            pulse,
            ended,
        };
        let name = self.links.name(node);
        let peer = name.as_ref().map(protocol::NodeName::as_str);
        let span = error_span!("link", peer, peer_id = %node);
        self.tasks
            .spawn(reader.run(request.into_inner(), fault_tx).instrument(span));
        Ok(Response::new(batches.chain(fault).boxed()))
    }
}

/// Reads one link until it ends.
struct Reader {
    node: NodeId,
    links: Arc<Links>,
    outlet: Outlet,
    pulse: Arc<Pulse>,
    ended: CancellationToken,
}

impl Reader {
    async fn run(self, mut batches: Streaming<Bytes>, fault_tx: oneshot::Sender<Status>) {
        if let Err(fault) = self.read(&mut batches).await {
            self.links.metrics.link_fault(fault.reason());
            warn!(error = %fault, "link closed");
            let _ = fault_tx.send(Status::invalid_argument(fault.to_string()));
        }
        self.links.closed(self.node, &self.outlet);
    }

    async fn read(&self, batches: &mut Streaming<Bytes>) -> Result<(), LinkFault> {
        loop {
            let batch = match self.ended.run_until_cancelled(batches.message()).await {
                Some(Ok(Some(batch))) => batch,
                Some(Ok(None)) | None => return Ok(()),
                // What the limit on messages answers.
                Some(Err(status)) if status.code() == Code::OutOfRange => {
                    return Err(LinkFault::BatchTooLarge { node: self.node });
                }
                Some(Err(status)) => {
                    debug!(error = %status, "link broke");
                    return Ok(());
                }
            };
            self.pulse.beat();
            let messages = self.links.forward_counted(self.node, &batch)?;
            self.pulse.count(messages, batch.len());
        }
    }
}

/// The token of the request; empty where there is none.
fn token_of(request: &Request<Streaming<Bytes>>) -> Bytes {
    request
        .metadata()
        .get_bin(token::METADATA)
        .and_then(|value| value.to_bytes().ok())
        .unwrap_or_default()
}
