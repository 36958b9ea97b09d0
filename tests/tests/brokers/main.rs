//! Brokers are killed, frozen, added and drained under load, and nobody who
//! calls or notifies can tell, except by a pause.
//!
//! The bounds of pauses are loose: they are some ten times of what is aimed at,
//! since the machine may be busy. `tests/bench faults` measures them. The counts
//! are exact.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod back_pressure;
mod master;
mod master_frozen;
mod name;
mod node_frozen;
mod one_way;
mod slave_frozen;
mod slave_killed;
mod slave_moves;

use std::time::Duration;

/// What a call may take when a broker ends or comes: the goal is 100 ms.
const PAUSE: Duration = Duration::from_secs(1);

/// What a call may take when a broker says nothing any more: the goal is 1.5 s.
const SILENCE: Duration = Duration::from_millis(4500);

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}
