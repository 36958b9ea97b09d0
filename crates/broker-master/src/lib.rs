//! The daemon that keeps a group's directory, and routes too.
//!
//! It is the [`broker`] crate with a socket around it: the registry that nodes
//! join, and the links that carry what they say to each other. Its state is
//! what its nodes can bring back; one line in a file says that there were some, and
//! which group of its name this is.

mod console;
mod epoch;
mod master;

pub use console::{group_json, state_name};
pub use master::{Master, MasterConfig};
