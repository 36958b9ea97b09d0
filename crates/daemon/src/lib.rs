//! What every daemon shares, so that its `main.rs` is a script: arguments,
//! topology, tracing, signals, drain, systemd, metrics and health pages.
//!
//! - [`run`] is the frame around a daemon's own work, [`Daemon`] what that work
//!   is given; [`run_bridge`] is the same for a bridge, which is of several groups
//!   and has a file of its own.
//! - [`boot`] finds the process in the topology; a wrong file or name ends it
//!   with an [`Exit`] code of its own before any socket opens.
//! - SIGHUP has the topology read again. What of it takes effect at once is told to
//!   the work by [`Daemon::plan`], the rest is named in the log.
//! - [`Shutdown`] is the first signal and the second; [`Readiness`] what
//!   `/readyz` says; [`bind`] opens a socket or says what to change.
//! - [`vitals`] is what a process says of itself to the master: its processor time, its
//!   memory, its last warnings.
//!
//! [`catalogue`] says what every metric is, whoever measures it.
//!
//! `examples/idle.rs` is a whole daemon that does nothing. This crate knows no
//! role's work, and links no Python. Three things are the process's own and
//! therefore there once: the subscriber of the log, the list of its last warnings, and
//! the recorder of the metrics, which exists only where a page asks for it.

mod args;
mod boot;
pub mod catalogue;
mod exit;
mod faults;
mod hangup;
pub mod http;
mod limits;
mod listen;
mod log;
mod log_pace;
mod process;
mod readiness;
mod recorder;
mod reload;
mod run;
mod shutdown;
pub mod systemd;
mod version;
mod vitals;

pub use args::{Args, LogFormat, parse};
pub use boot::{Boot, BootError, Booted, BridgeBoot, boot, boot_bridge, role_name};
pub use exit::{ALL_EXIT_CODES, EXIT_CODES, Exit};
pub use hangup::{Hangup, Hangups};
pub use http::{HttpServer, OwnPages};
pub use limits::raise_file_limit;
pub use listen::{BindError, ListenSite, bind};
pub use log::{COLOR_VARIABLE, init_tracing, set_levels, wants_colour};
pub use log_pace::LogPace;
pub use process::ProcessSample;
pub use readiness::Readiness;
pub use recorder::{Metrics, set_info};
pub use run::{Daemon, Drain, run, run_bridge};
pub use shutdown::{Shutdown, Trigger};
pub use systemd::{ready, stopping};
pub use version::build_version;
pub use vitals::vitals;
