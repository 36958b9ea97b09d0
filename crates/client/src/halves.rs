//! The two halves of a connection, for tasks of their own.

use bytes::Bytes;
use protocol::client::{CMD_PING, CMD_VERIFY, FLAG_CLOSED, FLAG_NOTICE, Frame, encode_frame};

use crate::{
    ClientError,
    wire::{Reader, Writer},
};

/// The half that sends.
#[derive(Debug)]
pub struct Sender {
    pub(crate) writer: Writer,
}

/// The half that receives.
#[derive(Debug)]
pub struct Receiver {
    reader: Reader,
    closed: Option<String>,
    is_draining: bool,
}

/// The gate's notice that it is going.
pub(crate) const DRAINING: &[u8] = b"draining";

impl Sender {
    /// Sends one frame and writes it out.
    pub async fn send(&mut self, cmd: u16, body: &[u8]) -> Result<(), ClientError> {
        self.feed(cmd, body).await?;
        self.flush().await
    }

    /// Puts one frame behind those that wait for [`flush`](Self::flush): many
    /// small frames go out in one write.
    pub async fn feed(&mut self, cmd: u16, body: &[u8]) -> Result<(), ClientError> {
        self.feed_encoded(encode_frame(cmd, 0, body)).await
    }

    /// As [`feed`](Self::feed), of bytes that are a frame already, and maybe
    /// shared with other clients.
    pub async fn feed_encoded(&mut self, frame: Bytes) -> Result<(), ClientError> {
        self.writer.feed(frame).await
    }

    /// Writes out what waits.
    pub async fn flush(&mut self) -> Result<(), ClientError> {
        self.writer.flush().await
    }

    /// Asks the gate whether it is there. Its answer comes to the receiving
    /// half as a frame of [`CMD_PING`] with the same body.
    pub async fn ping(&mut self, body: &[u8]) -> Result<(), ClientError> {
        self.send(CMD_PING, body).await
    }

    /// Writes out what waits and says good-bye. What the gate still sends can
    /// be received.
    pub async fn close(&mut self) -> Result<(), ClientError> {
        self.writer.close().await
    }
}

impl Receiver {
    pub(crate) fn new(reader: Reader) -> Self {
        Receiver {
            reader,
            closed: None,
            is_draining: false,
        }
    }

    /// The next frame of the gate, answers to pings among them, notices not: see
    /// [`is_draining`](Self::is_draining). Cancelled, it has lost nothing.
    ///
    /// Ends with [`ClientError::Closed`] when the gate said why it closes, at
    /// this call and every later one.
    pub async fn recv(&mut self) -> Result<Frame, ClientError> {
        if let Some(reason) = &self.closed {
            return Err(ClientError::Closed {
                reason: reason.clone(),
            });
        }
        loop {
            let frame = self.reader.next().await?;
            if frame.cmd != CMD_VERIFY {
                return Ok(frame);
            }
            if frame.flags & FLAG_CLOSED != 0 {
                let reason = String::from_utf8_lossy(&frame.body).into_owned();
                self.closed = Some(reason.clone());
                return Err(ClientError::Closed { reason });
            }
            if frame.flags & FLAG_NOTICE == 0 {
                return Ok(frame);
            }
            // Words that we do not know are for clients who do.
            self.is_draining |= frame.body == DRAINING;
        }
    }

    /// Whether the gate has said, in what has been received so far, that it is
    /// going. The connection works until it is closed, with the reason
    /// `draining`; whoever wants no gap finishes what is under way and connects
    /// anew, to another gate if there is one.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }
}
