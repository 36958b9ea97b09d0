//! The pair channel: what makes messages between two living nodes arrive once,
//! in order, whatever happens to the brokers between them.
//!
//! State machines without I/O and without a clock of their own, so that
//! property tests and simulations can drive them:
//! - [`Outgoing`] numbers what is sent, keeps it until it is acknowledged, and
//!   says what to send next: it goes back to the first that is not acknowledged
//!   when the route has changed, a broker had no room, or nothing has moved for
//!   200 ms.
//! - [`Incoming`] takes numbers in turn, drops what it has seen, and says when
//!   an acknowledgement is owed.
//! - [`Routes`] knows the brokers that can be used and picks one for each pair.
//! - [`Pair`] is the three of them for one other node, and remembers which
//!   brokers did not get through to it.
//!
//! There is no reordering buffer: each route is in order, so that what is out of
//! turn has something lost before it, which is sent again anyway.
//!
//! What makes it live: as long as something is kept, either a tick sends it or
//! time counts against its route. Acknowledgements that go by themselves are
//! kept by nobody; their loss shows in what comes again, and is answered with
//! one that is kept.

mod avoided;
mod incoming;
mod outgoing;
mod pair;
mod routes;

pub use incoming::{Arrival, Incoming};
pub use outgoing::Outgoing;
pub use pair::{Due, Pair};
pub(crate) use routes::mix;
pub use routes::{Broker, Routes};
