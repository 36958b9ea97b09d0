//! Databases for scripts: SQLite, MySQL or MariaDB, and PostgreSQL.
//!
//! ```text
//!  Database::admit ──► Slot ──run──► connection of the pool ──► Rows, or one Error
//!                        └──begin──► Transaction: one connection, until its end
//! ```
//!
//! - [`Url`] says which database; its password is in no text that this crate makes.
//! - [`Value`] is what goes in as a parameter and comes out in a row. Parameters
//!   are bound, never pasted, with the database's own placeholders: `?` for SQLite
//!   and MySQL, `$1`, `$2` for PostgreSQL. What a value is to a database, and which
//!   of its types become what, is in `sqlite`, `mysql` and `postgres`.
//! - [`Database`] is a pool that connects when it is first used. Statements wait for
//!   a connection in turn, in a bounded number; all of one, with the wait, has a
//!   time limit, and what it returns a limit in bytes.
//!
//! Invariants:
//! - Every statement ends once, with rows or with an [`Error`] whose kind says what
//!   can be done about it.
//! - A connection whose state is not known (its statement was given up, it broke, a
//!   transaction on it has not ended) is never used again as it is.
//! - A server that goes away costs errors of kind `unavailable`, and nothing else:
//!   idle connections are tested before use, and new ones made at once.
//! - Nothing that a server sends can panic, or make more memory than one row be
//!   held beyond the limit.
//!
//! It does not know Python, and keeps no statement for later.

mod calendar;
mod connection;
mod database;
mod decimal;
mod error;
mod gather;
mod lease;
mod mysql;
mod pool;
mod postgres;
mod settings;
mod slot;
mod sqlite;
mod statement;
mod transaction;
mod url;
mod value;

pub use database::{Database, Databases};
pub use error::{Error, ErrorKind};
pub use gather::Rows;
pub use settings::Settings;
pub use slot::Slot;
pub use transaction::{Hold, Transaction};
pub use url::{Url, UrlError};
pub use value::{Date, DateTime, Time, Value};
