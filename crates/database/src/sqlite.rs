//! SQLite: what its values are, and how a statement of it is ended.
//!
//! SQLite has integers, floats, text and bytes. What goes in as something else is
//! stored as text (`2024-02-29 07:05:09`, a decimal's digits, a JSON document, a
//! UUID) or, a bool, as 0 or 1. It comes out as it is stored, but for columns that
//! were declared as `BOOLEAN`, `DATE`, `TIME`, `DATETIME` or `TIMESTAMP`: what such
//! a column holds is read as that, if it can be.
//!
//! Placeholders are `?`, or `?1`, `?2`.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Database, Decode, Encode, Executor, Row,
    SqlSafeStr, Sqlite, SqliteConnection, Statement, Type, TypeInfo, ValueRef,
    encode::IsNull,
    error::{BoxDynError, DatabaseError},
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteStatement,
        SqliteSynchronous, SqliteTypeInfo, SqliteValueRef,
    },
};

use crate::{
    Date, DateTime, Error, ErrorKind, Rows, Time, Value,
    gather::{Backend, check_count, columns_of, gather, in_parameter},
    statement::is_several,
    url::File,
};

/// A connection, and the hand that ends its statements.
pub(crate) struct Sqlite3 {
    connection: SqliteConnection,
    pub(crate) watch: Watch,
    /// Whether a transaction has been rolled back, by whatever: a statement's
    /// `OR ROLLBACK` does it as well.
    rolled_back: Arc<AtomicBool>,
    /// What is known of statements: how many placeholders each has, and whether it
    /// has columns.
    known: HashMap<Arc<str>, (usize, bool)>,
}

/// When the statement that runs is interrupted: milliseconds after [`START`], or
/// never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<AtomicU64>);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Watch {
    const EVERY: i32 = 1_000;

    pub(crate) fn set(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(*START).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX).max(1);
        self.0.store(left, Ordering::Relaxed);
    }

    /// At once.
    pub(crate) fn interrupt(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            0 => false,
            limit => START.elapsed() >= Duration::from_millis(limit),
        }
    }
}

impl Sqlite3 {
    /// How many statements are remembered.
    const KNOWN: usize = 256;

    pub(crate) async fn connect(file: &File, timeout: Duration) -> Result<Self, Error> {
        let mut options = SqliteConnectOptions::new()
            .disable_statement_logging()
            // A lock that is not given is told before the statement's time is over.
            .busy_timeout((timeout / 2).min(Duration::from_secs(5)))
            .command_buffer_size(16)
            // One that is kept does not notice that its table has changed.
            .statement_cache_capacity(0)
            // Rows may be large.
            .row_buffer_size(4);
        options = match &file.path {
            None => options.filename(":memory:").in_memory(true),
            Some(path) if file.read_only => options.filename(path).read_only(true),
            Some(path) => options
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal),
        };
        let opened = options.connect().await.map_err(|error| {
            let mut error = Self::error(error);
            error.kind = ErrorKind::Unavailable;
            if let Some(path) = &file.path {
                error.message = format!("cannot open {}: {}", path.display(), error.message);
            }
            error
        });
        let mut connection = opened?;
        let watch = Watch::default();
        let seen = watch.clone();
        let rolled_back = Arc::new(AtomicBool::new(false));
        let told = rolled_back.clone();
        let mut handle = connection.lock_handle().await.map_err(Self::error)?;
        handle.set_progress_handler(Watch::EVERY, move || !seen.is_over());
        handle.set_rollback_hook(move || told.store(true, Ordering::Relaxed));
        drop(handle);
        Ok(Sqlite3 {
            connection,
            watch,
            rolled_back,
            known: HashMap::new(),
        })
    }

    pub(crate) async fn run(
        &mut self,
        sql: Arc<str>,
        parameters: &[Value],
        limit: usize,
    ) -> Result<Rows, Error> {
        let (wanted, has_columns) = match self.known.get(&sql) {
            Some(known) => *known,
            None => self.learn(&sql).await?,
        };
        check_count(wanted, parameters.len(), "?")?;
        let mut arguments = SqliteArguments::default();
        for (index, value) in parameters.iter().enumerate() {
            bind(&mut arguments, value).map_err(|why| in_parameter(index, &why))?;
        }
        let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments);
        let steps = self.connection.fetch_many(query);
        let mut rows = gather::<Self>(steps, Vec::new(), limit).await?;
        if has_columns && rows.rows.is_empty() {
            rows.columns = columns_of(&self.prepare(sql.clone()).await?);
        }
        // SQLite goes on telling of the row that was inserted last on the connection,
        // whoever has inserted it.
        if rows.affected == 0 || !is_insert(&sql) {
            rows.last_id = None;
        }
        Ok(rows)
    }

    /// A transaction has begun.
    pub(crate) fn set_open(&self) {
        self.rolled_back.store(false, Ordering::Relaxed);
    }

    /// Whether the transaction that has begun last was rolled back.
    pub(crate) fn is_rolled_back(&self) -> bool {
        self.rolled_back.load(Ordering::Relaxed)
    }

    async fn prepare(&mut self, sql: Arc<str>) -> Result<SqliteStatement, Error> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        self.connection.prepare(sql).await.map_err(Self::error)
    }

    async fn learn(&mut self, sql: &Arc<str>) -> Result<(usize, bool), Error> {
        if is_several(sql) {
            return Err(Error::refused(
                "a text with several statements: give them one by one, in a transaction if they \
                 belong together",
            ));
        }
        let statement = self.prepare(sql.clone()).await?;
        let wanted = statement.parameters().map_or(0, |parameters| {
            parameters.right_or_else(<[SqliteTypeInfo]>::len)
        });
        let known = (wanted, !statement.columns().is_empty());
        if self.known.len() >= Self::KNOWN {
            self.known.clear();
        }
        self.known.insert(sql.clone(), known);
        Ok(known)
    }

    /// Returns when whatever runs has ended.
    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.connection.ping().await
    }

    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }
}

impl Backend for Sqlite3 {
    type Database = Sqlite;
    type Kind = Declared;

    fn kind(column: &<Sqlite as Database>::Column) -> Result<Declared, String> {
        Ok(match column.type_info().name() {
            "BOOLEAN" => Declared::Bool,
            "DATE" => Declared::Date,
            "TIME" => Declared::Time,
            "DATETIME" => Declared::DateTime,
            _ => Declared::Other,
        })
    }

    fn read(
        row: &<Sqlite as Database>::Row,
        index: usize,
        kind: &Declared,
    ) -> Result<Value, String> {
        let stored = row.try_get_raw(index).map_err(|error| error.to_string())?;
        if stored.is_null() {
            return Ok(Value::Null);
        }
        Ok(match stored.type_info().name() {
            "INTEGER" => match (decode::<i64>(stored)?, kind) {
                (0, Declared::Bool) => Value::Bool(false),
                (1, Declared::Bool) => Value::Bool(true),
                (number, _) => Value::Int(number),
            },
            "REAL" => Value::Float(decode(stored)?),
            "BLOB" => Value::Bytes(decode(stored)?),
            _ => {
                let said: &str = decode(stored)?;
                let read = match kind {
                    Declared::Date => Date::parse(said).map(Value::Date),
                    Declared::Time => Time::parse(said).map(Value::Time),
                    Declared::DateTime => DateTime::parse(said).map(Value::DateTime),
                    Declared::Bool | Declared::Other => None,
                };
                read.unwrap_or_else(|| Value::Text(said.to_owned()))
            }
        })
    }

    fn done(result: &<Sqlite as Database>::QueryResult) -> (u64, Option<i64>) {
        let id = result.last_insert_rowid();
        (result.rows_affected(), (id != 0).then_some(id))
    }

    fn error(error: sqlx::Error) -> Error {
        let mut error = Error::of(error, classify);
        if error.kind == ErrorKind::DeadlineExceeded {
            error.message = "the statement took too long, and was interrupted".to_owned();
        }
        error
    }
}

/// What a column was declared as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Declared {
    Bool,
    Date,
    Time,
    DateTime,
    Other,
}

fn decode<'r, T: Decode<'r, Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, String> {
    T::decode(value).map_err(|error| error.to_string())
}

fn bind(arguments: &mut SqliteArguments, value: &Value) -> Result<(), String> {
    use sqlx::Arguments;

    let bound = match value {
        Value::Null => arguments.add(Null),
        Value::Bool(value) => arguments.add(*value),
        Value::Int(value) => arguments.add(*value),
        Value::Float(value) => arguments.add(*value),
        Value::Bytes(value) => arguments.add(value.clone()),
        Value::Text(text) | Value::Json(text) | Value::Decimal(text) => arguments.add(text.clone()),
        Value::Date(date) => arguments.add(date.to_string()),
        Value::Time(time) => arguments.add(time.to_string()),
        Value::DateTime(moment) => arguments.add(moment.to_string()),
        Value::Uuid(bytes) => arguments.add(crate::connection::uuid_text(bytes)),
        Value::Unsigned(_) => {
            return Err("SQLite has no whole numbers beyond 2**63 - 1: bind text".to_owned());
        }
        Value::Duration(_) => {
            return Err("SQLite has no durations: bind the seconds as a number".to_owned());
        }
    };
    bound.map_err(|error| error.to_string())
}

/// NULL, whatever its type.
struct Null;

impl Type<Sqlite> for Null {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Null {
    fn encode_by_ref(
        &self,
        _: &mut <Sqlite as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// Whether a statement's first word says that it inserts rows.
fn is_insert(sql: &str) -> bool {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let end = if rest.starts_with("--") {
            "\n"
        } else if rest.starts_with("/*") {
            "*/"
        } else {
            break;
        };
        rest = rest.split_once(end).map_or("", |(_, behind)| behind);
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic());
    let word = &rest[..end.unwrap_or(rest.len())];
    ["INSERT", "REPLACE"]
        .iter()
        .any(|insert| word.eq_ignore_ascii_case(insert))
}

fn classify(error: &dyn DatabaseError) -> ErrorKind {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    // The lower byte is the kind, the others say more.
    match code.unwrap_or(1) & 0xFF {
        // BUSY, LOCKED.
        5 | 6 => ErrorKind::Conflict,
        // NOMEM, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, TOOBIG, CONSTRAINT.
        9 => ErrorKind::DeadlineExceeded,
        7 | 10 | 11 | 13 | 14 | 26 => ErrorKind::Unavailable,
        18 => ErrorKind::TooLarge,
        19 => ErrorKind::Constraint,
        _ => ErrorKind::Refused,
    }
}
