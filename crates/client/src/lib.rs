//! The Rust SDK for external clients of a gate: for tests, bots and load
//! generators, and for games that are written in Rust.
//!
//! A [`Client`] connects over TCP or WebSocket, [logs in](Client::login) with
//! the session key that the game's verify callback expects, and then exchanges
//! [`Frame`]s. It [splits](Client::split) into halves that live in different
//! tasks.
//!
//! ```no_run
//! # async fn chat() -> Result<(), client::ClientError> {
//! let mut client = client::Client::connect_tcp("127.0.0.1:10242").await?;
//! let welcome = client.login("alice").await?;
//! println!("the script said {:?}", welcome.reply);
//! client.send(101, b"[\"hello\"]").await?;
//! let answer = client.recv().await?;
//! println!("cmd {} with {} bytes", answer.cmd, answer.body.len());
//! # Ok(())
//! # }
//! ```
//!
//! Invariants: a gate's word on why it closes is never lost (it comes back as
//! [`ClientError::Closed`] or [`ClientError::Refused`]); a frame is whole or is
//! not handed out; nothing that a gate sends makes the client allocate more
//! than [`MAX_FRAME_BYTES`] or panic.
//!
//! A gate that is going says so first ([`Receiver::is_draining`]); notices are
//! remembered and not handed out as frames.
//!
//! A [`Session`] is the same for players: it goes on over another connection when one is
//! lost, and neither side misses anything. A `Client` is one connection and no more.
//! Both speak TLS where the [`Address`] says so.

mod address;
mod connection;
mod error;
mod halves;
mod session;
mod stream;
mod trust;
mod wire;

pub use address::Address;
pub use connection::{Client, Welcome};
pub use error::ClientError;
pub use halves::{Receiver, Sender};
pub use protocol::client::redirect::{Redirect, Ticket};
pub use protocol::client::{CMD_PING, CMD_VERIFY, FLAG_CLOSED, FLAG_NOTICE, Frame};
pub use session::{Event, Session};
pub use trust::Trust;
pub use wire::MAX_FRAME_BYTES;
