//! A whole group in one process over memory links, and the playground.
//!
//! - [`Solo`]: master, scene and gates of a topology, started in this process.
//!   They are the same components that the daemons run; only the links between
//!   them are memory instead of sockets.
//! - [`demo`]: a group with a copy of the chat script, and the page where it is
//!   changed while people chat.
//! - `cross_group`: two groups and a bridge as processes of their own, and the page
//!   that shows both.
//! - [`page`]: the server of a game's own page, for `solo --page`.
//!
//! There is one CPython interpreter in a process, and so one scene: a topology
//! with more of them is refused, with the command that runs it.

pub mod cli;
mod cross_group;
pub mod demo;
mod demo_backend;
pub mod page;
pub mod playground;
mod solo;

pub use solo::{Solo, SoloError};
