//! The registry and the links, over gRPC.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use protocol::{
    NodeId,
    link::{BatchStream, Link, LinkServer, MAX_BATCH_BYTES},
    token,
    v1::{
        JoinRequest, JoinResponse, ListNodesRequest, ListNodesResponse,
        registry_server::{Registry as RegistryRpc, RegistryServer},
    },
};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming, service::Routes};
use tracing::{Instrument, debug, info_span, warn};

use crate::{
    links::{Links, Outlet},
    registry::Registry,
};

/// Both services of a broker that keeps the directory, ready for a server. The
/// readers of links run in `tasks` and end with `stop`.
pub fn services(
    registry: Arc<Registry>,
    links: Arc<Links>,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> Routes {
    let link = LinkService { links, tasks, stop };
    Routes::new(RegistryServer::new(RegistryService { registry }))
        .add_service(LinkServer::new(link).max_decoding_message_size(MAX_BATCH_BYTES))
}

/// `Registry` of the protocol.
pub struct RegistryService {
    registry: Arc<Registry>,
}

#[tonic::async_trait]
impl RegistryRpc for RegistryService {
    type JoinStream = Pin<Box<dyn Stream<Item = Result<JoinResponse, Status>> + Send>>;

    async fn join(
        &self,
        request: Request<Streaming<JoinRequest>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        let responses = Arc::clone(&self.registry)
            .join(request.into_inner())
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
        let node = authenticated(&self.links, &request)?;
        let outbox = self.links.open_stream(node).ok_or_else(|| {
            Status::failed_precondition(format!("node {node} is not in the directory: join first"))
        })?;
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
            stop: self.stop.clone(),
        };
        let span = info_span!("link", %node);
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
    stop: CancellationToken,
}

impl Reader {
    async fn run(self, mut batches: Streaming<Bytes>, fault_tx: oneshot::Sender<Status>) {
        loop {
            let batch = match self.stop.run_until_cancelled(batches.message()).await {
                Some(Ok(Some(batch))) => batch,
                Some(Ok(None)) | None => break,
                Some(Err(status)) => {
                    debug!(%status, "link broke");
                    break;
                }
            };
            if let Err(fault) = self.links.forward_batch(self.node, &batch) {
                warn!(%fault, "link closed");
                let _ = fault_tx.send(Status::invalid_argument(fault.to_string()));
                break;
            }
        }
        self.links.closed(self.node, &self.outlet);
    }
}

fn authenticated(links: &Links, request: &Request<Streaming<Bytes>>) -> Result<NodeId, Status> {
    request
        .metadata()
        .get_bin(token::METADATA)
        .and_then(|value| value.to_bytes().ok())
        .and_then(|token| links.authenticate(&token))
        .ok_or_else(|| Status::unauthenticated("the link's token is not one of this group's"))
}
