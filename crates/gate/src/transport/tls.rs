//! Frames over TLS, one after the other as over TCP.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
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
use crate::{direct::WRITE_FRAMES, outbound::Batch};

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
        let mut socket = Pin::new(&mut *self.socket);
        // What TLS takes may wait in its own buffer for the socket: the batch is written
        // when that is.
        while batch.has_frames() {
            let mut slices = [IoSlice::new(&[]); WRITE_FRAMES];
            let filled = batch.chunks(&mut slices);
            let taken = ready!(socket.as_mut().poll_write_vectored(cx, &slices[..filled]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            batch.advance(taken);
            batch.set_buffered();
        }
        ready!(socket.poll_flush(cx))?;
        batch.set_flushed();
        Poll::Ready(Ok(()))
    }

    /// Ends our side, and reads on until the client has ended its own.
    pub(crate) async fn linger(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.socket).poll_flush(cx)).await?;
        self.socket.shutdown().await?;
        read_to_end(&mut *self.socket).await
    }
}

#[cfg(test)]
mod tests {
    use client::{Address, Client, Trust};
    use futures_util::future::join;
    use protocol::{
        client::encode_frame,
        tls::{CertificateFiles, PublicTls},
    };
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{tests::soon, transport::Transport};

    /// The two ends of a connection.
    async fn connection() -> (Transport, Client) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("game.pem"),
            key: folder.path().join("game.key"),
        };
        std::fs::write(&files.certificate, cert.pem()).unwrap();
        std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        let tls = PublicTls::load(files).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tls://{}", listener.local_addr().unwrap());
        let trust = Trust::authorities(cert.pem().as_bytes()).unwrap();
        let address = url.parse::<Address>().unwrap().trusting(trust);
        let accepting = async {
            let (socket, _) = listener.accept().await.unwrap();
            tls.acceptor().accept(socket).await.unwrap()
        };
        let (socket, client) = join(accepting, Client::connect(&address)).await;
        let socket = Tls::new(Box::new(socket), 1024);
        (Transport::Tls(Box::new(socket)), client.unwrap())
    }

    #[tokio::test]
    async fn what_tls_keeps_until_the_socket_takes_it_is_written_though_nothing_follows() {
        let (mut transport, mut client) = connection().await;
        let frame = encode_frame(7, 0, &[0; 1000]);
        let (mut batch, mut sent) = (Batch::default(), 0);
        loop {
            batch.push(frame.clone());
            sent += 1;
            let progress =
                poll_fn(|cx| Poll::Ready(transport.poll_progress(cx, false, &mut batch)));
            if progress.await.is_pending() && !batch.has_frames() {
                break;
            }
        }
        assert!(!batch.is_written());
        let reading = async {
            for _ in 0..sent {
                client.recv().await.unwrap();
            }
        };
        let writing = poll_fn(|cx| transport.poll_progress(cx, false, &mut batch));
        soon(join(reading, writing)).await;
        assert!(batch.is_written());
    }
}
