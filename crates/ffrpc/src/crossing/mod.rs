//! Requests that leave the group by a bridge, or come in by one.
//!
//! - [`Group`] calls another group; `choice` says by which bridge, and `watch`
//!   whether those that carry calls still answer.
//! - [`Origin`] is where a request has come from that another group makes; `way` reads
//!   what a request says of that.
//! - [`Transit`] and [`Responder`] are what a bridge itself is given.
//!
//! Invariants: the calls of a node to one group go by one bridge for as long as
//! that answers, so that they keep their order; a bridge that is killed or frozen
//! costs its callers `Unavailable` and not the rest of their deadlines.

mod bridges;
mod choice;
mod group;
mod origin;
mod transit;
mod watch;
mod way;

pub(crate) use self::{
    bridges::Bridges,
    watch::{PERIOD, Seen},
    way::{LastWay, Way},
};
pub use self::{
    group::Group,
    origin::Origin,
    transit::{Onward, Responder, Transit},
};
