//! What the tests of real processes share: a group to start and to hurt, the
//! players who log in to it, and the nodes that talk all the time.
//!
//! - [`Group`] is a whole group with a gate and a scene, [`Player`] somebody who
//!   plays in it.
//! - [`Cluster`] is one with several gates, scenes and slaves.
//! - [`Groups`] is several of them with bridges between.
//! - [`Certificate`] is what gates with TLS show.
//! - [`Brokers`] is a master and its slaves alone. [`Traffic`] is what nodes of
//!   that group say to each other, counted to the last message.
//!
//! Every test runs in a process of its own (cargo-nextest sees to that) and has
//! a loopback address of its own, so that groups never meet and ports need no
//! luck. Everything that a test starts ends with it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod brokers;
mod certificate;
mod cluster;
mod group;
mod groups;
mod histogram;
mod http;
mod network;
mod place;
mod player;
mod process;
mod roles;
mod seed;
mod traffic;

pub use brokers::{Brokers, MASTER, slave};
pub use certificate::Certificate;
pub use cluster::{Cluster, Members};
pub use group::{Group, Runs};
pub use groups::{
    Bridges, Callees, Callers, CrossLoad, CrossTally, ECHO_METHOD, Ends, Groups, Join,
    LARGE_METHOD, WAIT_METHOD, bridge, reaches, record,
};
pub use histogram::Histogram;
pub use network::{Network, in_own_network, vanish};
pub use place::Place;
pub use player::Player;
pub use process::{Process, binary, log_in_json, open_files, resident_bytes};
pub use roles::{ROLES, Roles};
pub use seed::Seed;
pub use traffic::{Apart, Job, Load, Member, Phase, Report, Routes, Said, Stalls, Traffic};

pub use rustix::process::Signal;
use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

/// Long enough for anything that happens at all, on a busy machine too.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The script that the tests play with; see its own first lines.
pub const ARCADE: &str = include_str!("../scripts/arcade.py");

/// A script that lets everybody in, and sends back what comes as 1.
pub const ECHO: &str = include_str!("../scripts/echo.py");

/// A script whose sessions count their messages, in whatever scene they are.
pub const TRAVELLER: &str = include_str!("../scripts/traveller.py");

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

/// A loopback address that no other test of this run has.
pub fn own_address() -> Ipv4Addr {
    let pid = std::process::id();
    // 127.64.0.0 to 127.127.255.255: four million process ids.
    Ipv4Addr::new(
        127,
        64 | (pid >> 16 & 0x3f) as u8,
        (pid >> 8) as u8,
        pid as u8,
    )
}
