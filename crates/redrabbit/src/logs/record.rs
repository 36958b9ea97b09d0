//! A line of a log, in whichever form it was written.

mod json;
mod text;

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::time::Micros;

/// What is known of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    /// When it was written.
    pub(super) time: Option<Micros>,
    /// Where, if the line says it.
    pub(super) machine: Option<String>,
    /// By whom.
    pub(super) node: Option<String>,
    pub(super) level: Option<Level>,
    /// The part of the program.
    pub(super) target: Option<String>,
    pub(super) message: String,
    /// Everything else. What stands around the line, its spans, is in there too.
    pub(super) fields: Map<String, Value>,
}

/// How grave a line is, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something has happened.
    Info,
    /// For those who look for a fault.
    Debug,
    /// All there is.
    Trace,
}

impl Record {
    /// Reads a line, without its end. A line of no form is a message.
    pub(super) fn read(line: &str) -> Record {
        json::read(line).unwrap_or_else(|| text::read(line))
    }

    /// Whether one of the fields of these names has this value.
    pub(super) fn has(&self, names: &[&str], value: &str) -> bool {
        names.iter().any(|name| {
            let found = self.fields.get(*name);
            found.is_some_and(|found| match found {
                Value::String(found) => found == value,
                // A number may be asked for as it is written.
                found => serde_json::from_str(value).is_ok_and(|value: Value| value == *found),
            })
        })
    }
}

impl Level {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }

    /// As syslog counts them, from 0 for the gravest.
    fn of_priority(priority: u64) -> Level {
        match priority {
            0..=3 => Level::Error,
            4 => Level::Warn,
            5 | 6 => Level::Info,
            _ => Level::Debug,
        }
    }
}

impl FromStr for Level {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Level, Self::Err> {
        let levels = [
            Level::Error,
            Level::Warn,
            Level::Info,
            Level::Debug,
            Level::Trace,
        ];
        let found = levels
            .into_iter()
            .find(|level| text.eq_ignore_ascii_case(level.as_str()));
        found.ok_or("expected error, warn, info, debug or trace")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_field_is_found_whatever_its_type() {
        let record = Record::read(r#"{"message":"x","session_id":"Ann","login":7}"#);
        assert!(record.has(&["session", "session_id"], "Ann"));
        assert!(record.has(&["login"], "7"));
        assert!(!record.has(&["session_id"], "An"));
        assert!(!record.has(&["call_id"], ""));
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(line in ".{0,200}") {
            let _ = Record::read(&line);
        }

        #[test]
        fn nor_is_any_object(
            line in r#"\{("(timestamp|MESSAGE|PRIORITY|node|span|spans|__REALTIME_TIMESTAMP|message|time|fields)":("[^"\\]{0,9}"|[0-9]{1,9}|null|\[1,2\]|\{"name":1\}),?){0,4}\}"#,
        ) {
            let _ = Record::read(&line);
        }
    }
}
