//! What the tests of real processes share: a group to start and to hurt, and
//! players who log in to it.
//!
//! Every test runs in a process of its own (cargo-nextest sees to that) and has
//! a loopback address of its own, so that groups never meet and ports need no
//! luck. Everything that a test starts ends with it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod group;
mod player;
mod process;
mod roles;

pub use group::{Group, Runs};
pub use player::Player;
pub use process::{Process, open_files, resident_bytes};
pub use roles::{ROLES, Roles};

pub use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Long enough for anything that happens at all, on a busy machine too.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The script that the tests play with; see its own first lines.
pub const ARCADE: &str = include_str!("../scripts/arcade.py");

/// Waits for `work`, and fails with `what` when it takes too long.
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}

/// Looks until there is something to see, and fails with `what` when there
/// never is.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            begun.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
