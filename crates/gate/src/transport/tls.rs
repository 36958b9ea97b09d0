//! Frames over TLS, one after the other as over TCP.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use protocol::{
    client::{Frame, FrameDecoder},
    v1::CloseReason,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{read_to_end, reason_of};
use crate::{
    direct::{Direct, write_now},
    outbound::Batch,
};

/// How much is read at once. It lies on the stack until there is something: an idle
/// connection has no buffer beside those of its TLS.
const READ_BYTES: usize = 4096;

/// A client's socket that carries frames through TLS.
pub(crate) struct Tls {
    socket: Box<TlsStream<TcpStream>>,
    decoder: FrameDecoder,
    /// What has been read and is not a frame yet. Nothing while idle.
    buffer: BytesMut,
}

/// The socket of a task whose turn it is to write.
struct Turn<'a, 'c>(&'a mut TlsStream<TcpStream>, &'a mut Context<'c>);

impl Direct for Turn<'_, '_> {
    fn try_write(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match Pin::new(&mut *self.0).poll_write_vectored(self.1, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Tls {
    pub(crate) fn new(socket: Box<TlsStream<TcpStream>>, max_body: usize) -> Self {
        Tls {
            socket,
            decoder: FrameDecoder::new(max_body),
            buffer: BytesMut::new(),
        }
    }

    /// Reads the frames that follow with this one.
    pub(crate) fn set_decoder(&mut self, decoder: FrameDecoder) {
        self.decoder = decoder;
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        loop {
            if let Some(frame) = self.next_read() {
                return Poll::Ready(frame);
            }
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            let outcome = ready!(Pin::new(&mut *self.socket).poll_read(cx, &mut read));
            match (outcome, read.filled()) {
                (Ok(()), []) => return Poll::Ready(Err(CloseReason::ClientClosed)),
                (Ok(()), filled) => self.buffer.extend_from_slice(filled),
                (Err(_), _) => return Poll::Ready(Err(CloseReason::SocketError)),
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
        match write_now(&mut Turn(&mut self.socket, cx), batch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            written => written?,
        }
        Pin::new(&mut *self.socket).poll_flush(cx)
    }

    /// Ends our side, and reads on until the client has ended its own.
    pub(crate) async fn linger(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.socket).poll_flush(cx)).await?;
        self.socket.shutdown().await?;
        read_to_end(&mut *self.socket).await
    }
}
