//! What can be wrong with a topology, and where.

use std::{
    cmp::Ordering,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A topology that was refused, with everything that is wrong with it.
///
/// Whoever wrote the file recovers it; a daemon can only print this and end
/// with the exit code of a bad configuration. `Display` is what a person reads
/// in a terminal: one block a mistake.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", crate::report::render(.path, .mistakes))]
pub struct TopologyError {
    path: PathBuf,
    mistakes: Vec<Mistake>,
}

/// One mistake. No field ever holds a secret.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mistake {
    /// Where it was written.
    pub place: Place,
    /// Which sort of mistake it is.
    pub problem: Problem,
    /// The key in the form that `--set` takes, such as `gates.gate@0.tcp`;
    /// empty when the file itself is at fault.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What would be right.
    pub expected: String,
    /// The nearest valid key or name, when one is near.
    pub nearest: Option<String>,
}

/// Where a mistake was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In nothing that anyone wrote: a default.
    Default,
    /// The file as a whole.
    File(Arc<Path>),
    /// A position in the file, line and column counted from 1.
    Line {
        /// The file as it was named when it was loaded.
        path: Arc<Path>,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A `--set` argument, by its key.
    Set(String),
}

/// The sorts of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// A file that cannot be read as text.
    Unreadable,
    /// A file of the other sort: a group's where a bridge's was to be read, or a
    /// bridge's where a group's was.
    WrongFile,
    /// Not TOML, or not `key=value`.
    Syntax,
    /// A key that the reference does not have.
    UnknownKey,
    /// A value of another type or outside its range.
    WrongValue,
    /// A name outside the grammar, or under the wrong section.
    BadName,
    /// A key that has no default and was not given.
    Missing,
    /// A key or a name that was given twice.
    Duplicate,
    /// Two listeners that cannot both be bound, or two keys that exclude each
    /// other.
    Clash,
    /// A name that no section declares.
    Undeclared,
    /// A master beyond loopback that admits anybody.
    Exposed,
}

impl TopologyError {
    /// `mistakes` must not be empty.
    pub(crate) fn new(path: &Path, mut mistakes: Vec<Mistake>) -> Self {
        // What the file says first is read first.
        mistakes.sort_by(|a, b| a.place.order(&b.place).then_with(|| a.key.cmp(&b.key)));
        TopologyError {
            path: path.to_owned(),
            mistakes,
        }
    }

    /// Every mistake, in the order of the file, then the environment's, then
    /// those of the arguments.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// The file that was to be loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Place {
    /// Which of two places is read first.
    pub(crate) fn order(&self, other: &Place) -> Ordering {
        let rank = |place: &Place| match place {
            Place::Default => (0, 0, 0),
            Place::File(_) => (1, 0, 0),
            Place::Line { line, column, .. } => (2, *line, *column),
            Place::Environment(_) => (3, 0, 0),
            Place::Set(_) => (4, 0, 0),
        };
        rank(self).cmp(&rank(other))
    }

    /// The place as another mistake's text names it, when both are in the
    /// same file.
    pub(crate) fn briefly(&self) -> String {
        match self {
            Place::Line { line, .. } => format!("line {line}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Default => f.write_str("default"),
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Line { path, line, column } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Place::Environment(name) => write!(f, "environment variable {name}"),
            Place::Set(key) => write!(f, "--set {key}"),
        }
    }
}
