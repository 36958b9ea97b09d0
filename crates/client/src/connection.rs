//! A client's connection: made, let in, and in one piece until it is split.

use bytes::Bytes;
use protocol::client::{
    CMD_VERIFY, FLAG_TICKET, Frame, encode_frame,
    redirect::{Redirect, Ticket},
};
use tokio::net::ToSocketAddrs;

use crate::{Address, ClientError, Receiver, Sender, address::Scheme, stream, wire};

/// A connection to a gate.
#[derive(Debug)]
pub struct Client {
    sender: Sender,
    receiver: Receiver,
}

/// What a client that was let in is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What the game's verify callback sends along; empty where it sends
    /// nothing.
    pub reply: Bytes,
}

/// What the last frame of a gate says that sends a client away.
pub(crate) fn redirected(body: Bytes) -> ClientError {
    match Redirect::decode(body) {
        Some(redirect) => ClientError::Redirected(Box::new(redirect)),
        None => ClientError::Protocol("a way to another gate that is none"),
    }
}

impl Client {
    /// Connects to an address of whatever kind.
    pub async fn connect(address: &Address) -> Result<Client, ClientError> {
        wire::connect(address).await.map(Client::new)
    }

    /// Connects over TCP.
    pub async fn connect_tcp(address: impl ToSocketAddrs) -> Result<Client, ClientError> {
        let stream = stream::connect_tcp(address).await?;
        Ok(Client::new(wire::frames(stream)))
    }

    /// Connects over WebSocket, to `ws://host:port` or `wss://host` and whatever path.
    pub async fn connect_websocket(url: &str) -> Result<Client, ClientError> {
        let address: Address = url.parse()?;
        if matches!(address.scheme(), Scheme::Tcp | Scheme::Tls) {
            return Err(ClientError::Address {
                url: url.to_owned(),
            });
        }
        Client::connect(&address).await
    }

    /// Connects and logs in, and goes on at the gate that a login gate sends the client to.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), [`login`](Self::login) and [`redeem`](Self::redeem),
    /// but for [`ClientError::Redirected`].
    pub async fn enter(
        address: &Address,
        session_key: &str,
    ) -> Result<(Client, Welcome), ClientError> {
        let mut client = Client::connect(address).await?;
        let redirect = match client.login(session_key).await {
            Err(ClientError::Redirected(redirect)) => redirect,
            other => return Ok((client, other?)),
        };
        let mut client = Client::connect(&address.leads_to(&redirect.address)?).await?;
        match client.redeem(&redirect.ticket).await {
            Err(ClientError::Redirected(_)) => {
                Err(ClientError::Protocol("a ticket for another gate's ticket"))
            }
            other => other.map(|_| {
                let reply = redirect.reply;
                (client, Welcome { reply })
            }),
        }
    }

    fn new((writer, reader): (wire::Writer, wire::Reader)) -> Client {
        Client {
            sender: Sender { writer },
            receiver: Receiver::new(reader),
        }
    }

    /// Says who the client is and waits for the gate's answer.
    ///
    /// Ends with [`ClientError::Refused`] when the gate does not let it in.
    /// Ends with [`ClientError::Redirected`] when it is to go on at another gate.
    /// There is no time limit of its own: the gate has one.
    pub async fn login(&mut self, session_key: &str) -> Result<Welcome, ClientError> {
        let first = encode_frame(CMD_VERIFY, 0, session_key.as_bytes());
        self.ask(first).await
    }

    /// Goes on at a gate that another one has sent the client to.
    ///
    /// # Errors
    /// As [`login`](Self::login); a ticket that is not good any more is refused with
    /// `ticket_refused`.
    pub async fn redeem(&mut self, ticket: &Ticket) -> Result<Welcome, ClientError> {
        let first = encode_frame(CMD_VERIFY, FLAG_TICKET, &ticket.0);
        self.ask(first).await
    }

    async fn ask(&mut self, first: Bytes) -> Result<Welcome, ClientError> {
        // A gate that is full says so and closes before it has read anything:
        // its word comes first, whatever became of the writing.
        let sent = async {
            self.sender.feed_encoded(first).await?;
            self.sender.flush().await
        };
        let sent = sent.await;
        match self.receiver.recv().await {
            Ok(frame) if frame.cmd == CMD_VERIFY && frame.flags & FLAG_TICKET != 0 => {
                Err(redirected(frame.body))
            }
            Ok(frame) if frame.cmd == CMD_VERIFY => Ok(Welcome { reply: frame.body }),
            Ok(_) => Err(ClientError::Protocol("a frame before the login's answer")),
            Err(ClientError::Closed { reason }) => Err(ClientError::Refused { reason }),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    /// As [`Sender::send`].
    pub async fn send(&mut self, cmd: u16, body: &[u8]) -> Result<(), ClientError> {
        self.sender.send(cmd, body).await
    }

    /// As [`Receiver::recv`].
    pub async fn recv(&mut self) -> Result<Frame, ClientError> {
        self.receiver.recv().await
    }

    /// As [`Receiver::is_draining`].
    pub fn is_draining(&self) -> bool {
        self.receiver.is_draining()
    }

    /// As [`Sender::ping`].
    pub async fn ping(&mut self, body: &[u8]) -> Result<(), ClientError> {
        self.sender.ping(body).await
    }

    /// Both halves, to borrow at the same time.
    pub fn halves(&mut self) -> (&mut Sender, &mut Receiver) {
        (&mut self.sender, &mut self.receiver)
    }

    /// Both halves, for tasks of their own.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Writes out what waits and says good-bye.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.sender.close().await
    }
}
