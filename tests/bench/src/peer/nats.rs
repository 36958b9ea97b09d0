//! NATS core with bare clients: its protocol, spoken over a socket, with a table
//! of slots. An inbox for each requester, and all that one read has brought
//! answered with one write.

use std::{io::Write, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Clients, Running};
use crate::{
    job::Job,
    load::{Arrivals, Meter, Slots, slot_body, slot_of},
    shapes::Load,
};

const ECHO: &str = "bench.echo";
const ROUND: &str = "bench.round";
const ROUND_OVER: &str = "bench.round_over";

/// How much room there is for one read.
const READ_BYTES: usize = 64 << 10;

pub(super) async fn respond(job: &Job) -> Result<Running> {
    let mut clients = Clients::new();
    match job.load {
        Load::Calls { .. } => {
            let client = Client::connect(job, ECHO).await?;
            clients.spawn(client.run(|message, out| {
                let Some(inbox) = message.reply else {
                    bail!("a request that wants no answer");
                };
                publish(out, inbox, &[], message.body)
            }));
        }
        Load::FanOut {
            receivers,
            outstanding,
        } => {
            let arrivals = Arc::new(Arrivals::new(receivers, outstanding));
            for _ in 0..receivers {
                let client = Client::connect(job, ROUND).await?;
                let arrivals = Arc::clone(&arrivals);
                clients.spawn(client.run(move |message, out| {
                    let slot = slot_of(message.body)?;
                    if arrivals.arrived(slot) {
                        publish(out, ROUND_OVER.as_bytes(), &[], &slot_body(slot, 0))?;
                    }
                    Ok(())
                }));
            }
        }
    }
    Ok(Running::Clients(clients))
}

pub(super) async fn request(job: &Job, meter: &'static Meter) -> Result<Running> {
    let mut clients = Clients::new();
    match job.load {
        Load::Calls {
            requesters,
            in_flight,
        } => {
            let mut joined = Vec::new();
            for index in 0..requesters {
                let inbox = format!("_INBOX.{index}.");
                let client = Client::connect(job, &format!("{inbox}*")).await?;
                joined.push((client, inbox));
            }
            let body = slot_body(0, job.body);
            for (client, inbox) in joined {
                clients.spawn(call(client, inbox, in_flight, body.clone(), meter));
            }
        }
        Load::FanOut { outstanding, .. } => {
            let client = Client::connect(job, ROUND_OVER).await?;
            let bodies = (0..outstanding)
                .map(|slot| slot_body(slot, job.body))
                .collect();
            clients.spawn(send_rounds(client, bodies, meter));
        }
    }
    Ok(Running::Clients(clients))
}

/// Has `in_flight` calls under way, always.
async fn call(
    mut client: Client,
    inbox: String,
    in_flight: usize,
    body: Bytes,
    meter: &'static Meter,
) -> Result<()> {
    let request = {
        let (inbox, body) = (inbox.clone(), body.clone());
        move |out: &mut Vec<u8>, slot: usize| -> Result<()> {
            let mut reply = [0; 64];
            let room = reply.len();
            let mut rest = &mut reply[..];
            write!(rest, " {inbox}{slot}")?;
            let length = room - rest.len();
            publish(out, ECHO.as_bytes(), &reply[..length], &body)
        }
    };
    let mut slots = Slots::begin(in_flight, meter);
    for slot in 0..in_flight {
        request(&mut client.out, slot)?;
    }
    client
        .run(move |message, out| {
            ensure!(
                message.body.len() == body.len(),
                "a call was answered with {} bytes",
                message.body.len()
            );
            let slot = message
                .subject
                .strip_prefix(inbox.as_bytes())
                .and_then(number)
                .context("an answer to nothing")?;
            slots.turn(slot)?;
            request(out, slot)
        })
        .await
}

/// Has a round outstanding for each of `bodies`, always.
async fn send_rounds(mut client: Client, bodies: Vec<Bytes>, meter: &'static Meter) -> Result<()> {
    let mut slots = Slots::begin(bodies.len(), meter);
    for body in &bodies {
        publish(&mut client.out, ROUND.as_bytes(), &[], body)?;
    }
    client
        .run(move |message, out| {
            let slot = slot_of(message.body)?;
            slots.turn(slot)?;
            publish(out, ROUND.as_bytes(), &[], &bodies[slot])
        })
        .await
}

/// A connection with one subscription.
struct Client {
    socket: TcpStream,
    buffer: BytesMut,
    out: Vec<u8>,
}

impl Client {
    /// Connects, subscribes, and waits until the server has taken note.
    async fn connect(job: &Job, subject: &str) -> Result<Client> {
        let socket = TcpStream::connect(job.broker).await?;
        socket.set_nodelay(true)?;
        let mut client = Client {
            socket,
            buffer: BytesMut::with_capacity(READ_BYTES),
            out: Vec::with_capacity(READ_BYTES),
        };
        write!(
            client.out,
            "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {subject} 1\r\nPING\r\n"
        )?;
        loop {
            client.flush().await?;
            client.read().await?;
            while let Some((said, length)) = parse(&client.buffer)? {
                let is_pong = said == Said::Pong;
                client.buffer.advance(length);
                if is_pong {
                    return Ok(client);
                }
            }
        }
    }

    /// Gives every message to `handle`, and writes what it appends, once for
    /// all that a read has brought.
    async fn run(
        mut self,
        mut handle: impl FnMut(&Message<'_>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        loop {
            self.flush().await?;
            self.read().await?;
            let mut done = 0;
            while let Some((said, length)) = parse(&self.buffer[done..])? {
                match said {
                    Said::Message(message) => handle(&message, &mut self.out)?,
                    Said::Ping => self.out.extend_from_slice(b"PONG\r\n"),
                    Said::Pong | Said::Other => {}
                }
                done += length;
            }
            self.buffer.advance(done);
        }
    }

    async fn flush(&mut self) -> Result<()> {
        self.socket.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    async fn read(&mut self) -> Result<()> {
        self.buffer.reserve(READ_BYTES);
        let bytes = self.socket.read_buf(&mut self.buffer).await?;
        ensure!(bytes > 0, "the NATS server closed a connection");
        Ok(())
    }
}

/// Appends a message to `out`; `reply` is empty or begins with a space.
fn publish(out: &mut Vec<u8>, subject: &[u8], reply: &[u8], body: &[u8]) -> Result<()> {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject);
    out.extend_from_slice(reply);
    write!(out, " {}\r\n", body.len())?;
    out.extend_from_slice(body);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// What the server says.
#[derive(Debug, PartialEq)]
enum Said<'a> {
    Message(Message<'a>),
    Ping,
    Pong,
    /// `INFO`, `+OK`.
    Other,
}

#[derive(Debug, PartialEq)]
struct Message<'a> {
    subject: &'a [u8],
    reply: Option<&'a [u8]>,
    body: &'a [u8],
}

/// The first thing in `bytes` and its length; `None` while it is not all there.
fn parse(bytes: &[u8]) -> Result<Option<(Said<'_>, usize)>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let (line, rest) = bytes.split_at(end + 1);
    let line = line.trim_ascii_end();
    let Some(head) = line.strip_prefix(b"MSG ") else {
        let said = match line {
            b"PING" => Said::Ping,
            b"PONG" => Said::Pong,
            _ if line.starts_with(b"-ERR") => {
                bail!("the NATS server says {}", String::from_utf8_lossy(line))
            }
            _ => Said::Other,
        };
        return Ok(Some((said, end + 1)));
    };
    // Subject, subscription, perhaps where to reply, length.
    let mut words = head.split(|byte| *byte == b' ');
    let (Some(subject), Some(_)) = (words.next(), words.next()) else {
        bail!("a message without a subject");
    };
    let (reply, length) = match (words.next(), words.next()) {
        (Some(length), None) => (None, length),
        (Some(reply), Some(length)) => (Some(reply), length),
        (None, _) => bail!("a message without a length"),
    };
    let length = number(length).context("a message without a length")?;
    if rest.len() < length + 2 {
        return Ok(None);
    }
    let message = Message {
        subject,
        reply,
        body: &rest[..length],
    };
    Ok(Some((Said::Message(message), end + 1 + length + 2)))
}

fn number(digits: &[u8]) -> Option<usize> {
    // More digits are no number of this tool's.
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_taken_apart_wherever_it_is_cut() {
        let bytes = b"PING\r\nMSG bench.echo 1 _INBOX.0.7 3\r\na\nb\r\nMSG x 1 0\r\n\r\n";
        for cut in 0..=bytes.len() {
            let (mut at, mut seen) = (0, 0);
            while let Some((said, length)) = parse(&bytes[at..cut]).unwrap() {
                let expected = [
                    Said::Ping,
                    Said::Message(Message {
                        subject: b"bench.echo",
                        reply: Some(b"_INBOX.0.7"),
                        body: b"a\nb",
                    }),
                    Said::Message(Message {
                        subject: b"x",
                        reply: None,
                        body: b"",
                    }),
                ];
                assert_eq!(said, expected[seen]);
                seen += 1;
                at += length;
            }
            assert!(cut < bytes.len() || seen == 3);
        }
    }

    #[test]
    fn an_error_of_the_server_is_an_error() {
        let error = parse(b"-ERR 'Slow Consumer'\r\n").unwrap_err();
        assert!(error.to_string().contains("Slow Consumer"));
        assert!(parse(b"MSG x 1 many\r\n").is_err());
    }

    #[test]
    fn a_message_is_written_as_the_protocol_has_it() {
        let mut out = Vec::new();
        publish(&mut out, b"a", b" b", b"xyz").unwrap();
        assert_eq!(out, b"PUB a b 3\r\nxyz\r\n");
    }
}
