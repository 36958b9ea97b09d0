//! Calls from one group to another: real nodes, and groups that are the tests' own, in
//! memory and on a clock that stands still while anybody is busy.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod across;
mod group;
mod relay;
mod silent;
mod standing;
mod then;
mod transit;
