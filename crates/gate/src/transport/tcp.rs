//! Frames over TCP.

use std::{
    io,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use protocol::{
    client::{Frame, FrameDecoder},
    v1::CloseReason,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{read_to_end, reason_of};
use crate::{
    direct::{Direct, write_now},
    outbound::Batch,
};

/// How much is read at once, to begin with. The buffer doubles while a larger
/// frame arrives, so it is never more than twice what the client has sent.
const READ_BYTES: usize = 4096;

/// A client's socket that carries frames one after the other.
pub(crate) struct Tcp {
    socket: OwnedReadHalf,
    /// Unless it is lent to those who deliver.
    write_half: Option<OwnedWriteHalf>,
    decoder: FrameDecoder,
    /// What has been read and is not a frame yet. Nothing while idle.
    buffer: BytesMut,
}

/// The socket of a task whose turn it is to write, whoever has the half.
struct Turn<'a>(&'a TcpStream);

impl Direct for Turn<'_> {
    fn try_write(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bytes)
    }
}

impl Tcp {
    pub(crate) fn new(socket: TcpStream, max_body: usize) -> Self {
        let (socket, write_half) = socket.into_split();
        Tcp {
            socket,
            write_half: Some(write_half),
            decoder: FrameDecoder::new(max_body),
            buffer: BytesMut::new(),
        }
    }

    /// Reads the frames that follow with this one.
    pub(crate) fn set_decoder(&mut self, decoder: FrameDecoder) {
        self.decoder = decoder;
    }

    /// What those who deliver need.
    pub(crate) fn lend(&mut self) -> Option<OwnedWriteHalf> {
        self.write_half.take()
    }

    /// They need it no more.
    pub(crate) fn take_back(&mut self, write_half: OwnedWriteHalf) {
        self.write_half = Some(write_half);
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        loop {
            if let Some(frame) = self.next_read() {
                return Poll::Ready(frame);
            }
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            // An idle connection has no buffer: there is one only once the
            // socket has something to put into it.
            if ready!(self.socket.as_ref().poll_read_ready(cx)).is_err() {
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

    /// The next frame, if it has been read already.
    pub(crate) fn next_read(&mut self) -> Option<Result<Frame, CloseReason>> {
        let decoded = self.decoder.decode(&mut self.buffer).transpose()?;
        Some(decoded.map_err(|error| reason_of(&error)))
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<()>> {
        let socket = self.socket.as_ref();
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match write_now(&mut Turn(socket), batch) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Ends our side, and reads on until the client has ended its own.
    pub(crate) async fn linger(&mut self) -> io::Result<()> {
        if let Some(write_half) = &mut self.write_half {
            write_half.shutdown().await?;
        }
        read_to_end(&mut self.socket).await
    }
}
