//! A client's socket in the raw: it sends what it is given, and understands
//! just enough of what comes to tell why it is closed.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use bytes::{Buf, Bytes, BytesMut};
use protocol::client::{CMD_VERIFY, FLAG_CLOSED, Frame, FrameDecoder, encode_frame};
use tests::within;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// More than any gate sends in these tests.
const LARGEST: usize = 1 << 20;

/// WebSocket's kinds of messages, each with the bit that says it is whole.
pub(crate) const PART: u8 = 0x02;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A client's socket.
pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    buffer: BytesMut,
    is_websocket: bool,
    /// Why the gate ends the connection, once it has said so.
    farewell: Option<String>,
}

/// What a gate says.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Frame(Frame),
    Pong(Bytes),
    /// WebSocket's own close, with its reason.
    GoodBye(String),
}

impl Raw {
    pub(crate) async fn connect(gate: SocketAddr) -> Raw {
        Raw::from(Ipv4Addr::LOCALHOST, gate).await.unwrap()
    }

    /// Comes from an address of this machine.
    pub(crate) async fn from(source: Ipv4Addr, gate: SocketAddr) -> io::Result<Raw> {
        Raw::open(TcpSocket::new_v4()?, source, gate).await
    }

    /// As [`from`](Self::from), with next to no room for what is not read.
    pub(crate) async fn narrow(source: Ipv4Addr, gate: SocketAddr) -> io::Result<Raw> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        Raw::open(socket, source, gate).await
    }

    async fn open(socket: TcpSocket, source: Ipv4Addr, gate: SocketAddr) -> io::Result<Raw> {
        socket.bind((source, 0).into())?;
        let socket = socket.connect(gate).await?;
        socket.set_nodelay(true)?;
        Ok(Raw {
            socket,
            buffer: BytesMut::new(),
            is_websocket: false,
            farewell: None,
        })
    }

    /// Shakes hands.
    pub(crate) async fn upgrade(mut self) -> io::Result<Raw> {
        self.send(
            b"GET / HTTP/1.1\r\nHost: game\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        )
        .await?;
        let end = b"\r\n\r\n";
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|at| at == end) {
                assert!(self.buffer.starts_with(b"HTTP/1.1 101"));
                self.buffer.advance(at + end.len());
                self.is_websocket = true;
                return Ok(self);
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Says who it is and waits until it is let in.
    pub(crate) async fn login(&mut self, name: &str) -> io::Result<()> {
        let frame = encode_frame(CMD_VERIFY, 0, name.as_bytes());
        if self.is_websocket {
            self.send(&message(BINARY, &frame)).await?;
        } else {
            self.send(&frame).await?;
        }
        match self.next().await? {
            Some(Said::Frame(frame)) if (frame.cmd, frame.flags) == (CMD_VERIFY, 0) => Ok(()),
            other => Err(io::Error::other(format!("not let in: {other:?}"))),
        }
    }

    /// What the gate says next; nothing when it has ended the connection.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Said>> {
        loop {
            if let Some(said) = self.take() {
                return Ok(Some(said));
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Frame {
        match within("the gate says something", self.next())
            .await
            .unwrap()
        {
            Some(Said::Frame(frame)) => frame,
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    /// Why the gate ends the connection; what is on the way is passed over.
    pub(crate) async fn end(&mut self) -> String {
        within("the gate ends the connection", self.until_end()).await
    }

    /// As [`end`](Self::end), without a deadline. Cancelled, it has lost
    /// nothing.
    pub(crate) async fn until_end(&mut self) -> String {
        let end = loop {
            match self.next().await {
                Ok(Some(Said::Frame(frame))) => {
                    if frame.cmd == CMD_VERIFY && frame.flags & FLAG_CLOSED != 0 {
                        self.farewell = Some(String::from_utf8(frame.body.into()).unwrap());
                    }
                }
                Ok(Some(Said::Pong(_))) => {}
                Ok(Some(Said::GoodBye(reason))) => {
                    assert_eq!(self.farewell.get_or_insert(reason.clone()), &reason);
                }
                Ok(None) => break "without a word".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        self.farewell.clone().unwrap_or(end)
    }

    fn take(&mut self) -> Option<Said> {
        let decoder = FrameDecoder::new(LARGEST);
        if !self.is_websocket {
            let frame = decoder.decode(&mut self.buffer).unwrap()?;
            return Some(Said::Frame(frame));
        }
        let (kind, length) = (*self.buffer.first()?, *self.buffer.get(1)?);
        let (head, length) = match length {
            126 => (4, self.buffer.get(2..4)?.get_u16() as usize),
            127 => (10, self.buffer.get(2..10)?.get_u64() as usize),
            short => (2, short.into()),
        };
        if self.buffer.len() < head + length {
            return None;
        }
        let mut payload = self.buffer.split_to(head + length).freeze();
        payload.advance(head);
        Some(match kind {
            BINARY => Said::Frame(decoder.decode_message(payload).unwrap()),
            PONG => Said::Pong(payload),
            CLOSE => Said::GoodBye(
                String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned(),
            ),
            other => panic!("a gate never sends {other:#x}"),
        })
    }

    /// Goes without a word, and so that the system tells the other side.
    pub(crate) fn reset(self) {
        // Whoever resets leaves nothing behind here either.
        let _ = self.socket.set_zero_linger();
    }
}

/// A WebSocket message, or a part of one, behind a mask that changes nothing.
pub(crate) fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    match payload.len() {
        short @ 0..126 => message.push(0x80 | short as u8),
        long => {
            assert!(long < 1 << 16);
            message.push(0x80 | 126);
            message.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(payload);
    message
}
