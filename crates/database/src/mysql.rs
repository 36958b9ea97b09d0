//! MySQL and MariaDB: what their values are.
//!
//! A `TIMESTAMP` is a moment (sessions are in UTC), a `DATETIME` is not, a `TIME` is
//! a duration, `TINYINT(1)` is a bool where it holds 0 or 1, `YEAR` and `BIT` are
//! whole numbers. MariaDB's `JSON` is text, since that is what it is there; MySQL's
//! is a document. A UUID goes in as text. Zero dates are NULL.
//!
//! Placeholders are `?`.

pub(crate) mod read;
mod write;

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Database, Executor, MySql, MySqlConnection,
    Row, SqlSafeStr, Statement, ValueRef,
    error::DatabaseError,
    mysql::{MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode, MySqlTypeInfo},
};

use self::write::Parameter;
use crate::{
    Error, ErrorKind, Rows, Value,
    gather::{Backend, check_count, columns_of, gather, in_parameter},
    url::{Server, Tls},
};

/// A connection.
pub(crate) struct MySqlLink(MySqlConnection);

/// `ER_UNSUPPORTED_PS`: the statement cannot be prepared.
const NOT_PREPARED: u16 = 1295;

impl MySqlLink {
    pub(crate) async fn connect(server: &Server, timeout: Duration) -> Result<Self, Error> {
        let mut options = MySqlConnectOptions::new()
            .disable_statement_logging()
            .host(&server.host)
            .port(server.port)
            .username(&server.user)
            .password(server.password.expose())
            .ssl_mode(match server.tls {
                Tls::Off => MySqlSslMode::Disabled,
                Tls::Preferred => MySqlSslMode::Preferred,
                Tls::Required => MySqlSslMode::Required,
                Tls::VerifyCa => MySqlSslMode::VerifyCa,
                Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
            });
        if !server.database.is_empty() {
            options = options.database(&server.database);
        }
        if let Some(ca) = &server.tls_ca {
            options = options.ssl_ca(ca);
        }
        let mut connection = options.connect().await.map_err(Self::error)?;
        // The server ends what takes longer: MariaDB all statements, MySQL what
        // only reads.
        let seconds = timeout.as_secs_f64().max(0.001);
        let mariadb = format!("SET SESSION max_statement_time = {seconds:.3}");
        if connection.execute(AssertSqlSafe(mariadb)).await.is_err() {
            let mysql = format!(
                "SET SESSION max_execution_time = {}",
                timeout.as_millis().max(1)
            );
            // Neither: then the connection is given up, and that is all.
            let _unknown = connection.execute(AssertSqlSafe(mysql)).await;
        }
        Ok(MySqlLink(connection))
    }

    pub(crate) async fn run(
        &mut self,
        sql: Arc<str>,
        parameters: &[Value],
        limit: usize,
    ) -> Result<Rows, Error> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        let statement = match self.0.prepare(sql.clone()).await {
            Ok(statement) => statement,
            Err(error) if number(&error) == Some(NOT_PREPARED) && parameters.is_empty() => {
                let steps = self.0.fetch_many(sqlx::raw_sql(sql));
                return gather::<Self>(steps.boxed(), Vec::new(), limit).await;
            }
            Err(error) => return Err(Self::error(error)),
        };
        let wanted = statement.parameters().map_or(0, |parameters| {
            parameters.right_or_else(<[MySqlTypeInfo]>::len)
        });
        check_count(wanted, parameters.len(), "?")?;
        let mut arguments = MySqlArguments::default();
        for (index, value) in parameters.iter().enumerate() {
            let bound = sqlx::Arguments::add(&mut arguments, Parameter(value));
            bound.map_err(|error| in_parameter(index, &error.to_string()))?;
        }
        let columns = columns_of(&statement);
        let steps = self.0.fetch_many(sqlx::query_with(sql, arguments));
        gather::<Self>(steps, columns, limit).await
    }

    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.0.ping().await
    }

    pub(crate) async fn close(self) {
        let _ = self.0.close().await;
    }
}

impl Backend for MySqlLink {
    type Database = MySql;
    type Kind = read::Kind;

    fn kind(column: &<MySql as Database>::Column) -> Result<read::Kind, String> {
        read::kind(column.type_info())
    }

    fn read(
        row: &<MySql as Database>::Row,
        index: usize,
        kind: &read::Kind,
    ) -> Result<Value, String> {
        let stored = row.try_get_raw(index).map_err(|error| error.to_string())?;
        if stored.is_null() {
            return Ok(Value::Null);
        }
        read::read(stored, *kind)
    }

    fn done(result: &<MySql as Database>::QueryResult) -> (u64, Option<i64>) {
        let id = i64::try_from(result.last_insert_id()).ok();
        (result.rows_affected(), id.filter(|id| *id != 0))
    }

    fn error(error: sqlx::Error) -> Error {
        Error::of(error, classify)
    }
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let said = error.as_database_error()?;
    Some(said.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

fn classify(error: &dyn DatabaseError) -> ErrorKind {
    let number = error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number);
    match number {
        // A lock that was not given, a deadlock; a row that changed meanwhile.
        1205 | 1213 | 1020 => ErrorKind::Conflict,
        // max_statement_time, max_execution_time; a query that was killed.
        1969 | 3024 | 1317 => ErrorKind::DeadlineExceeded,
        // A packet beyond max_allowed_packet.
        1153 | 1301 => ErrorKind::TooLarge,
        // No free connection, shutdown, out of memory or disk, killed, who is not
        // let in, a database that is not there, read-only.
        1040 | 1041 | 1053 | 1037 | 1038 | 1021 | 1927 | 1203 | 1226 | 1045 | 1044 | 1049
        | 1698 | 1290 | 3159 => ErrorKind::Unavailable,
        1048 | 1062 | 1169 | 1216 | 1217 | 1364 | 1451 | 1452 | 1557 | 1761 | 1762 | 3819
        | 4025 => ErrorKind::Constraint,
        _ => ErrorKind::Refused,
    }
}
