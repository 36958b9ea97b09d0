//! The two ways to a gate, as a writer and a reader of frames each.

use std::{fmt, future::poll_fn};

use bytes::{Bytes, BytesMut};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use protocol::client::{Frame, FrameDecoder, HEAD_BYTES};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::{
    Address, ClientError,
    address::Scheme,
    stream::{self, Stream},
};

/// The largest body that a client takes from its gate: more than any message
/// between the nodes of a group may carry.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// How much a TCP reader makes room for at least.
const READ_BYTES: usize = 16 * 1024;
/// How much a writer gathers before it writes without being told to.
const GATHER_BYTES: usize = 64 * 1024;

type Socket = WebSocketStream<Stream>;

/// Where encoded frames go.
pub(crate) enum Writer {
    Bytes {
        socket: Box<dyn AsyncWrite + Send + Sync + Unpin>,
        gathered: BytesMut,
    },
    WebSocket(SplitSink<Socket, Message>),
}

/// Where frames come from.
pub(crate) enum Reader {
    Bytes {
        socket: Box<dyn AsyncRead + Send + Sync + Unpin>,
        buffer: BytesMut,
    },
    WebSocket(SplitStream<Socket>),
}

/// To whatever address.
pub(crate) async fn connect(address: &Address) -> Result<(Writer, Reader), ClientError> {
    let stream = stream::connect(address).await?;
    match address.scheme() {
        Scheme::Tcp | Scheme::Tls => Ok(frames(stream)),
        Scheme::Ws | Scheme::Wss => messages(stream, address.url()).await,
    }
}

/// One frame after the other.
pub(crate) fn frames(stream: Stream) -> (Writer, Reader) {
    let (read, write): (Box<dyn AsyncRead + Send + Sync + Unpin>, _) = match stream {
        // Its halves do not wait for each other.
        Stream::Plain(socket) => {
            let (read, write) = socket.into_split();
            let write: Box<dyn AsyncWrite + Send + Sync + Unpin> = Box::new(write);
            (Box::new(read), write)
        }
        Stream::Tls(socket) => {
            let (read, write) = tokio::io::split(*socket);
            (Box::new(read), Box::new(write))
        }
    };
    (
        Writer::Bytes {
            socket: write,
            gathered: BytesMut::new(),
        },
        Reader::Bytes {
            socket: read,
            buffer: BytesMut::new(),
        },
    )
}

/// A frame a message.
async fn messages(stream: Stream, url: &str) -> Result<(Writer, Reader), ClientError> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(GATHER_BYTES)
        .max_message_size(Some(HEAD_BYTES + MAX_FRAME_BYTES))
        .max_frame_size(Some(HEAD_BYTES + MAX_FRAME_BYTES));
    let (socket, _) =
        tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
    let (sink, stream) = socket.split();
    Ok((Writer::WebSocket(sink), Reader::WebSocket(stream)))
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) async fn feed(&mut self, frame: Bytes) -> Result<(), ClientError> {
        match self {
            Writer::Bytes { gathered, .. } => {
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
            Writer::Bytes { gathered, .. } if gathered.len() < GATHER_BYTES => Ok(()),
            Writer::Bytes { .. } => self.flush().await,
            Writer::WebSocket(sink) => Ok(poll_fn(|cx| sink.poll_ready_unpin(cx)).await?),
        }
    }

    /// Takes a frame, at once and whole; to be called when it is [ready](Self::ready).
    pub(crate) fn start(&mut self, frame: Bytes) -> Result<(), ClientError> {
        match self {
            Writer::Bytes { gathered, .. } => gathered.extend_from_slice(&frame),
            Writer::WebSocket(sink) => sink.start_send_unpin(Message::Binary(frame))?,
        }
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), ClientError> {
        match self {
            // `write_all_buf` takes off what it has written: a flush that is
            // cancelled goes on where it stopped.
            Writer::Bytes { socket, gathered } => {
                socket.write_all_buf(gathered).await?;
                // TLS may have kept some of it, where the socket did not take it at once.
                socket.flush().await?;
            }
            Writer::WebSocket(sink) => sink.flush().await?,
        }
        Ok(())
    }

    pub(crate) async fn close(&mut self) -> Result<(), ClientError> {
        self.flush().await?;
        match self {
            Writer::Bytes { socket, .. } => socket.shutdown().await?,
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
            Reader::Bytes { socket, buffer } => loop {
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
