//! The daemon that holds external clients: their sockets, their sessions,
//! their limits.
//!
//! A client's first frame is verified by a scene; from then on its frames go
//! to the scene that holds the session, in order, and what scenes send it
//! comes back. One task owns each connection: it reads, writes and keeps the
//! clock, and asks the session, a state machine without I/O, what things mean.
//! Others reach a connection through its handle only: what they deliver is written
//! at once where the socket takes it, and by the connection's task where not. Which scene holds a login
//! is decided in `session::gate`; its seat carries that out, and outlives the
//! connection until no scene holds it.
//!
//! Invariants:
//! - A scene that was told of a session's entering is told of its going once,
//!   however the connection ends, unless the scene itself is gone.
//! - No frame of a client is dropped while its session lives, but for those that
//!   went with a scene that had not finished them: with too many on their way to
//!   a scene, or none there to take them, or more in a second than allowed, its
//!   socket is not read.
//! - Every queue is bounded. A client that reads too slowly is closed as a
//!   `slow_consumer`; its neighbours notice nothing.
//! - A message to many is encoded once, and all their sockets share its bytes.
//! - Nothing that comes from a socket can panic, or make the gate allocate
//!   more than twice of what has been sent; a compressed frame, no more than a frame may
//!   have.
//! - Every end of a connection has a reason, which the client is told, the log
//!   shows and a metric counts.
//!
//! It knows nothing of Python and decides nothing about a game.

mod arrival;
mod backlog;
mod channels;
mod close;
mod connection;
mod connections;
mod direct;
mod directory;
mod entrance;
mod flusher;
mod gate;
mod group;
mod handle;
mod latest;
mod listener;
mod live;
mod login;
mod mailbox;
mod message;
mod metrics;
mod node;
mod orders;
mod outbound;
mod owner;
mod pace;
mod presence;
mod rate;
mod replaced;
mod requests;
mod resume;
mod seat;
mod session;
mod sessions;
mod shared;
mod table;
mod tickets;
mod transport;
mod verification;
mod window;

#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use entrance::read_proxy_header;
pub use gate::{Drained, Gate, Listeners};
pub use shared::GateConfig;
#[doc(hidden)]
pub use transport::read_websocket;
