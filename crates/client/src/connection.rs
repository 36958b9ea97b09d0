//! A client's connection: made, let in, and in one piece until it is split.

use bytes::Bytes;
use protocol::client::{CMD_VERIFY, Frame};
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

    fn new((writer, reader): (wire::Writer, wire::Reader)) -> Client {
        Client {
            sender: Sender { writer },
            receiver: Receiver::new(reader),
        }
    }

    /// Says who the client is and waits for the gate's answer.
    ///
    /// Ends with [`ClientError::Refused`] when the gate does not let it in.
    /// There is no time limit of its own: the gate has one.
    pub async fn login(&mut self, session_key: &str) -> Result<Welcome, ClientError> {
        // A gate that is full says so and closes before it has read anything:
        // its word comes first, whatever became of the writing.
        let sent = self.sender.send(CMD_VERIFY, session_key.as_bytes()).await;
        match self.receiver.recv().await {
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
