//! The codec of a link over gRPC: a batch is handed through as its bytes.

use bytes::{Buf, BufMut, Bytes};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Takes and gives a batch as [`Bytes`]. Encoding copies once, which tonic
/// demands; decoding does not copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchCodec;

/// How much tonic gathers before it hands a frame on. Batches are gathered
/// already, so that this only has to hold a small one without growing.
const BUFFER: usize = 16 << 10;

impl Codec for BatchCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for BatchCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, batch: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(batch.len());
        buffer.put_slice(&batch);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, BUFFER)
    }
}

impl Decoder for BatchCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, BUFFER)
    }
}
