//! What external clients send over WebSocket, read as a gate reads it.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use protocol::{client::Frame, v1::CloseReason};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest body that is taken.
const LIMIT: usize = 64;

const HANDSHAKE: &[u8] = b"GET /play HTTP/1.1\r\nHost: game\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// What was heard, a sign of life as nothing, and why nothing follows; without
/// a reason it is still read, or waits until its answers can be written.
#[derive(Debug, PartialEq)]
struct Read {
    heard: Vec<Option<Frame>>,
    end: Option<CloseReason>,
}

/// As the first words of a client they are refused or wait; behind a handshake
/// they are the same frames, with the same end, however they are split. A
/// client that reads nothing is heard no further for it, and the gate never
/// says more than it has heard.
pub fn check(bytes: &[u8]) {
    read(&[bytes], true);
    let whole = read(&[HANDSHAKE, bytes], true);
    for size in [1, 2, 3, 5, 8, 13] {
        let mut parts = vec![HANDSHAKE];
        parts.extend(bytes.chunks(size));
        assert_eq!(read(&parts, true), whole, "in parts of {size}");
    }
    assert!(whole.end.is_some(), "what ends has a reason");
    let mute = read(&[HANDSHAKE, bytes], false);
    assert!(whole.heard.starts_with(&mute.heard));
}

fn read(parts: &[&[u8]], reads: bool) -> Read {
    let mut line = Line {
        parts,
        next: &[],
        pause: false,
        reads,
        answer: Vec::new(),
    };
    let mut heard = Vec::new();
    let mut end = None;
    {
        let hear = |frame: Option<Frame>| {
            assert!(frame.as_ref().is_none_or(|frame| frame.body.len() <= LIMIT));
            heard.push(frame);
        };
        let mut reading = pin!(gate::read_websocket(&mut line, LIMIT, hear));
        // The line pauses once before each part. Whoever waits after that waits
        // for something else.
        for _ in 0..=parts.len() {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(reason) = reading.as_mut().poll(&mut context) {
                end = Some(reason);
                break;
            }
        }
    }
    let said = line.answer.len() - line.shook_hands().unwrap_or(line.answer.len());
    let sent: usize = parts.iter().map(|part| part.len()).sum();
    assert!(said <= sent, "{said} bytes for {sent}");
    Read { heard, end }
}

/// A socket whose other end sends these parts one after the other, and then is
/// closed.
struct Line<'a> {
    parts: &'a [&'a [u8]],
    next: &'a [u8],
    /// The part before has been read, and the next one is on its way.
    pause: bool,
    /// Whether the other end reads anything but the answer to its handshake.
    reads: bool,
    answer: Vec<u8>,
}

impl Line<'_> {
    /// Where the answer to a handshake ends, if it is there.
    fn shook_hands(&self) -> Option<usize> {
        let end = b"\r\n\r\n";
        let at = self.answer.windows(end.len()).position(|at| at == end)?;
        Some(at + end.len())
    }
}

impl AsyncRead for Line<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.next.is_empty()
            && let [next, later @ ..] = line.parts
        {
            line.pause = !line.pause;
            if line.pause {
                return Poll::Pending;
            }
            (line.next, line.parts) = (next, later);
        }
        let (now, later) = line.next.split_at(line.next.len().min(buffer.remaining()));
        buffer.put_slice(now);
        line.next = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        if !line.reads && line.shook_hands().is_some() {
            return Poll::Pending;
        }
        line.answer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
