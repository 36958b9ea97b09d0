//! The operator's and developer's command.
//!
//! - [`up`] runs the roles of this machine as child processes with one log;
//!   none of them outlives it.
//! - [`check`] reads a topology, [`nodes`] asks a master for its directory.
//! - [`solo`] hands over to `redrabbit-solo`, which has Python in it: this
//!   program links none, so that an operator's machine needs none.
//!
//! It is in no group itself. What it prints for people goes to stdout, what
//! went wrong to stderr, and each command's `--help` ends with its exit codes.

mod binaries;
pub mod check;
pub mod cli;
pub mod nodes;
pub mod solo;
mod table;
pub mod up;

pub use binaries::BinaryError;
