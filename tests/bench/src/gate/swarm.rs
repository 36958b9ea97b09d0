//! Many clients on one thread: a socket each, and one `epoll` for all.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use protocol::client::{CMD_VERIFY, FLAG_CLOSED};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    net::{AddressFamily, SocketType, sockopt},
};

use super::wire::{Message, Wire};

/// Clients that have connected or are about to.
pub(crate) struct Swarm {
    epoll: OwnedFd,
    clients: Vec<Option<Client>>,
    events: Vec<Event>,
    /// What one read of any of them brings.
    scratch: Vec<u8>,
}

/// What a client has to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said<'a> {
    /// It has been let in.
    In,
    /// A message has come.
    Message(Message<'a>),
    /// It is gone, for this reason if one was given.
    Closed(&'a str),
}

/// What a client that has told something may write.
pub(crate) struct Pen<'a> {
    wire: Wire,
    out: &'a mut Vec<u8>,
    /// When what it has told came.
    pub(crate) now: Instant,
}

struct Client {
    socket: TcpStream,
    wire: Wire,
    stage: Stage,
    /// The beginning of a message.
    unread: Vec<u8>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
    /// Whether the socket is asked for room.
    is_blocked: bool,
}

enum Stage {
    /// It waits for the answer to its hello, and is of this name.
    Hello(String),
    /// It waits to be let in.
    Verifying,
    In,
}

const SCRATCH_BYTES: usize = 256 * 1024;
const EVENTS: usize = 256;

impl Swarm {
    /// Nobody yet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Swarm {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            clients: Vec::new(),
            events: Vec::with_capacity(EVENTS),
            scratch: vec![0; SCRATCH_BYTES],
        })
    }

    /// Another client, which says that it is `key`. Its number is the next one.
    pub(crate) fn open(
        &mut self,
        server: SocketAddr,
        wire: Wire,
        key: &str,
        receive_buffer: Option<usize>,
    ) -> Result<usize> {
        let number = self.clients.len();
        let socket = connect(server, receive_buffer).context("a client cannot connect")?;
        let mut client = Client {
            socket,
            wire,
            stage: Stage::Hello(key.to_owned()),
            unread: Vec::new(),
            out: Vec::new(),
            is_blocked: false,
        };
        wire.hello(&mut client.out);
        let data = EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &client.socket, data, EventFlags::IN)?;
        // Without a hello there is nothing to wait for.
        if let Some(0) = wire.welcome(&[])? {
            client.say_who();
        }
        client.flush(&self.epoll, number)?;
        self.clients.push(Some(client));
        Ok(number)
    }

    /// Lets a client say something.
    pub(crate) fn send(&mut self, number: usize, cmd: u16, body: &[u8]) -> Result<()> {
        let Some(Some(client)) = self.clients.get_mut(number) else {
            bail!("there is no client {number}");
        };
        client.wire.put(&mut client.out, cmd, body);
        client.flush(&self.epoll, number)
    }

    /// From now on a client reads nothing; its end is still told.
    pub(crate) fn mute(&self, number: usize) -> Result<()> {
        if let Some(Some(client)) = self.clients.get(number) {
            let data = EventData::new_u64(number as u64);
            epoll::modify(&self.epoll, &client.socket, data, EventFlags::empty())?;
        }
        Ok(())
    }

    /// The number of the next client.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Waits until somebody has something to tell, but not for long, and hears
    /// all who have. What they write goes out after what they have told.
    pub(crate) fn turn(
        &mut self,
        patience: Duration,
        mut hear: impl FnMut(usize, Said<'_>, &mut Pen<'_>) -> Result<()>,
    ) -> Result<()> {
        let patience = Timespec::try_from(patience)?;
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&patience),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let now = Instant::now();
        for event in self.events.drain(..) {
            let number = event.data.u64() as usize;
            let Some(slot) = self.clients.get_mut(number) else {
                continue;
            };
            let Some(client) = slot else {
                continue;
            };
            let is_open = client
                .read(&mut self.scratch, now, |said, pen| hear(number, said, pen))
                .with_context(|| format!("client {number}"))?;
            if is_open {
                client.flush(&self.epoll, number)?;
            } else {
                // Which takes it out of the epoll too.
                *slot = None;
            }
        }
        Ok(())
    }
}

impl Pen<'_> {
    /// Writes a message.
    pub(crate) fn put(&mut self, cmd: u16, body: &[u8]) {
        self.wire.put(self.out, cmd, body);
    }
}

impl Client {
    fn say_who(&mut self) {
        if let Stage::Hello(key) = std::mem::replace(&mut self.stage, Stage::Verifying)
            && self.wire.verifies()
        {
            self.wire.put(&mut self.out, CMD_VERIFY, key.as_bytes());
        }
    }

    /// Reads once, and tells all that is whole. Says whether it is still there.
    fn read(
        &mut self,
        scratch: &mut [u8],
        now: Instant,
        mut hear: impl FnMut(Said<'_>, &mut Pen<'_>) -> Result<()>,
    ) -> Result<bool> {
        let bytes = match self.socket.read(scratch) {
            Ok(0) => {
                self.tell(Said::Closed(""), now, &mut hear)?;
                return Ok(false);
            }
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => {
                self.tell(Said::Closed(&error.to_string()), now, &mut hear)?;
                return Ok(false);
            }
        };
        if self.unread.is_empty() {
            let read = &scratch[..bytes];
            let (used, is_open) = self.hear_all(read, now, &mut hear)?;
            self.unread.extend_from_slice(&read[used..]);
            return Ok(is_open);
        }
        let mut unread = std::mem::take(&mut self.unread);
        unread.extend_from_slice(&scratch[..bytes]);
        let (used, is_open) = self.hear_all(&unread, now, &mut hear)?;
        unread.drain(..used);
        self.unread = unread;
        Ok(is_open)
    }

    /// How much of `bytes` is whole, and whether the client is still there.
    fn hear_all(
        &mut self,
        bytes: &[u8],
        now: Instant,
        hear: &mut impl FnMut(Said<'_>, &mut Pen<'_>) -> Result<()>,
    ) -> Result<(usize, bool)> {
        let mut used = 0;
        if let Stage::Hello(_) = self.stage {
            match self.wire.welcome(bytes)? {
                None => return Ok((0, true)),
                Some(length) => used = length,
            }
            self.say_who();
            if !self.wire.verifies() {
                self.stage = Stage::In;
                self.tell(Said::In, now, hear)?;
            }
        }
        while let Some((message, length)) = self.wire.take(&bytes[used..])? {
            used += length;
            if message.cmd == CMD_VERIFY && self.wire.verifies() {
                if message.flags == FLAG_CLOSED {
                    let reason = String::from_utf8_lossy(message.body);
                    self.tell(Said::Closed(&reason), now, hear)?;
                    return Ok((used, false));
                }
                if let Stage::Verifying = self.stage {
                    self.stage = Stage::In;
                    self.tell(Said::In, now, hear)?;
                }
                continue;
            }
            ensure!(
                matches!(self.stage, Stage::In),
                "a message before the answer"
            );
            self.tell(Said::Message(message), now, hear)?;
        }
        Ok((used, true))
    }

    fn tell(
        &mut self,
        said: Said<'_>,
        now: Instant,
        hear: &mut impl FnMut(Said<'_>, &mut Pen<'_>) -> Result<()>,
    ) -> Result<()> {
        let wire = self.wire;
        let out = &mut self.out;
        hear(said, &mut Pen { wire, out, now })
    }

    /// Writes what the socket takes, and asks for room where it takes no more.
    fn flush(&mut self, epoll: &OwnedFd, number: usize) -> Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match self.socket.write(&self.out[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What has happened to it is told when it is read.
                Err(_) => written = self.out.len(),
            }
        }
        if written == self.out.len() {
            self.out.clear();
        } else {
            self.out.drain(..written);
        }
        let is_blocked = !self.out.is_empty();
        if is_blocked != self.is_blocked {
            self.is_blocked = is_blocked;
            let mut interest = EventFlags::IN;
            interest.set(EventFlags::OUT, is_blocked);
            let data = EventData::new_u64(number as u64);
            epoll::modify(epoll, &self.socket, data, interest)?;
        }
        Ok(())
    }
}

/// Connects, which on loopback is done at once.
fn connect(server: SocketAddr, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(bytes) = receive_buffer {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    rustix::net::connect(&socket, &server)?;
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
