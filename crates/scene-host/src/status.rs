//! How the script is doing.

use std::{fmt, time::SystemTime};

/// Which script runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptStatus {
    /// Counts the loads since the scene started, the first being 1; 0 while no
    /// script has loaded.
    pub version: u32,
    /// The first 12 hexadecimal digits of the SHA-256 of the script's source; where it
    /// imports modules of its own, of all their sources.
    pub hash: String,
    /// The commands that it serves to other nodes, in rising order.
    pub services: Vec<u16>,
    /// When that was loaded; `None` while no script has loaded.
    pub loaded_at: Option<SystemTime>,
    /// Why the last load failed, if it did. What was loaded before runs on.
    pub last_error: Option<String>,
}

/// How a reload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// Whether the new code is in force. If not, nothing has changed.
    pub ok: bool,
    /// The module that was loaded.
    pub module: String,
    /// The version of the script from now on.
    pub version: u32,
    /// As in [`ScriptStatus`].
    pub hash: String,
    /// What could not be replaced and runs on as old code, by name.
    pub kept: Vec<String>,
    /// The outcome in a line, for a person.
    pub text: String,
}

/// Why a source does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, counted in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ReloadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}
