//! A registry and links in operation, and members that speak the protocol by
//! hand. Where time matters it is virtual.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod bridges;
mod harness;
mod placement;
mod rebuild;
mod refusals;
mod rejoin;
mod routing;
mod secrets;
mod thousand;
