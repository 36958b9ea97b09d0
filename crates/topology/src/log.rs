//! What is logged, and how.

use std::str::FromStr;

use crate::{layer::KeyPath, settings::Settings};

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level and others for parts of a program: `info,gate=debug`.
    pub level: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
    /// Fields, to the journal of systemd.
    Journald,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            "journald" => Ok(LogFormat::Journald),
            _ => Err(()),
        }
    }
}

pub(crate) fn assemble(settings: &Settings) -> Option<Log> {
    Some(Log {
        level: settings.text(&KeyPath::new(["log", "level"]))?,
        format: settings.text(&KeyPath::new(["log", "format"]))?,
    })
}
