//! A line as people and programs read it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::record::{Level, Record};
use crate::{names::printable, time};

/// How lines are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) json: bool,
    pub(super) colour: bool,
}

/// As wide as most names are.
const NODE: usize = 9;

/// Where messages begin.
const INDENT: usize = 23 + 2 + NODE + 2 + 5 + 2;

impl Shown {
    /// A line with its end.
    pub(super) fn line(self, record: &Record) -> String {
        match self.json {
            true => format!("{}\n", to_json(record)),
            false => self.to_text(record),
        }
    }

    fn to_text(self, record: &Record) -> String {
        let time = match record.time {
            // Milliseconds are enough for people.
            Some(time) => time::to_text(time).replace('T', " ")[..23].to_owned(),
            None => format!("{:23}", ""),
        };
        let node = match (&record.machine, &record.node) {
            (Some(machine), Some(node)) => format!("{machine} {node}"),
            (None, Some(one)) | (Some(one), None) => one.clone(),
            (None, None) => String::new(),
        };
        let (level, style) = match record.level {
            Some(Level::Error) => ("ERROR", AnsiColor::Red.on_default().bold()),
            Some(Level::Warn) => ("WARN", AnsiColor::Yellow.on_default()),
            Some(Level::Info) => ("INFO", AnsiColor::Green.on_default()),
            Some(Level::Debug) => ("DEBUG", AnsiColor::Blue.on_default()),
            Some(Level::Trace) => ("TRACE", AnsiColor::Magenta.on_default()),
            None => ("", Style::new()),
        };
        let dim = Style::new().dimmed();
        let time = self.paint(dim, &time);
        let level = self.paint(style, &format!("{level:5}"));
        let node = format!("{:NODE$}", printable(&node));
        let mut text = format!("{time}  {node}  {level}  {}", printable(&record.message));
        let mut below = String::new();
        for (name, value) in &record.fields {
            if let Some(lines) = value.as_str().filter(|text| text.contains('\n')) {
                below.push_str(&self.lines(lines));
                continue;
            }
            let field = format!("{}={}", printable(name), shown(value));
            // Writing to a string cannot fail.
            let _ = write!(text, " {}", self.paint(dim, &field));
        }
        text.truncate(text.trim_end().len());
        text + "\n" + &below
    }

    /// A text of several lines, below its own.
    fn lines(self, text: &str) -> String {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.map(|line| {
            let line = self.paint(Style::new().dimmed(), &printable(line));
            format!("{:INDENT$}{line}\n", "")
        });
        lines.collect()
    }

    fn paint(self, style: Style, text: &str) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

fn to_json(record: &Record) -> Value {
    json!({
        "time": record.time.map(time::to_text),
        "machine": record.machine,
        "node": record.node,
        "level": record.level.map(Level::as_str),
        "target": record.target,
        "message": record.message,
        "fields": record.fields,
    })
}

/// A word as it is, anything else so that its end is seen.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if is_word(text) => text.clone(),
        value => printable(&value.to_string()),
    }
}

fn is_word(text: &str) -> bool {
    let is_odd = |one: char| one.is_whitespace() || one.is_control() || one == '"';
    !text.is_empty() && !text.contains(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Shown = Shown {
        json: false,
        colour: false,
    };

    #[test]
    fn a_line_has_when_who_how_grave_and_what() {
        let line = r#"{"timestamp":"2026-01-02T03:04:05.6789Z","node":"gate@0","level":"WARN","target":"gate","message":"session closed","session_id":"Ann B","reason":"idle"}"#;
        let record = Record::read(line);
        assert_eq!(
            PLAIN.line(&record),
            "2026-01-02 03:04:05.678  gate@0     WARN   session closed reason=idle \
             session_id=\"Ann B\"\n"
        );
        let traceback = Record::read("scene@0 | Trace\u{7}back");
        assert_eq!(
            PLAIN.line(&traceback),
            format!("{:23}  scene@0           Traceback\n", "")
        );
    }

    #[test]
    fn a_field_of_several_lines_stands_below() {
        let record = Record::read(r#"{"message":"script failed","at":"a\n\n  b\n","x":1}"#);
        let indent = " ".repeat(INDENT);
        let expected = format!("{indent}script failed x=1\n{indent}a\n{indent}  b\n");
        assert_eq!(PLAIN.line(&record), expected);
    }

    #[test]
    fn what_is_printed_for_programs_is_read_again_as_it_was() {
        let shown = Shown {
            json: true,
            colour: false,
        };
        for line in [
            r#"{"timestamp":"2026-01-02T03:04:05Z","node":"gate@0","level":"WARN","message":"a","x":1}"#,
            r#"{"__REALTIME_TIMESTAMP":"7","_HOSTNAME":"m","MESSAGE":"b","PRIORITY":"3"}"#,
            "2026-01-02T03:04:05Z INFO x: words session_id=Ann",
        ] {
            let record = Record::read(line);
            assert_eq!(Record::read(shown.line(&record).trim_end()), record);
        }
    }
}
