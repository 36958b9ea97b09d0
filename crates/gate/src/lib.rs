//! The daemon that holds external clients: their sockets, their sessions,
//! their limits.
//!
//! A client's first frame is verified by a scene; from then on its frames go
//! to the scene that holds the session, in order, and what scenes send it
//! comes back. One task owns each connection: it reads, writes and keeps the
//! clock, and asks the session, a state machine without I/O, what things mean.
//! Others reach a connection through its mailbox only.
//!
//! Invariants:
//! - A scene that was told of a session's entering is told of its going once,
//!   however the connection ends, unless the scene itself is gone.
//! - No frame of a client is dropped: with too many on their way to a scene,
//!   or more in a second than allowed, its socket is not read.
//! - Every queue is bounded. A client that reads too slowly is closed as a
//!   `slow_consumer`; its neighbours notice nothing.
//! - A message to many is encoded once, and all their sockets share its bytes.
//! - Nothing that comes from a socket can panic, or make the gate allocate
//!   more than twice of what has been sent.
//! - Every end of a connection has a reason, which the client is told, the log
//!   shows and a metric counts.
//!
//! It knows nothing of Python and decides nothing about a game.

mod arrival;
mod close;
mod connection;
mod connections;
mod gate;
mod group;
mod handle;
mod listener;
mod log_pace;
mod metrics;
mod node;
mod orders;
mod outbound;
mod pace;
mod presence;
mod rate;
mod session;
mod shared;
mod table;
mod transport;
mod verification;
mod window;

#[cfg(test)]
mod tests;

pub use gate::{Drained, Gate, Listeners};
pub use shared::GateConfig;
