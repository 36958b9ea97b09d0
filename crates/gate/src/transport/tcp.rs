//! Frames over TCP.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use protocol::{
    client::{Frame, FrameDecoder},
    v1::CloseReason,
};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpStream,
};

use super::reason_of;
use crate::outbound::Batch;

/// How much is read at once, to begin with. The buffer doubles while a larger
/// frame arrives, so it is never more than twice what the client has sent.
const READ_BYTES: usize = 4096;
/// As many frames go into one write.
const WRITE_FRAMES: usize = 64;

/// A client's socket that carries frames one after the other.
pub(crate) struct Tcp {
    socket: TcpStream,
    decoder: FrameDecoder,
    /// What has been read and is not a frame yet. Nothing while idle.
    buffer: BytesMut,
}

impl Tcp {
    pub(crate) fn new(socket: TcpStream, max_body: usize) -> Self {
        Tcp {
            socket,
            decoder: FrameDecoder::new(max_body),
            buffer: BytesMut::new(),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(frame)) => return Poll::Ready(Ok(frame)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(reason_of(&error))),
            }
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            // An idle connection has no buffer: there is one only once the
            // socket has something to put into it.
            if ready!(self.socket.poll_read_ready(cx)).is_err() {
                return Poll::Ready(Err(CloseReason::SocketError));
            }
            self.buffer.reserve(READ_BYTES);
            let read = pin!(self.socket.read_buf(&mut self.buffer));
            match ready!(read.poll(cx)) {
                Ok(0) => return Poll::Ready(Err(CloseReason::ClientClosed)),
                Ok(_) => {}
                Err(_) => return Poll::Ready(Err(CloseReason::SocketError)),
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<()>> {
        while !batch.is_written() {
            let mut slices = [IoSlice::new(&[]); WRITE_FRAMES];
            let filled = batch.chunks(&mut slices);
            let socket = Pin::new(&mut self.socket);
            let written = ready!(socket.poll_write_vectored(cx, &slices[..filled]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            batch.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}
