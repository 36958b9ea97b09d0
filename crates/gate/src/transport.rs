//! A client's socket, of either kind, as frames in and frames out.

mod tcp;
mod tls;
mod websocket;

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use protocol::{
    client::{Frame, FrameDecoder, FrameError},
    v1::CloseReason,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::tcp::OwnedWriteHalf,
    time::timeout,
};

use crate::{
    close::{FAREWELL_TIME, Farewell},
    entrance::Stream,
    outbound::Batch,
};

/// A client's socket.
pub(crate) enum Transport {
    Tcp(tcp::Tcp),
    /// The same through TLS.
    Tls(Box<tls::Tls>),
    /// A larger thing, and not every gate has it.
    WebSocket(Box<websocket::WebSocket>),
}

/// The two kinds of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    WebSocket,
}

/// What comes of a client.
#[derive(Debug)]
pub(crate) enum Incoming {
    Frame(Frame),
    /// A sign of life that is the transport's own business.
    Heartbeat,
}

/// What a socket has done.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Something came.
    Incoming(Incoming),
    /// The batch has been written, and there is nothing to be read.
    Written,
    /// Nothing more will come or go.
    Ended(CloseReason),
}

impl Kind {
    /// The kind as metrics and logs name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Tcp => "tcp",
            Kind::WebSocket => "websocket",
        }
    }
}

impl Transport {
    /// Takes over a stream that was let in; frames may have bodies of at
    /// most `max_body` bytes. The WebSocket handshake is done here and has no
    /// time limit of its own; `may_come_from` is asked about the page of a browser.
    pub(crate) async fn accept(
        kind: Kind,
        stream: Stream,
        max_body: usize,
        may_come_from: impl FnOnce(&str) -> bool + Unpin,
    ) -> Result<Transport, CloseReason> {
        match (kind, stream) {
            (Kind::Tcp, Stream::Plain(socket)) => {
                Ok(Transport::Tcp(tcp::Tcp::new(socket, max_body)))
            }
            (Kind::Tcp, Stream::Tls(socket)) => {
                let socket = tls::Tls::new(socket, max_body);
                Ok(Transport::Tls(Box::new(socket)))
            }
            (Kind::WebSocket, stream) => {
                websocket::WebSocket::accept(stream, max_body, may_come_from)
                    .await
                    .map(|socket| Transport::WebSocket(Box::new(socket)))
            }
        }
    }

    /// Frames may have bodies of so many bytes from now on. A WebSocket takes none that
    /// are larger than when it was accepted.
    pub(crate) fn set_max_body(&mut self, max_body: usize) {
        let decoder = FrameDecoder::new(max_body);
        match self {
            Transport::Tcp(socket) => socket.set_decoder(decoder),
            Transport::Tls(socket) => socket.set_decoder(decoder),
            Transport::WebSocket(socket) => socket.set_decoder(decoder),
        }
    }

    /// What those need who deliver at once, if it can be done over this socket.
    pub(crate) fn lend(&mut self) -> Option<OwnedWriteHalf> {
        match self {
            Transport::Tcp(socket) => socket.lend(),
            Transport::Tls(_) | Transport::WebSocket(_) => None,
        }
    }

    /// They need it no more.
    pub(crate) fn take_back(&mut self, lent: Option<OwnedWriteHalf>) {
        if let (Transport::Tcp(socket), Some(lent)) = (self, lent) {
            socket.take_back(lent);
        }
    }

    /// The next frame, if it came together with the one before.
    pub(crate) fn next_read(&mut self) -> Option<Result<Frame, CloseReason>> {
        match self {
            Transport::Tcp(socket) => socket.next_read(),
            Transport::Tls(socket) => socket.next_read(),
            Transport::WebSocket(_) => None,
        }
    }

    /// Writes what is in `batch` and, where `reading`, reads; whatever is done
    /// first. In between nothing is lost: a frame half read stays in the socket's
    /// buffer, a batch half written in `batch`.
    pub(crate) fn poll_progress(
        &mut self,
        cx: &mut Context<'_>,
        reading: bool,
        batch: &mut Batch,
    ) -> Poll<Progress> {
        // Both are tried each time, so that neither a flood of messages to the
        // client nor one from it holds up the other direction.
        let mut written = false;
        if !batch.is_written() {
            match self.poll_write(cx, batch) {
                Poll::Ready(Ok(())) => written = true,
                Poll::Ready(Err(_)) => {
                    return Poll::Ready(Progress::Ended(CloseReason::SocketError));
                }
                Poll::Pending => {}
            }
        }
        if reading {
            match self.poll_read(cx) {
                Poll::Ready(Ok(incoming)) => return Poll::Ready(Progress::Incoming(incoming)),
                Poll::Ready(Err(reason)) => return Poll::Ready(Progress::Ended(reason)),
                Poll::Pending => {}
            }
        }
        if written {
            Poll::Ready(Progress::Written)
        } else {
            Poll::Pending
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, CloseReason>> {
        match self {
            Transport::Tcp(socket) => socket.poll_read(cx).map_ok(Incoming::Frame),
            Transport::Tls(socket) => socket.poll_read(cx).map_ok(Incoming::Frame),
            Transport::WebSocket(socket) => socket.poll_read(cx),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        match self {
            Transport::Tcp(socket) => socket.poll_write(cx, batch),
            Transport::Tls(socket) => socket.poll_write(cx, batch),
            Transport::WebSocket(socket) => socket.poll_write(cx, batch),
        }
    }

    /// Writes what is left and the farewell, and closes. A client that does
    /// not take part in it gets [`FAREWELL_TIME`].
    pub(crate) async fn close(mut self, mut batch: Batch, farewell: Option<Farewell>) {
        let ending = async {
            if let Some(farewell) = farewell {
                batch.push(farewell.frame);
                poll_fn(|cx| self.poll_write(cx, &mut batch)).await?;
                if let Transport::WebSocket(socket) = &mut self {
                    socket.say_goodbye(farewell.websocket).await?;
                }
            } else if let Transport::WebSocket(socket) = &mut self {
                // The answer to the client's own good-bye.
                socket.flush().await?;
            }
            self.linger().await
        };
        // Whether it was read in time changes nothing any more.
        let _: Result<io::Result<()>, _> = timeout(FAREWELL_TIME, ending).await;
    }

    /// Ends our side, and reads on until the client has ended its own. A socket
    /// that is closed with unread bytes in it resets the connection, and the reset
    /// may overtake the farewell.
    async fn linger(&mut self) -> io::Result<()> {
        match self {
            Transport::Tcp(socket) => socket.linger().await,
            Transport::Tls(socket) => socket.linger().await,
            Transport::WebSocket(socket) => {
                let socket = socket.get_mut();
                socket.shutdown().await?;
                read_to_end(socket).await
            }
        }
    }
}

/// All that a gate makes of a WebSocket client's bytes, handed to `hear`, and
/// why nothing follows: for the fuzzer, on whatever `socket`.
#[doc(hidden)]
pub async fn read_websocket(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    max_body: usize,
    mut hear: impl FnMut(Option<Frame>),
) -> CloseReason {
    let mut socket = match websocket::WebSocket::accept(socket, max_body, |_| true).await {
        Ok(socket) => socket,
        Err(reason) => return reason,
    };
    loop {
        match poll_fn(|cx| socket.poll_read(cx)).await {
            Ok(Incoming::Frame(frame)) => hear(Some(frame)),
            Ok(Incoming::Heartbeat) => hear(None),
            Err(reason) => return reason,
        }
    }
}

/// What a client may still send while it is told why it is closed. One that sends
/// more does not listen, and may lose the word.
const FAREWELL_BYTES: usize = 1 << 20;

/// Reads on until the client has ended its side.
async fn read_to_end(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = vec![0; 4096];
    let mut left = FAREWELL_BYTES;
    loop {
        match socket.read(&mut ignored).await? {
            0 => return Ok(()),
            read if read >= left => return Ok(()),
            read => left -= read,
        }
    }
}

/// Why a connection with such a frame ends.
fn reason_of(error: &FrameError) -> CloseReason {
    match error {
        FrameError::TooLarge { .. } => CloseReason::FrameTooLarge,
        FrameError::Length { .. } => CloseReason::ProtocolError,
    }
}
