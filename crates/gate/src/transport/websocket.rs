//! Frames over WebSocket: one binary message holds exactly one.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Sink, SinkExt, Stream};
use protocol::{
    client::{FrameDecoder, HEAD_BYTES},
    v1::CloseReason,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        handshake::server::{Callback, ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use super::{Incoming, reason_of};
use crate::{entrance, outbound::Batch};

/// What every connection keeps for reading, idle or not.
const READ_BYTES: usize = 1024;
/// As much is gathered before it is written.
const WRITE_BYTES: usize = 16 * 1024;

/// A client's socket that carries frames as messages.
pub(crate) struct WebSocket<S = entrance::Stream> {
    socket: WebSocketStream<S>,
    decoder: FrameDecoder,
    /// The answer to a ping is not written out yet. Until it is, nothing is
    /// read: a client that pings and never reads would have us keep them all.
    pong_due: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Shakes hands, on whatever path. A browser says on whose page it is, and whether
    /// it `may_come_from` there; others say nothing.
    pub(crate) async fn accept(
        socket: S,
        max_body: usize,
        may_come_from: impl FnOnce(&str) -> bool + Unpin,
    ) -> Result<Self, CloseReason> {
        let largest = HEAD_BYTES.saturating_add(max_body);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest));
        let shake = OriginCheck(may_come_from);
        match tokio_tungstenite::accept_hdr_async_with_config(socket, shake, Some(config)).await {
            Ok(socket) => Ok(WebSocket {
                socket,
                decoder: FrameDecoder::new(max_body),
                pong_due: false,
            }),
            Err(error) => Err(reason_of_websocket(&error)),
        }
    }

    /// Reads the frames that follow with this one.
    pub(crate) fn set_decoder(&mut self, decoder: FrameDecoder) {
        self.decoder = decoder;
    }

    pub(crate) fn get_mut(&mut self) -> &mut S {
        self.socket.get_mut()
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Incoming, CloseReason>> {
        if self.pong_due {
            if let Err(error) = ready!(Pin::new(&mut self.socket).poll_flush(cx)) {
                return Poll::Ready(Err(reason_of_websocket(&error)));
            }
            self.pong_due = false;
        }
        let message = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Poll::Ready(Err(reason_of_websocket(&error))),
            None => return Poll::Ready(Err(CloseReason::ClientClosed)),
        };
        Poll::Ready(match message {
            Message::Binary(message) => match self.decoder.decode_message(message) {
                Ok(frame) => Ok(Incoming::Frame(frame)),
                Err(error) => Err(reason_of(&error)),
            },
            Message::Ping(_) => {
                self.pong_due = true;
                Ok(Incoming::Heartbeat)
            }
            Message::Pong(_) => Ok(Incoming::Heartbeat),
            Message::Close(_) => Err(CloseReason::ClientClosed),
            Message::Text(_) | Message::Frame(_) => Err(CloseReason::ProtocolError),
        })
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        // Frames leave the batch for the library's buffer, and the batch is
        // written when that buffer is.
        while batch.has_frames() {
            ready!(socket.as_mut().poll_ready(cx)).map_err(into_io)?;
            if let Some(frame) = batch.pop() {
                socket
                    .as_mut()
                    .start_send(Message::Binary(frame))
                    .map_err(into_io)?;
            }
        }
        ready!(socket.poll_flush(cx)).map_err(into_io)?;
        batch.set_flushed();
        Poll::Ready(Ok(()))
    }

    /// Sends WebSocket's own close.
    pub(crate) async fn say_goodbye(&mut self, close: CloseFrame) -> io::Result<()> {
        self.socket
            .send(Message::Close(Some(close)))
            .await
            .map_err(into_io)
    }

    /// Writes out what the library has to say.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx))
            .await
            .map_err(into_io)
    }
}

/// Looks where a browser comes from.
struct OriginCheck<F>(F);

impl<F: FnOnce(&str) -> bool> Callback for OriginCheck<F> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let Some(origin) = request.headers().get("origin") else {
            return Ok(response);
        };
        if (self.0)(origin.to_str().unwrap_or_default()) {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(Some(FORBIDDEN.to_owned()));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        Err(refusal)
    }
}

/// What a developer reads whose page is not in the list.
const FORBIDDEN: &str = "this gate does not take connections from this page: see `origins` of \
                         the gate in the topology\n";

/// Why a connection with such an error ends.
fn reason_of_websocket(error: &Error) -> CloseReason {
    match error {
        Error::Capacity(_) => CloseReason::FrameTooLarge,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
        ) => CloseReason::ClientClosed,
        Error::Io(_) => CloseReason::SocketError,
        Error::Http(response) if response.status() == StatusCode::FORBIDDEN => {
            CloseReason::OriginRefused
        }
        _ => CloseReason::ProtocolError,
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}
