//! A session that outlives its connections.

use std::{collections::VecDeque, io, time::Duration};

use bytes::Bytes;
use protocol::client::{
    CMD_ACK, CMD_PING, CMD_VERIFY, FLAG_CLOSED, FLAG_COMPRESSED, FLAG_NOTICE, FLAG_RESUME,
    FLAG_TICKET, Frame,
    compression::{encode_compressed, inflate},
    encode_frame,
    resume::{Received, ResumeOffer, ResumeToken, Sent, decode_count, encode_ack, encode_resume},
};
use rand::RngExt;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    Address, ClientError, Welcome,
    connection::redirected,
    halves::DRAINING,
    wire::{self, MAX_FRAME_BYTES, Reader, Writer},
};

/// A login that goes on over another connection when one is lost, if its gate offers
/// that: no message is lost or comes twice, in either direction.
///
/// It does everything within [`recv`](Self::recv) and [`send`](Self::send), and has no
/// task of its own: whoever has one receives all the time. Both can be cancelled at any
/// point.
///
/// ```no_run
/// # async fn play() -> Result<(), client::ClientError> {
/// use client::{Event, Session};
///
/// let mut session = Session::login("tcp://127.0.0.1:10242", "alice").await?;
/// session.send(101, b"[\"hello\"]").await?;
/// loop {
///     match session.recv().await? {
///         Event::Message(frame) => println!("cmd {}: {:?}", frame.cmd, frame.body),
///         Event::Away => println!("the connection is lost; trying again"),
///         Event::Back => println!("and here again"),
///         Event::Fresh { lost, .. } => println!("logged in anew, {lost} messages lost"),
///         Event::Draining => println!("this gate is about to go"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    /// Where it logs in.
    address: Address,
    /// Where it is: there, or where it was sent.
    gate: Address,
    session_key: String,
    /// Flags of the first frame, beside that it would like to come back.
    wishes: u16,
    /// Bodies may be compressed.
    compresses: bool,
    link: Option<Link>,
    /// How to come back, if the gate offers it.
    way_back: Option<WayBack>,
    welcome: Welcome,
    sent: Sent,
    received: Received,
    events: VecDeque<Event>,
    /// Why nothing follows.
    over: Option<String>,
}

/// What happens to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message of the game.
    Message(Frame),
    /// The connection is lost. What is sent meanwhile is kept.
    Away,
    /// There is another one, and nothing was lost.
    Back,
    /// The gate does not have the session any more, and has let the client in anew.
    Fresh {
        /// What it was told.
        welcome: Welcome,
        /// Messages that were sent and may not have come.
        lost: usize,
    },
    /// The gate is about to go: the connection will be closed with that reason.
    Draining,
}

/// A connection that is there.
#[derive(Debug)]
struct Link {
    writer: Writer,
    reader: Reader,
    /// When the gate was last heard, and last asked whether it is there.
    heard: Instant,
    asked: Instant,
    /// Frames that are not messages, to be written next.
    urgent: VecDeque<Bytes>,
}

#[derive(Clone, Copy, Debug)]
struct WayBack {
    token: ResumeToken,
    /// For how long the gate waits.
    time: Duration,
    /// Since when the client is away, and how often it has tried to come back.
    since: Instant,
    tries: u32,
    next_try: Instant,
}

/// What a gate says of a ticket that is not good, or not any more.
const TICKET_REFUSED: &str = "ticket_refused";
/// A body is compressed from so many bytes on.
const COMPRESS_FROM: usize = 1024;
/// As many messages, and bytes, may wait for the gate's word that they have come.
const MOST_KEPT: (usize, usize) = (1024, 256 * 1024);
/// As many events may wait for who receives, before the gate is not read.
const MOST_EVENTS: usize = 1024;
/// How often the gate is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A gate that has said nothing for so long is not.
const SILENCE: Duration = Duration::from_secs(45);
/// How long an attempt to come back may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Between two attempts: this, doubled with each, and no more than that.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// As [`Client::login`](crate::Client::login), and [`ClientError::Address`].
    pub async fn login(address: &str, session_key: &str) -> Result<Session, ClientError> {
        Session::login_at(address.parse()?, session_key).await
    }

    /// Connects and logs in at an address that says whom to believe.
    ///
    /// # Errors
    /// As [`login`](Self::login).
    pub async fn login_at(address: Address, session_key: &str) -> Result<Session, ClientError> {
        Session::begin(address, session_key, 0).await
    }

    /// As [`login_at`](Self::login_at), for slow networks: large messages are compressed in
    /// both directions, if the gate can.
    ///
    /// # Errors
    /// As [`login`](Self::login).
    pub async fn login_compressed(
        address: Address,
        session_key: &str,
    ) -> Result<Session, ClientError> {
        Session::begin(address, session_key, FLAG_COMPRESSED).await
    }

    async fn begin(
        address: Address,
        session_key: &str,
        wishes: u16,
    ) -> Result<Session, ClientError> {
        let mut session = Session {
            wishes,
            compresses: false,
            gate: address.clone(),
            address,
            session_key: session_key.to_owned(),
            link: None,
            way_back: None,
            welcome: Welcome {
                reply: Bytes::new(),
            },
            sent: Sent::default(),
            received: Received::default(),
            events: VecDeque::new(),
            over: None,
        };
        session.log_in().await?;
        Ok(session)
    }

    /// What the client was told when it was let in last.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The gate that the session is at: the one that it logged in at, or the one that it was
    /// sent to.
    pub fn gate(&self) -> &Address {
        &self.gate
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Whether the gate offers to go on over another connection.
    pub fn is_resumable(&self) -> bool {
        self.way_back.is_some()
    }

    /// Sends a message, now or when there is a connection again. Waits while as many as may
    /// be have not come, according to the gate: 1,024, or 256 KiB. Cancelled, it may have
    /// been sent or not.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn send(&mut self, cmd: u16, body: &[u8]) -> Result<(), ClientError> {
        while self.is_full() {
            self.step().await?;
        }
        let compressed = if self.compresses && body.len() >= COMPRESS_FROM {
            encode_compressed(cmd, body)
        } else {
            None
        };
        let frame = compressed.unwrap_or_else(|| encode_frame(cmd, 0, body));
        self.sent.push(frame);
        self.write().await
    }

    /// What happens next. Cancelled, it has lost nothing.
    ///
    /// # Errors
    /// [`ClientError::Closed`]: the gate has ended the session and said why.
    /// [`ClientError::Refused`]: it was to log in anew, and was not let in. Any other: the
    /// connection is lost, and there is none in the time that the gate waits.
    pub async fn recv(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.step().await?;
        }
    }

    /// Ends the session: the game hears of it at once.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.write().await?;
        let Some(mut link) = self.link.take() else {
            return Ok(());
        };
        if self.way_back.is_some() {
            link.writer.ready().await?;
            link.writer.start(encode_frame(CMD_ACK, FLAG_CLOSED, b""))?;
        }
        link.writer.close().await
    }

    /// Loses the connection, as a network does: for tests.
    #[doc(hidden)]
    pub fn cut(&mut self) {
        self.lose(ClientError::Ended).ok();
    }

    fn is_full(&self) -> bool {
        let (messages, bytes) = self.sent.kept();
        messages >= MOST_KEPT.0 || bytes >= MOST_KEPT.1
    }

    /// Lets one thing happen.
    async fn step(&mut self) -> Result<(), ClientError> {
        if let Some(reason) = &self.over {
            return Err(ClientError::Closed {
                reason: reason.clone(),
            });
        }
        if self.link.is_none() {
            return self.come_back().await;
        }
        match self.live().await {
            Ok(Some(frame)) => self.hear(frame).or_else(|error| self.lose(error)),
            Ok(None) => Ok(()),
            Err(error) => self.lose(error),
        }
    }

    /// Writes what is to be written, and waits for a frame, or until it is time to look
    /// again.
    async fn live(&mut self) -> Result<Option<Frame>, ClientError> {
        self.put_out().await?;
        let reads = self.events.len() < MOST_EVENTS;
        let Some(link) = &mut self.link else {
            return Ok(None);
        };
        if link.heard.elapsed() > SILENCE {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        let ask_at = link.asked + PING_EVERY;
        tokio::select! {
            frame = link.reader.next(), if reads => {
                link.heard = Instant::now();
                frame.map(Some)
            }
            () = sleep_until(ask_at) => {
                link.asked = Instant::now();
                link.urgent.push_back(encode_frame(CMD_PING, 0, b""));
                Ok(None)
            }
        }
    }

    /// As [`put_out`](Self::put_out); what goes wrong is a matter of the connection's.
    async fn write(&mut self) -> Result<(), ClientError> {
        match self.put_out().await {
            Ok(()) => Ok(()),
            Err(error) => self.lose(error),
        }
    }

    async fn put_out(&mut self) -> Result<(), ClientError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        while self.sent.has_next() || !link.urgent.is_empty() {
            // Only what follows at once is taken: this may be cancelled while it waits.
            link.writer.ready().await?;
            let next = link.urgent.pop_front().or_else(|| self.sent.next_out());
            if let Some(frame) = next {
                link.writer.start(frame)?;
            }
        }
        if self.way_back.is_none() {
            // Nobody will ever say that they have come.
            let count = self.sent.count();
            let _ = self.sent.acknowledge(count);
        }
        link.writer.flush().await
    }

    fn hear(&mut self, mut frame: Frame) -> Result<(), ClientError> {
        match (frame.cmd, frame.flags) {
            (CMD_VERIFY, flags) if flags & FLAG_CLOSED != 0 => {
                let reason = String::from_utf8_lossy(&frame.body).into_owned();
                self.link = None;
                self.over = Some(reason);
                // What came before is handed out first.
                Ok(())
            }
            (CMD_VERIFY, flags) if flags & FLAG_NOTICE != 0 => {
                if frame.body == DRAINING {
                    self.events.push_back(Event::Draining);
                }
                Ok(())
            }
            (CMD_VERIFY, _) => Err(ClientError::Protocol("a second answer to the login")),
            (CMD_PING, _) => Ok(()),
            (CMD_ACK, _) if self.way_back.is_some() => {
                let count = decode_count(&frame.body);
                let count = count.ok_or(ClientError::Protocol("a count that is none"))?;
                let acknowledged = self.sent.acknowledge(count);
                acknowledged.map_err(|_| ClientError::Protocol("a count that cannot be"))
            }
            _ => {
                if frame.flags & FLAG_COMPRESSED != 0 && self.compresses {
                    let inflated = inflate(&frame.body, MAX_FRAME_BYTES);
                    let broken = ClientError::Protocol("a compressed message that is none");
                    frame.body = inflated.map_err(|_| broken)?;
                    frame.flags = 0;
                }
                if let Some(count) = self.received.take(frame.body.len())
                    && self.way_back.is_some()
                    && let Some(link) = &mut self.link
                {
                    link.urgent.push_back(encode_ack(count));
                }
                self.events.push_back(Event::Message(frame));
                Ok(())
            }
        }
    }

    /// The connection is lost. That is the end, unless there is a way back.
    fn lose(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.link = None;
        let is_loss = matches!(
            error,
            ClientError::Ended | ClientError::Io(_) | ClientError::WebSocket(_)
        );
        match &mut self.way_back {
            Some(way_back) if is_loss => {
                let now = Instant::now();
                way_back.since = now;
                way_back.tries = 0;
                way_back.next_try = now;
                self.events.push_back(Event::Away);
                Ok(())
            }
            _ => {
                self.over = Some("socket_error".to_owned());
                Err(error)
            }
        }
    }

    /// Tries once to come back, when it is time to.
    async fn come_back(&mut self) -> Result<(), ClientError> {
        let Some(way_back) = self.way_back else {
            return Err(ClientError::Ended);
        };
        sleep_until(way_back.next_try).await;
        let tried = timeout(ATTEMPT, self.resume(way_back.token)).await;
        let error = match tried {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ClientError::Refused { reason })) if reason == "resume_refused" => {
                let lost = self.sent.kept().0;
                self.log_in().await?;
                self.events.push_back(Event::Fresh {
                    welcome: self.welcome.clone(),
                    lost,
                });
                return Ok(());
            }
            Ok(Err(ClientError::Refused { reason })) => {
                self.over = Some(reason.clone());
                return Err(ClientError::Closed { reason });
            }
            Ok(Err(error)) => error,
            Err(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
        };
        let pause = (PAUSES.0 * 2u32.saturating_pow(way_back.tries)).min(PAUSES.1);
        let pause = pause.mul_f64(rand::rng().random_range(0.5..1.0));
        let next_try = Instant::now() + pause;
        if next_try > way_back.since + way_back.time {
            self.over = Some("socket_error".to_owned());
            return Err(error);
        }
        self.way_back = Some(WayBack {
            tries: way_back.tries + 1,
            next_try,
            ..way_back
        });
        Ok(())
    }

    async fn resume(&mut self, token: ResumeToken) -> Result<(), ClientError> {
        let mut link = Link::open(&self.gate).await?;
        let first = encode_resume(token, self.received.tell());
        let answer = link.ask(first).await?;
        let is_answer = (answer.cmd, answer.flags) == (CMD_ACK, FLAG_RESUME);
        let count = is_answer.then(|| decode_count(&answer.body)).flatten();
        let count = count.ok_or(ClientError::Protocol("no answer to who comes back"))?;
        let resumed = self.sent.resume(count);
        resumed.map_err(|_| ClientError::Protocol("a count that cannot be"))?;
        self.link = Some(link);
        self.events.push_back(Event::Back);
        Ok(())
    }

    /// Lets the client in anew, at the gate that it is sent to if it is.
    async fn log_in(&mut self) -> Result<(), ClientError> {
        let key = self.session_key.clone();
        let flags = FLAG_RESUME | self.wishes;
        let first = encode_frame(CMD_VERIFY, flags, key.as_bytes());
        for is_last in [false, true] {
            self.gate = self.address.clone();
            let redirect = match self.enter(first.clone()).await {
                Err(ClientError::Redirected(redirect)) => redirect,
                other => return other,
            };
            self.gate = self.address.leads_to(&redirect.address)?;
            let ticket = encode_frame(CMD_VERIFY, FLAG_TICKET | flags, &redirect.ticket.0);
            match self.enter(ticket).await {
                // It came too late: the next one may not.
                Err(ClientError::Refused { reason }) if reason == TICKET_REFUSED && !is_last => {}
                Err(ClientError::Redirected(_)) => {
                    return Err(ClientError::Protocol("a ticket for another gate's ticket"));
                }
                Ok(()) => {
                    self.welcome.reply = redirect.reply;
                    return Ok(());
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// Says who it is at the gate, and takes its answer.
    async fn enter(&mut self, first: Bytes) -> Result<(), ClientError> {
        let mut link = Link::open(&self.gate).await?;
        let answer = link.ask(first).await?;
        if answer.cmd != CMD_VERIFY {
            return Err(ClientError::Protocol("a frame before the login's answer"));
        }
        if answer.flags & FLAG_TICKET != 0 {
            return Err(redirected(answer.body));
        }
        let now = Instant::now();
        let (reply, way_back) = match answer.flags & FLAG_RESUME {
            0 => (answer.body, None),
            _ => {
                let offer = ResumeOffer::decode(answer.body);
                let offer = offer.ok_or(ClientError::Protocol("a way back that is none"))?;
                let way_back = WayBack {
                    token: offer.token,
                    time: Duration::from_secs(offer.seconds.into()),
                    since: now,
                    tries: 0,
                    next_try: now,
                };
                (offer.reply, Some(way_back))
            }
        };
        self.welcome = Welcome { reply };
        self.compresses = answer.flags & FLAG_COMPRESSED != 0;
        self.way_back = way_back;
        self.sent = Sent::default();
        self.received = Received::default();
        self.link = Some(link);
        Ok(())
    }
}

impl Link {
    async fn open(address: &Address) -> Result<Link, ClientError> {
        let (writer, reader) = wire::connect(address).await?;
        let now = Instant::now();
        Ok(Link {
            writer,
            reader,
            heard: now,
            asked: now,
            urgent: VecDeque::new(),
        })
    }

    /// Sends the first frame, and waits for the answer.
    async fn ask(&mut self, first: Bytes) -> Result<Frame, ClientError> {
        // A gate that is full says so and closes before it has read anything.
        let sent = async {
            self.writer.ready().await?;
            self.writer.start(first)?;
            self.writer.flush().await
        };
        let sent = sent.await;
        match self.reader.next().await {
            Ok(frame) if frame.cmd == CMD_VERIFY && frame.flags & FLAG_CLOSED != 0 => {
                Err(ClientError::Refused {
                    reason: String::from_utf8_lossy(&frame.body).into_owned(),
                })
            }
            Ok(frame) => Ok(frame),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }
}
