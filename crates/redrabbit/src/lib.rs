//! The operator's and developer's command.
//!
//! - [`up`] runs the roles of this machine as child processes with one log;
//!   none of them outlives it.
//! - [`diff`] says what an edited topology changes, [`apply`] brings it into force.
//! - [`check`] reads a topology, [`nodes`] asks a master for its directory.
//! - [`doctor`] looks at this machine and says what to do, [`logs`] follows a node, a
//!   session or a call through what was logged.
//! - [`call`] calls a node or a script's service as another node would.
//! - [`drain`] asks a gate or a scene to finish and end, [`reload`] scenes to load
//!   their scripts again.
//! - [`bots`] lets clients loose on the gates and looks what comes back.
//! - [`solo`] hands over to `redrabbit-solo`, which has Python in it: this
//!   program links none, so that an operator's machine needs none.
//!
//! It is in no group itself, but for those that ask a node, while they do. What it prints
//! goes to stdout, what went wrong to stderr, with `--json` for programs; and each
//! command's `--help` ends with its exit codes.

pub mod apply;
mod binaries;
pub mod bots;
pub mod call;
pub mod check;
pub mod cli;
pub mod console;
pub mod diff;
pub mod doctor;
pub mod drain;
mod failure;
mod group;
pub mod logs;
mod names;
pub mod nodes;
mod operator;
pub mod reload;
pub mod solo;
mod table;
mod time;
pub mod top;
mod units;
pub mod up;

pub use binaries::BinaryError;
pub use operator::OperatorError;
