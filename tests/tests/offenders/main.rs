//! Clients that do what no client should: each kind ends with a reason that it
//! is told and that is counted, costs the gate a bounded amount of memory, and
//! harms nobody else.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod crowd;
mod drip;
mod flood;
mod garbage;
mod half_open;
mod rate;
mod scene_away;
mod slow;
mod stage;
mod websocket;
mod wire;
