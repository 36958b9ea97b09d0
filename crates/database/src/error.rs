//! Why a statement was not carried out.

use std::fmt;

/// What went wrong, for whoever has to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The database cannot be reached, the connection to it broke (the statement
    /// may have been carried out or not), or it is closed. Try again later.
    Unavailable,
    /// There was no connection, or no result, in time.
    DeadlineExceeded,
    /// As many statements as may wait do so already.
    Overloaded,
    /// The result is larger than a result may be: ask for less.
    TooLarge,
    /// The database does not carry out this statement, or a value of it cannot be
    /// said to, or by, the database: the statement has to be changed.
    Refused,
    /// A constraint was violated: a key that is there already, a reference to
    /// nothing, a value that is missing.
    Constraint,
    /// Another transaction was in the way (a deadlock, a lock that was not given):
    /// do all of this transaction again.
    Conflict,
}

impl ErrorKind {
    /// As scripts see it.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::DeadlineExceeded => "deadline_exceeded",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Refused => "refused",
            ErrorKind::Constraint => "constraint",
            ErrorKind::Conflict => "conflict",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a statement was not carried out; the text is the database's own where it has
/// said something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What can be done about it.
    pub kind: ErrorKind,
    /// What went wrong, for people.
    pub message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Refused, message)
    }

    pub(crate) fn nothing() -> Self {
        Error::refused("there is no statement")
    }

    pub(crate) fn closed() -> Self {
        Error::new(ErrorKind::Unavailable, "the database was closed")
    }

    /// Whether the connection can be used after it.
    pub(crate) fn spares_connection(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Refused | ErrorKind::Constraint | ErrorKind::Conflict
        )
    }

    /// What `sqlx` says; `classify` knows the codes of the database.
    pub(crate) fn of(
        error: sqlx::Error,
        classify: impl FnOnce(&dyn sqlx::error::DatabaseError) -> ErrorKind,
    ) -> Self {
        match error {
            sqlx::Error::Database(said) => Error::new(classify(&*said), said.message()),
            sqlx::Error::Encode(error) | sqlx::Error::Decode(error) => {
                Error::refused(error.to_string())
            }
            sqlx::Error::ColumnDecode { index, source } => {
                Error::refused(format!("column {index}: {source}"))
            }
            sqlx::Error::InvalidArgument(text) => Error::refused(text),
            sqlx::Error::Io(error) => Error::new(
                ErrorKind::Unavailable,
                format!("no connection to the database: {error}"),
            ),
            error => Error::new(ErrorKind::Unavailable, error.to_string()),
        }
    }

    /// Without a text that nobody may see.
    pub(crate) fn without(mut self, password: &str) -> Self {
        // Where it is so short, what is found is another word.
        if password.len() >= 4 && self.message.contains(password) {
            self.message = self.message.replace(password, "***");
        }
        self
    }
}
