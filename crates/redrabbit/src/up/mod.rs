//! `redrabbit up`: the roles of this machine as child processes, with one log.
//!
//! ```text
//! command ─► plan ─► supervisor ─► a keeper a role ─► child
//!                        ▲              │ board
//!                        └──────────────┘
//! ```
//! What to start is in `plan`, in which order in `supervisor`; a `keeper` owns
//! one role's child through its lives; `restart`, `line` and `printable` decide
//! without touching anything. No child outlives this program, however it ends.

mod board;
mod child;
mod command;
mod json_line;
mod keeper;
mod line;
mod notify;
mod output;
mod plan;
mod printable;
mod restart;
mod source;
mod supervisor;

pub use command::{UpArgs, UpError, run};
pub use plan::PlanError;

/// The name under which `up` itself speaks in the log.
pub(crate) const OWN_NAME: &str = "up";
