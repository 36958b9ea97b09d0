//! The two ways to a gate, as a writer and a reader of frames each.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use protocol::client::{Frame, FrameDecoder, HEAD_BYTES};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream, ToSocketAddrs,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::ClientError;

/// The largest body that a client takes from its gate: more than any message
/// between the nodes of a group may carry.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// How much a TCP reader makes room for at least.
const READ_BYTES: usize = 16 * 1024;
/// How much a writer gathers before it writes without being told to.
const GATHER_BYTES: usize = 64 * 1024;

type Socket = WebSocketStream<TcpStream>;

/// Where encoded frames go.
#[derive(Debug)]
pub(crate) enum Writer {
    Tcp {
        socket: OwnedWriteHalf,
        gathered: BytesMut,
    },
    WebSocket(SplitSink<Socket, Message>),
}

/// Where frames come from.
#[derive(Debug)]
pub(crate) enum Reader {
    Tcp {
        socket: OwnedReadHalf,
        buffer: BytesMut,
    },
    WebSocket(SplitStream<Socket>),
}

pub(crate) async fn connect_tcp(
    address: impl ToSocketAddrs,
) -> Result<(Writer, Reader), ClientError> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (read, write) = socket.into_split();
    Ok((
        Writer::Tcp {
            socket: write,
            gathered: BytesMut::new(),
        },
        Reader::Tcp {
            socket: read,
            buffer: BytesMut::new(),
        },
    ))
}

pub(crate) async fn connect_websocket(url: &str) -> Result<(Writer, Reader), ClientError> {
    let unusable = || ClientError::Address {
        url: url.to_owned(),
    };
    let request = url.into_client_request().map_err(|_| unusable())?;
    let uri = request.uri();
    let host = uri.host().ok_or_else(unusable)?;
    if uri.scheme_str() != Some("ws") {
        return Err(unusable());
    }
    // A URL writes an IPv6 address in brackets, a resolver wants it bare.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let socket = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    socket.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(GATHER_BYTES)
        .max_message_size(Some(HEAD_BYTES + MAX_FRAME_BYTES))
        .max_frame_size(Some(HEAD_BYTES + MAX_FRAME_BYTES));
    let (socket, _) =
        tokio_tungstenite::client_async_with_config(request, socket, Some(config)).await?;
    let (sink, stream) = socket.split();
    Ok((Writer::WebSocket(sink), Reader::WebSocket(stream)))
}

impl Writer {
    pub(crate) async fn feed(&mut self, frame: Bytes) -> Result<(), ClientError> {
        match self {
            Writer::Tcp { gathered, .. } => {
                gathered.extend_from_slice(&frame);
                if gathered.len() >= GATHER_BYTES {
                    self.flush().await?;
                }
            }
            Writer::WebSocket(sink) => sink.feed(Message::Binary(frame)).await?,
        }
        Ok(())
    }

    /// Waits until a frame can be [started](Self::start).
    pub(crate) async fn ready(&mut self) -> Result<(), ClientError> {
        match self {
            Writer::Tcp { gathered, .. } if gathered.len() < GATHER_BYTES => Ok(()),
            Writer::Tcp { .. } => self.flush().await,
            Writer::WebSocket(sink) => Ok(poll_fn(|cx| sink.poll_ready_unpin(cx)).await?),
        }
    }

    /// Takes a frame, at once and whole; to be called when it is [ready](Self::ready).
    pub(crate) fn start(&mut self, frame: Bytes) -> Result<(), ClientError> {
        match self {
            Writer::Tcp { gathered, .. } => gathered.extend_from_slice(&frame),
            Writer::WebSocket(sink) => sink.start_send_unpin(Message::Binary(frame))?,
        }
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), ClientError> {
        match self {
            // `write_all_buf` takes off what it has written: a flush that is
            // cancelled goes on where it stopped.
            Writer::Tcp { socket, gathered } => socket.write_all_buf(gathered).await?,
            Writer::WebSocket(sink) => sink.flush().await?,
        }
        Ok(())
    }

    pub(crate) async fn close(&mut self) -> Result<(), ClientError> {
        self.flush().await?;
        match self {
            Writer::Tcp { socket, .. } => socket.shutdown().await?,
            Writer::WebSocket(sink) => sink.close().await?,
        }
        Ok(())
    }
}

impl Reader {
    /// The next frame. Cancelled, it has lost nothing.
    pub(crate) async fn next(&mut self) -> Result<Frame, ClientError> {
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        match self {
            Reader::Tcp { socket, buffer } => loop {
                if let Some(frame) = decoder.decode(buffer)? {
                    return Ok(frame);
                }
                buffer.reserve(decoder.missing(buffer)?.max(READ_BYTES));
                if socket.read_buf(buffer).await? == 0 {
                    return Err(ClientError::Ended);
                }
            },
            Reader::WebSocket(stream) => loop {
                match stream.next().await.ok_or(ClientError::Ended)?? {
                    Message::Binary(message) => return Ok(decoder.decode_message(message)?),
                    Message::Text(_) => {
                        return Err(ClientError::Protocol("text where a frame belongs"));
                    }
                    Message::Close(_) => return Err(ClientError::Ended),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                }
            },
        }
    }
}
