//! PostgreSQL: what its values are.
//!
//! The server says which type each placeholder has, as it understood the statement;
//! a value that is not of that type is refused with what to write instead. A
//! `timestamptz` is a moment, a `timestamp` is not (a moment that is bound to one is
//! told in UTC), an `interval` without months is a duration, `json` and `jsonb` are
//! documents. Enumerations are text.
//!
//! Placeholders are `$1`, `$2`.

mod read;
mod write;

use std::{sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Database, Executor, PgConnection, Postgres,
    Row, SqlSafeStr, Statement, Type, ValueRef,
    encode::{Encode, IsNull},
    error::{BoxDynError, DatabaseError},
    postgres::{
        PgArgumentBuffer, PgArguments, PgConnectOptions, PgSslMode, PgTypeInfo, PgTypeKind,
    },
};

use crate::{
    Error, ErrorKind, Rows, Value,
    gather::{Backend, check_count, columns_of, gather, in_parameter},
    url::{Server, Tls},
};

/// A connection.
pub(crate) struct PgLink(PgConnection);

/// Why a statement was not carried out.
enum Failure {
    /// It may be because it was prepared before a table changed.
    Stale(Error),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.message.contains(STALE_PLAN) {
            Failure::Stale(error)
        } else {
            Failure::Other(error)
        }
    }
}

/// What `ALTER TABLE` makes of a statement that was prepared before.
const STALE_PLAN: &str = "cached plan must not change result type";

impl PgLink {
    pub(crate) async fn connect(server: &Server, timeout: Duration) -> Result<Self, Error> {
        let millis = timeout.as_millis().max(1).to_string();
        let mut options = PgConnectOptions::new_without_pgpass()
            .disable_statement_logging()
            .host(&server.host)
            .port(server.port)
            .username(&server.user)
            .password(server.password.expose())
            .database(if server.database.is_empty() {
                &server.user
            } else {
                &server.database
            })
            .application_name("redrabbit")
            // The server ends what takes longer.
            .options([("statement_timeout", millis.as_str())])
            .ssl_mode(match server.tls {
                Tls::Off => PgSslMode::Disable,
                Tls::Preferred => PgSslMode::Prefer,
                Tls::Required => PgSslMode::Require,
                Tls::VerifyCa => PgSslMode::VerifyCa,
                Tls::VerifyFull => PgSslMode::VerifyFull,
            });
        if let Some(ca) = &server.tls_ca {
            options = options.ssl_root_cert(ca);
        }
        let connection = options.connect().await.map_err(Self::error)?;
        Ok(PgLink(connection))
    }

    pub(crate) async fn run(
        &mut self,
        sql: Arc<str>,
        parameters: &[Value],
        limit: usize,
    ) -> Result<Rows, Error> {
        match self.run_once(sql.clone(), parameters, limit).await {
            Err(Failure::Stale(_)) => {
                self.0
                    .clear_cached_statements()
                    .await
                    .map_err(Self::error)?;
                let again = self.run_once(sql, parameters, limit).await;
                again.map_err(|(Failure::Stale(error) | Failure::Other(error))| error)
            }
            Err(Failure::Other(error)) => Err(error),
            Ok(rows) => Ok(rows),
        }
    }

    async fn run_once(
        &mut self,
        sql: Arc<str>,
        parameters: &[Value],
        limit: usize,
    ) -> Result<Rows, Failure> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        let statement = self.0.prepare(sql.clone()).await.map_err(Self::error)?;
        let types = statement.parameters().and_then(sqlx::Either::left);
        let types = types.unwrap_or_default();
        check_count(types.len(), parameters.len(), "$1, $2, …")?;
        let mut arguments = PgArguments::default();
        for (index, (value, ty)) in parameters.iter().zip(types).enumerate() {
            let wire = write::write(value, ty).map_err(|why| {
                // Its column may have had another type when it was prepared.
                Failure::Stale(in_parameter(index, &why))
            })?;
            sqlx::Arguments::add(&mut arguments, Wire(wire, ty.clone()))
                .map_err(|error| in_parameter(index, &error.to_string()))?;
        }
        let columns = columns_of(&statement);
        let steps = self.0.fetch_many(sqlx::query_with(sql, arguments));
        Ok(gather::<Self>(steps, columns, limit).await?)
    }

    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.0.ping().await
    }

    pub(crate) async fn close(self) {
        let _ = self.0.close().await;
    }
}

impl Backend for PgLink {
    type Database = Postgres;
    type Kind = read::Kind;

    fn kind(column: &<Postgres as Database>::Column) -> Result<read::Kind, String> {
        read::kind(column.type_info())
    }

    fn read(
        row: &<Postgres as Database>::Row,
        index: usize,
        kind: &read::Kind,
    ) -> Result<Value, String> {
        let stored = row.try_get_raw(index).map_err(|error| error.to_string())?;
        if stored.is_null() {
            return Ok(Value::Null);
        }
        let bytes = stored.as_bytes().map_err(|error| error.to_string())?;
        read::read(bytes, *kind)
    }

    fn done(result: &<Postgres as Database>::QueryResult) -> (u64, Option<i64>) {
        (result.rows_affected(), None)
    }

    fn error(error: sqlx::Error) -> Error {
        Error::of(error, classify)
    }
}

/// What stands behind a domain.
pub(crate) fn base(ty: &PgTypeInfo) -> &PgTypeInfo {
    match ty.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => ty,
    }
}

/// A value as the server has it; none is NULL.
struct Wire(Option<Vec<u8>>, PgTypeInfo);

impl Type<Postgres> for Wire {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Wire {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.1.clone())
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(bytes) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        buffer.extend_from_slice(bytes);
        Ok(IsNull::No)
    }
}

fn classify(error: &dyn DatabaseError) -> ErrorKind {
    let code = error.code().unwrap_or_default();
    match &*code {
        // Serialization, deadlock, a lock that was not given.
        "40001" | "40P01" | "55P03" => ErrorKind::Conflict,
        "57014" => ErrorKind::DeadlineExceeded,
        // Out of memory for one request.
        "54000" | "54P01" => ErrorKind::TooLarge,
        code => match code.get(..2) {
            // Constraints.
            Some("23") => ErrorKind::Constraint,
            // Connection, who is let in, no such database, resources, an operator's
            // intervention, the system.
            Some("08" | "28" | "3D" | "53" | "57" | "58" | "XX") => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        },
    }
}
