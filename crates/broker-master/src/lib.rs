//! The daemon that keeps a group's directory, and routes too.
//!
//! It is the [`broker`] crate with a socket around it: the registry that nodes
//! join, and the links that carry what they say to each other. It holds no
//! state that its nodes could not bring back.

mod master;

pub use master::{Master, MasterConfig};
