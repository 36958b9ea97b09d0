//! A master and nodes in one process, over real sockets and over memory.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod bridges;
mod calls;
mod harness;
mod intruders;
mod membership;
mod messages;
mod returning;
mod stock;
