//! Databases, against real ones.

#![allow(clippy::unwrap_used, reason = "tests")]

mod failures;
mod limits;
mod secrets;
mod servers;
mod statements;
mod transactions;
mod types;
