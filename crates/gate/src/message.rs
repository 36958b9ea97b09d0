//! A message on its way to clients: encoded once, and compressed once at most, whoever gets
//! it.

use std::cell::OnceCell;

use bytes::Bytes;
use protocol::client::{compression::encode_compressed, encode_frame};

use crate::{handle::Handle, metrics::Metrics};

/// A message for some clients.
pub(crate) struct Outgoing<'m> {
    cmd: u16,
    body: Bytes,
    plain: Bytes,
    /// Nothing where it is not to be compressed, or is no smaller then.
    compressed: OnceCell<Option<Bytes>>,
    /// A body of so many bytes is compressed for those who can read that.
    compress_from: usize,
    metrics: &'m Metrics,
}

impl<'m> Outgoing<'m> {
    pub(crate) fn new(cmd: u16, body: Bytes, compress_from: usize, metrics: &'m Metrics) -> Self {
        Outgoing {
            plain: encode_frame(cmd, 0, &body),
            cmd,
            body,
            compressed: OnceCell::new(),
            compress_from,
            metrics,
        }
    }

    /// The frame for this client.
    pub(crate) fn frame(&self, to: &Handle) -> Bytes {
        if self.body.len() < self.compress_from || !to.reads_compressed() {
            return self.plain.clone();
        }
        let compressed = self.compressed.get_or_init(|| {
            let compressed = encode_compressed(self.cmd, &self.body);
            let bytes = compressed.as_ref().unwrap_or(&self.plain).len();
            self.metrics.compressed(self.plain.len(), bytes);
            compressed
        });
        compressed.as_ref().unwrap_or(&self.plain).clone()
    }
}
