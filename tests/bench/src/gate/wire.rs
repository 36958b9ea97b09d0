//! How messages stand on a socket, written by hand so that the load costs
//! little beside what it measures.

use anyhow::{Result, bail, ensure};
use protocol::client::HEAD_BYTES;

/// A way to put messages on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Frames, one after the other.
    Tcp,
    /// Frames, each in a binary message.
    WebSocket,
    /// NATS core: each client subscribes to a subject of its own, and its
    /// messages come back to itself.
    Nats(usize),
}

/// A message that has come. NATS has neither `cmd` nor `flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) cmd: u16,
    pub(crate) flags: u16,
    pub(crate) body: &'a [u8],
}

/// A client's WebSocket message: masked, with the mask that changes nothing.
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
const LENGTH_FOLLOWS: u8 = 126;

/// Any 16 bytes will do.
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

impl Wire {
    /// What a client says before anything else, if it does.
    pub(crate) fn hello(self, out: &mut Vec<u8>) {
        match self {
            Wire::Tcp => {}
            Wire::WebSocket => out.extend_from_slice(UPGRADE),
            Wire::Nats(client) => out.extend_from_slice(
                format!("CONNECT {{\"verbose\":false}}\r\nSUB b.{client} 1\r\nPING\r\n").as_bytes(),
            ),
        }
    }

    /// The length of what answers [`hello`](Self::hello), once it is all there.
    pub(crate) fn welcome(self, bytes: &[u8]) -> Result<Option<usize>> {
        let end = match self {
            Wire::Tcp => return Ok(Some(0)),
            Wire::WebSocket => &b"\r\n\r\n"[..],
            Wire::Nats(_) => &b"PONG\r\n"[..],
        };
        let found = bytes.windows(end.len()).position(|window| window == end);
        let Some(at) = found else {
            return Ok(None);
        };
        ensure!(
            self != Wire::WebSocket || bytes.starts_with(b"HTTP/1.1 101 "),
            "no WebSocket: {}",
            String::from_utf8_lossy(&bytes[..at])
        );
        Ok(Some(at + end.len()))
    }

    /// Whether clients have to say who they are.
    pub(crate) fn verifies(self) -> bool {
        !matches!(self, Wire::Nats(_))
    }

    /// Appends a message.
    pub(crate) fn put(self, out: &mut Vec<u8>, cmd: u16, body: &[u8]) {
        match self {
            Wire::Tcp => frame(out, cmd, body),
            Wire::WebSocket => {
                let length = HEAD_BYTES + body.len();
                out.push(BINARY);
                if length < LENGTH_FOLLOWS.into() {
                    out.push(MASKED | length as u8);
                } else {
                    // The bodies of this tool are short of 64 KiB.
                    out.push(MASKED | LENGTH_FOLLOWS);
                    out.extend_from_slice(&(length as u16).to_be_bytes());
                }
                out.extend_from_slice(&[0; 4]);
                frame(out, cmd, body);
            }
            Wire::Nats(client) => {
                out.extend_from_slice(b"PUB b.");
                decimal(out, client);
                out.push(b' ');
                decimal(out, body.len());
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(body);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// The first message in `bytes` and its length; `None` while it is not all
    /// there.
    pub(crate) fn take(self, bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
        match self {
            Wire::Tcp => Ok(split(bytes)),
            Wire::WebSocket => websocket(bytes),
            Wire::Nats(_) => nats(bytes),
        }
    }
}

fn frame(out: &mut Vec<u8>, cmd: u16, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&cmd.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(body);
}

fn split(bytes: &[u8]) -> Option<(Message<'_>, usize)> {
    let head: &[u8; HEAD_BYTES] = bytes.first_chunk()?;
    let [a, b, c, d, cmd_low, cmd_high, flags_low, flags_high] = *head;
    let end = HEAD_BYTES + u32::from_le_bytes([a, b, c, d]) as usize;
    let message = Message {
        cmd: u16::from_le_bytes([cmd_low, cmd_high]),
        flags: u16::from_le_bytes([flags_low, flags_high]),
        body: bytes.get(HEAD_BYTES..end)?,
    };
    Some((message, end))
}

fn websocket(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    ensure!(*first == BINARY, "a WebSocket message of kind {first:#x}");
    let (head, length) = match *second {
        length if length < LENGTH_FOLLOWS => (2, usize::from(length)),
        LENGTH_FOLLOWS => match rest.first_chunk() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        length => bail!("a WebSocket message of length {length}"),
    };
    let Some(inner) = bytes.get(head..head + length) else {
        return Ok(None);
    };
    match split(inner) {
        Some((message, used)) if used == length => Ok(Some((message, head + length))),
        _ => bail!("a WebSocket message that is not one frame"),
    }
}

/// `MSG b.7 1 64`, the body, and a line's end.
fn nats(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let line = bytes[..end].trim_ascii_end();
    if line == b"PING" {
        // It comes two seconds after the beginning, and the next after two minutes:
        // the run is over before an answer is missed.
        let behind = nats(&bytes[end + 1..])?;
        return Ok(behind.map(|(message, used)| (message, end + 1 + used)));
    }
    ensure!(
        line.starts_with(b"MSG "),
        "the NATS server says {}",
        String::from_utf8_lossy(line)
    );
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let length = digits
        .zip(0..9)
        .map(|(digit, place)| usize::from(digit - b'0') * 10_usize.pow(place))
        .sum::<usize>();
    let begin = end + 1;
    if bytes.len() < begin + length + 2 {
        return Ok(None);
    }
    let message = Message {
        cmd: 0,
        flags: 0,
        body: &bytes[begin..begin + length],
    };
    Ok(Some((message, begin + length + 2)))
}

fn decimal(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server would send, for what the client has put.
    fn returned(wire: Wire, put: Vec<u8>) -> Vec<u8> {
        match wire {
            Wire::Tcp => put,
            Wire::WebSocket => {
                // Without the mask, as servers have it.
                let head = if put[1] == MASKED | LENGTH_FOLLOWS {
                    4
                } else {
                    2
                };
                let mut bytes = put[..head].to_vec();
                bytes[1] &= !MASKED;
                bytes.extend_from_slice(&put[head + 4..]);
                bytes
            }
            Wire::Nats(_) => {
                let text = String::from_utf8(put).unwrap();
                text.replacen("PUB b.12 ", "MSG b.12 1 ", 1).into_bytes()
            }
        }
    }

    #[test]
    fn what_is_put_is_taken_wherever_it_is_cut() {
        for wire in [Wire::Tcp, Wire::WebSocket, Wire::Nats(12)] {
            for length in [0, 9, 64, 1024] {
                let mut put = Vec::new();
                wire.put(&mut put, 7, &vec![b'x'; length]);
                let bytes = returned(wire, put);
                for cut in 0..bytes.len() {
                    assert_eq!(wire.take(&bytes[..cut]).unwrap(), None);
                }
                let (message, used) = wire.take(&bytes).unwrap().unwrap();
                assert_eq!((message.body.len(), used), (length, bytes.len()));
                assert!(message.cmd == 7 || wire == Wire::Nats(12));
            }
        }
    }

    #[test]
    fn a_refused_upgrade_is_an_error() {
        let refusal = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        assert!(Wire::WebSocket.welcome(refusal).is_err());
        assert_eq!(Wire::WebSocket.welcome(&refusal[..9]).unwrap(), None);
    }
}
