//! The daemon that carries calls between groups.
//!
//! It is a node in each of the groups that its file lists, and says in each which of
//! the others it reaches. A caller sends its request to a bridge of its group; the
//! bridge makes it a request of its own in the other group, and gives the answer back
//! as it is.
//!
//! - [`Bridge`] is all of it at work, `forward` a call's way through it.
//! - `room` decides whom a call may go to: `exports` says what a group lets others
//!   call, `offers` who has it and carries least.
//! - `announce` decides what each group is told of the others, `groups` tells it.
//!
//! Invariants: a call that is passed on has one end, whatever becomes of its caller;
//! nothing is passed on that the other group does not export, nor anything from a
//! group that calls itself otherwise than the file does; what waits is bounded, by
//! calls from group to group and by bytes to each node; the path of a call makes no
//! task and waits for nothing.
//!
//! What it does not do: a call that was sent to a node is not sent to another one when
//! that node goes. It may have been done.

mod announce;
mod bridge;
mod callers;
mod cmd;
mod config;
mod drain;
mod exports;
mod forward;
mod groups;
mod member;
mod metrics;
mod nodes;
mod offers;
mod refusal;
mod room;
mod route;
#[cfg(test)]
mod support;
mod watch;

pub use bridge::Bridge;
pub use config::{BridgeConfig, GroupConfig};
