//! The daemon that routes between the nodes of a group, in the master's place.
//!
//! It is a node like any other, whose record has an address: from the group's
//! directory it learns who may open a link, and every node learns from there
//! where to open one. It keeps nothing that would be missed: a slave may come
//! and go under traffic, and outlives its master.
//!
//! - [`Slave`] is all of it at work; `members` follows the directory, `readiness`
//!   and `drain` decide when it takes traffic and when it has none left.
//!
//! Invariants: it routes between nodes that its directory has, and no others; it
//! sends nothing of its own but what a broker answers.

mod drain;
mod members;
mod readiness;
mod slave;

pub use slave::{Slave, SlaveConfig};
