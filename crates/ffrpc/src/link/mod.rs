//! A node's link to a broker, over gRPC or in memory.

mod set;

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Future, Stream};
use protocol::{
    Envelope,
    link::{EnvelopeQueue, EnvelopeSink, LinkClient, MAX_BATCH_BYTES, Outbox, Refused},
    token,
};
use tonic::{Request, Status, Streaming, metadata::MetadataValue, transport::Channel};

pub(crate) use set::{LinkEvent, LinkSet, TICK, Target, Ticked};

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
    token: &[u8],
    outbox_bytes: usize,
) -> Result<(LinkSender, LinkReceiver), Status> {
    let outbox = Outbox::new(outbox_bytes);
    let mut request = Request::new(outbox.stream());
    request
        .metadata_mut()
        .insert_bin(token::METADATA, MetadataValue::from_bytes(token));
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
    /// Queues an envelope of `bytes` bytes for the broker. What is `refusable`
    /// has less room than the rest.
    pub(crate) fn send(
        &self,
        envelope: &Envelope,
        bytes: usize,
        refusable: bool,
    ) -> Result<(), Refused> {
        match self {
            LinkSender::Stream(outbox) => {
                if outbox.offer(bytes, refusable, |batch| envelope.write(batch))? {
                    outbox.wake();
                }
                Ok(())
            }
            LinkSender::Memory(sink) => sink.send(envelope.clone()),
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
    /// What has arrived; `None` when the link has ended.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Arrived, Status>>> {
        match self {
            LinkReceiver::Stream(batches) => Pin::new(batches.as_mut())
                .poll_next(context)
                .map_ok(Arrived::Batch),
            // Taking keeps nothing between two polls but the waker.
            LinkReceiver::Memory(queue) => pin!(queue.take())
                .poll(context)
                .map(|taken| taken.map(|envelopes| Ok(Arrived::Envelopes(envelopes)))),
        }
    }
}
