//! Which units this machine runs, as its files say.
//!
//! The program of this crate, `redrabbit-generator`, is run by systemd at every boot and
//! every `systemctl daemon-reload` (systemd.generator(7)): it makes `redrabbit.target`
//! want this machine's nodes and no others, each with a drop-in. Whoever wants to know
//! beforehand what it will do asks [`Files::read`] and [`units`].
//!
//! - `files` and `machine` read the folder of the configuration;
//! - `units` decides, without looking at anything;
//! - `drop_in` is what is told to systemd beside a unit's own file;
//! - `output` writes links and drop-ins;
//! - `report` says what is wrong, at a time at which nobody may be listening yet.
//!
//! Invariants: a boot never fails and never waits because of it. A file that is wrong
//! wants none of its nodes, and says so; the other file's are wanted as ever. What cannot
//! be written whole is not left in pieces. It reads no secret.

mod drop_in;
mod files;
mod machine;
mod output;
mod report;
mod units;

pub use files::{Complaint, FileError, Files};
pub use machine::{MachineError, machine};
pub use output::{Output, OutputError};
pub use report::Report;
pub use units::{Unit, units};

/// Where the configuration is.
pub const ETC: &str = "/etc/redrabbit";

/// What all nodes of a machine are wanted by.
pub const TARGET: &str = "redrabbit.target";
