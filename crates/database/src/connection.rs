//! One connection, of whichever database.

use std::{sync::Arc, time::Duration};

use crate::{
    Error, Rows, Url, Value, mysql::MySqlLink, postgres::PgLink, sqlite::Sqlite3, url::Target,
};

/// A connection to a database.
pub(crate) enum Connection {
    Sqlite(Box<Sqlite3>),
    MySql(Box<MySqlLink>),
    Postgres(Box<PgLink>),
}

impl Connection {
    /// Connects; `timeout` is how long a statement may take on it.
    pub(crate) async fn open(url: &Url, timeout: Duration) -> Result<Self, Error> {
        Ok(match &url.target {
            Target::Sqlite(file) => {
                Connection::Sqlite(Box::new(Sqlite3::connect(file, timeout).await?))
            }
            Target::MySql(server) => {
                let link = MySqlLink::connect(server, timeout).await;
                Connection::MySql(Box::new(link.map_err(|e| connecting(e, url))?))
            }
            Target::Postgres(server) => {
                let link = PgLink::connect(server, timeout).await;
                Connection::Postgres(Box::new(link.map_err(|e| connecting(e, url))?))
            }
        })
    }

    /// Carries out a statement; a result of more than `limit` bytes is an error.
    pub(crate) async fn run(
        &mut self,
        sql: Arc<str>,
        parameters: &[Value],
        limit: usize,
    ) -> Result<Rows, Error> {
        match self {
            Connection::Sqlite(link) => link.run(sql, parameters, limit).await,
            Connection::MySql(link) => link.run(sql, parameters, limit).await,
            Connection::Postgres(link) => link.run(sql, parameters, limit).await,
        }
    }

    /// Whether the database still answers on it.
    pub(crate) async fn is_alive(&mut self) -> bool {
        let pong = match self {
            Connection::Sqlite(link) => link.ping().await,
            Connection::MySql(link) => link.ping().await,
            Connection::Postgres(link) => link.ping().await,
        };
        pong.is_ok()
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        match self {
            Connection::Sqlite(link) => link.close().await,
            Connection::MySql(link) => link.close().await,
            Connection::Postgres(link) => link.close().await,
        }
    }
}

/// Whatever is wrong while connecting, the statement was not.
fn connecting(error: Error, url: &Url) -> Error {
    let error = error.without(url.password());
    Error::new(
        crate::ErrorKind::Unavailable,
        format!("cannot connect to {url}: {}", error.message),
    )
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
pub(crate) fn uuid_text(bytes: &[u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// With or without hyphens.
pub(crate) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(u128::from_str_radix(&hex, 16).ok()?.to_be_bytes())
}
