//! A bridge between groups of real brokers, over sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod calls;
mod drain;
mod faults;
mod harness;
mod identity;
mod many;
mod refusals;
