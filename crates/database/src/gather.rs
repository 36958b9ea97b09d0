//! From the stream of a statement's results to all of its rows.

use std::fmt;

use futures_util::{Stream, StreamExt};
use sqlx::{Column, Database, Either, Row, Statement};
use tokio::sync::OwnedSemaphorePermit;

use crate::{Error, ErrorKind, Value, value};

/// What a statement has returned.
#[derive(PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows; each has as many values as there are columns.
    pub rows: Vec<Vec<Value>>,
    /// How many rows the statement has changed; to some databases, a `SELECT`
    /// changes as many as it returns.
    pub affected: u64,
    /// The id that the database gave to the row that was inserted last, where it
    /// says so by itself (PostgreSQL does not: use `RETURNING id`).
    pub last_id: Option<i64>,
    /// About how many bytes all of it takes.
    pub(crate) bytes: usize,
    /// A part of what results may take together.
    pub(crate) room: Room,
}

/// Given back when the rows are dropped.
#[derive(Debug, Default)]
pub(crate) struct Room {
    _held: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(crate) fn new(held: OwnedSemaphorePermit) -> Self {
        Room { _held: Some(held) }
    }
}

impl PartialEq for Room {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Values are nobody's business: they may be passwords.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("columns", &self.columns)
            .field("rows", &self.rows.len())
            .field("affected", &self.affected)
            .field("last_id", &self.last_id)
            .finish()
    }
}

/// What is particular to a database.
pub(crate) trait Backend {
    type Database: Database<Row: Row<Database = Self::Database>>;
    /// How a column is read.
    type Kind: Send;

    fn kind(column: &<Self::Database as Database>::Column) -> Result<Self::Kind, String>;

    fn read(
        row: &<Self::Database as Database>::Row,
        index: usize,
        kind: &Self::Kind,
    ) -> Result<Value, String>;

    /// How many rows were changed, and the last id.
    fn done(result: &<Self::Database as Database>::QueryResult) -> (u64, Option<i64>);

    fn error(error: sqlx::Error) -> Error;
}

/// A result of a statement: rows, then how it went.
pub(crate) type Step<B> = Result<
    Either<
        <<B as Backend>::Database as Database>::QueryResult,
        <<B as Backend>::Database as Database>::Row,
    >,
    sqlx::Error,
>;

/// Reads everything, as long as it is not more than `limit` bytes. Of several
/// results the last one with rows counts.
pub(crate) async fn gather<B: Backend>(
    mut steps: impl Stream<Item = Step<B>> + Unpin,
    columns: Vec<String>,
    limit: usize,
) -> Result<Rows, Error> {
    let mut kinds: Option<Vec<B::Kind>> = None;
    let mut all = Rows {
        columns,
        rows: Vec::new(),
        affected: 0,
        last_id: None,
        bytes: 0,
        room: Room::default(),
    };
    let mut room = limit;
    // Whether the statement has ended, and whether any has.
    let (mut is_done, mut has_ended) = (false, false);
    while let Some(step) = steps.next().await {
        let row = match step.map_err(B::error)? {
            Either::Left(result) => {
                let (affected, last_id) = B::done(&result);
                all.affected = affected;
                all.last_id = last_id.or(all.last_id);
                (is_done, has_ended) = (true, true);
                continue;
            }
            Either::Right(row) => row,
        };
        if is_done {
            // Another statement's.
            is_done = false;
            kinds = None;
            all.rows.clear();
            room = limit;
        }
        let kinds = match &mut kinds {
            Some(kinds) => kinds,
            none => {
                all.columns = names(row.columns());
                none.insert(read_kinds::<B>(row.columns())?)
            }
        };
        let values = read_row::<B>(&row, kinds, &all.columns)?;
        let size = size_of::<Vec<Value>>() + values.iter().map(Value::size).sum::<usize>();
        room = room.checked_sub(size).ok_or_else(|| too_large(limit))?;
        all.rows.push(values);
    }
    all.bytes = limit - room;
    if !has_ended {
        // Whoever reads for SQLite ends like that when it fails.
        return Err(Error::new(
            ErrorKind::Unavailable,
            "the database has not said how the statement went",
        ));
    }
    Ok(all)
}

/// The names of a statement's columns before it has run.
pub(crate) fn columns_of<'s, S: Statement>(statement: &'s S) -> Vec<String>
where
    S::Database: Database<Column: 's>,
{
    names(statement.columns())
}

fn names<C: Column>(columns: &[C]) -> Vec<String> {
    columns
        .iter()
        .map(|column| column.name().to_owned())
        .collect()
}

fn read_kinds<B: Backend>(
    columns: &[<B::Database as Database>::Column],
) -> Result<Vec<B::Kind>, Error> {
    columns
        .iter()
        .map(|column| B::kind(column).map_err(|why| in_column(column.name(), &why)))
        .collect()
}

fn read_row<B: Backend>(
    row: &<B::Database as Database>::Row,
    kinds: &[B::Kind],
    columns: &[String],
) -> Result<Vec<value::Value>, Error> {
    let values = kinds.iter().enumerate().map(|(index, kind)| {
        B::read(row, index, kind)
            .map_err(|why| in_column(columns.get(index).map_or("", String::as_str), &why))
    });
    values.collect()
}

fn in_column(name: &str, why: &str) -> Error {
    Error::refused(format!("column {name:?}: {why}"))
}

fn too_large(limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "the result is larger than {} MiB: ask for fewer rows, with LIMIT, or fewer columns",
            limit >> 20
        ),
    )
}

/// Whether as many parameters were given as a statement has placeholders.
pub(crate) fn check_count(wanted: usize, given: usize, placeholder: &str) -> Result<(), Error> {
    if wanted == given {
        return Ok(());
    }
    Err(Error::refused(format!(
        "the statement has {wanted} placeholders ({placeholder}) and was given {given} parameters"
    )))
}

/// Why a parameter was not bound.
pub(crate) fn in_parameter(index: usize, why: &str) -> Error {
    Error::refused(format!("parameter {}: {why}", index + 1))
}
