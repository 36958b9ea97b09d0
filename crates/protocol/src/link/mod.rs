//! The two ends of a link between a node and a broker.
//!
//! A link carries envelopes both ways, in order. Between processes it is a gRPC
//! stream of batches ([`BatchCodec`], fed by an [`Outbox`]); within a process it
//! is a pair of queues with no encoding between ([`MemoryLink`]). Whoever uses a
//! link cannot tell which it is.

mod codec;
mod memory;
mod outbox;
mod traffic;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tonic::Status;

pub use codec::BatchCodec;
pub use memory::{EnvelopeQueue, EnvelopeSink, MemoryLink};
pub use outbox::{Outbox, OutboxStream};
pub use traffic::Traffic;

use crate::{NodeId, v1};

// The link's service once more, over `Bytes` and `BatchCodec`.
#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]
mod service {
    include!(concat!(env!("OUT_DIR"), "/redrabbit.v1.Link.rs"));
}
pub use service::{link_client::LinkClient, link_server::Link, link_server::LinkServer};

/// The most bytes that a reader of a link takes as one batch. Writers stay
/// below it: a batch ends at 128 KiB, or is the one envelope that is larger.
pub const MAX_BATCH_BYTES: usize = 2 << 20;

/// How many times its limit an outgoing queue holds of what cannot be refused
/// before it takes nothing more.
pub const OVERFLOW: usize = 4;

/// What a link receives: batches, as they came.
pub type BatchStream = BoxStream<'static, Result<Bytes, Status>>;

/// Why an outgoing queue did not take an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It holds as many bytes as it may.
    #[error("the link's queue is full")]
    Full,
    /// The link is closed.
    #[error("the link is closed")]
    Closed,
}

/// A broker in the same process, as a node reaches it. What a master in another
/// process offers over gRPC, without the gRPC.
pub trait LocalBroker: Send + Sync {
    /// `Registry.Join`.
    fn join(
        &self,
        requests: mpsc::Receiver<v1::JoinRequest>,
    ) -> BoxStream<'static, Result<v1::JoinResponse, Status>>;

    /// `Registry.LeastLoaded`.
    fn least_loaded(&self, request: &v1::LeastLoadedRequest) -> Result<NodeId, Status>;

    /// `Link.Open`, with the token of the node's welcome.
    fn open(&self, token: &[u8]) -> Result<MemoryLink, Status>;
}
