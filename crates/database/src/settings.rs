//! How much a database may take.

use std::time::Duration;

/// How much a database may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How many connections there may be, 1 to 1,000. SQLite in memory has one.
    pub pool: usize,
    /// How many statements may be under way or wait for a connection; more are
    /// `overloaded`.
    pub waiting: usize,
    /// How long a statement may take, with the wait for a connection.
    pub timeout: Duration,
    /// How large a result may be; more is `too_large`.
    pub result_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            pool: 10,
            waiting: 10_000,
            timeout: Duration::from_secs(10),
            result_bytes: 32 << 20,
        }
    }
}
