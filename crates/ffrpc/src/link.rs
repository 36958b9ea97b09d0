//! A node's link to its broker, over gRPC or in memory.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    Envelope,
    link::{EnvelopeQueue, EnvelopeSink, LinkClient, MAX_BATCH_BYTES, Outbox, Refused},
    token,
};
use tonic::{Request, Status, Streaming, metadata::MetadataValue, transport::Channel};

/// Where a node sends.
#[derive(Clone)]
pub(crate) enum LinkSender {
    Stream(Arc<Outbox>),
    Memory(Arc<dyn EnvelopeSink>),
}

/// Where a node receives.
pub(crate) enum LinkReceiver {
    Stream(Box<Streaming<Bytes>>),
    Memory(Arc<EnvelopeQueue>),
}

/// What has arrived, all of it.
pub(crate) enum Arrived {
    Batch(Bytes),
    Envelopes(Vec<Envelope>),
}

/// Opens a link over `channel`.
pub(crate) async fn open_remote(
    channel: Channel,
    token: Bytes,
    outbox_bytes: usize,
) -> Result<(LinkSender, LinkReceiver), Status> {
    let outbox = Outbox::new(outbox_bytes);
    let mut request = Request::new(outbox.stream());
    request
        .metadata_mut()
        .insert_bin(token::METADATA, MetadataValue::from_bytes(&token));
    let batches = LinkClient::new(channel)
        .max_decoding_message_size(MAX_BATCH_BYTES)
        .open(request)
        .await?
        .into_inner();
    Ok((
        LinkSender::Stream(outbox),
        LinkReceiver::Stream(Box::new(batches)),
    ))
}

impl LinkSender {
    /// Queues an envelope for the broker.
    pub(crate) fn send(&self, envelope: Envelope) -> Result<(), Refused> {
        match self {
            LinkSender::Stream(outbox) => {
                let was_empty = outbox.push(
                    envelope.element_bytes(),
                    envelope.kind.is_refusable(),
                    |batch| envelope.write(batch),
                )?;
                if was_empty {
                    outbox.wake();
                }
                Ok(())
            }
            LinkSender::Memory(sink) => sink.send(envelope),
        }
    }

    /// Sends nothing more; what is queued still goes out.
    pub(crate) fn close(&self) {
        match self {
            LinkSender::Stream(outbox) => outbox.close(),
            LinkSender::Memory(sink) => sink.close(),
        }
    }
}

impl LinkReceiver {
    /// What has arrived, as soon as there is something; `None` when the link
    /// has ended. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Arrived>, Status> {
        match self {
            LinkReceiver::Stream(batches) => Ok(batches.message().await?.map(Arrived::Batch)),
            LinkReceiver::Memory(queue) => Ok(queue.take().await.map(Arrived::Envelopes)),
        }
    }
}
