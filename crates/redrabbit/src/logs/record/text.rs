//! Lines for people: `TIME LEVEL span{field=value}: target: message field=value`, behind
//! `NAME |` where `redrabbit up` has printed them.

use serde_json::{Map, Value};

use super::{Level, Record};
use crate::time;

/// Reads a line. One that is of no such form is a message, perhaps of a node.
pub(super) fn read(line: &str) -> Record {
    let line = without_colour(line);
    let (node, line) = match line.split_once(" |") {
        Some((name, rest)) if is_name(name.trim_end()) => {
            let name = Some(name.trim_end().to_owned());
            (name, rest.strip_prefix(' ').unwrap_or(rest))
        }
        _ => (None, line.as_str()),
    };
    let record = daemons(line).unwrap_or_else(|| Record {
        message: line.to_owned(),
        ..Record::default()
    });
    Record {
        node: node.or(record.node),
        ..record
    }
}

/// A node, or the supervisor itself.
fn is_name(text: &str) -> bool {
    text == crate::up::OWN_NAME || text.parse::<protocol::NodeName>().is_ok()
}

fn daemons(line: &str) -> Option<Record> {
    let (stamp, rest) = line.split_once(' ')?;
    let time = stamp.contains('T').then(|| time::parse(stamp))??;
    let (level, rest) = rest.trim_start().split_once(' ')?;
    let level: Level = level.parse().ok()?;
    let mut fields = Map::new();
    let rest = spans(rest, &mut fields);
    let (target, said) = match rest.split_once(": ") {
        Some((target, said)) if is_path(target) => (Some(target.to_owned()), said),
        _ => (None, rest),
    };
    let message = take_fields(said, &mut fields);
    let node = match fields.remove("node") {
        Some(Value::String(node)) => Some(node),
        _ => None,
    };
    Some(Record {
        time: Some(time),
        machine: None,
        node,
        level: Some(level),
        target,
        message: message.to_owned(),
        fields,
    })
}

/// `gate::seat`.
fn is_path(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-');
    !text.is_empty() && text.bytes().all(is_part)
}

/// What is behind the spans, whose fields are taken: `node{node=gate@0}:call{id=1}: `.
fn spans<'a>(line: &'a str, fields: &mut Map<String, Value>) -> &'a str {
    let mut rest = line;
    while let Some((name, behind)) = rest.split_once('{') {
        let Some((inside, behind)) = behind.split_once("}:") else {
            return rest;
        };
        if !is_path(name) {
            return rest;
        }
        take_fields(&format!(" {inside}"), fields);
        rest = behind;
        if let Some(behind) = rest.strip_prefix(' ') {
            return behind;
        }
    }
    rest
}

/// Takes ` name=value` from the end of a line for as long as there is such, and gives what
/// is before them.
fn take_fields<'a>(line: &'a str, fields: &mut Map<String, Value>) -> &'a str {
    let mut rest = line;
    while let Some((before, name, value)) = last_field(rest) {
        // What stands further right is nearer, and stays.
        fields
            .entry(name)
            .or_insert_with(|| Value::from(unquoted(value)));
        rest = before;
    }
    rest.trim_end()
}

fn last_field(line: &str) -> Option<(&str, &str, &str)> {
    let line = line.trim_end();
    let start = match line.strip_suffix('"') {
        // A quoted value begins behind the last `="` that is a field's.
        Some(quoted) => quoted.rfind("=\"")?,
        None => {
            let word = line.rfind(' ').map_or(0, |at| at + 1);
            word + line[word..].find('=')?
        }
    };
    let (head, value) = (&line[..start], &line[start + 1..]);
    let at = head.rfind(' ')?;
    let (before, name) = (&head[..at], &head[at + 1..]);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'#');
    (!name.is_empty() && name.bytes().all(is_name)).then_some((before, name, value))
}

fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match inner {
        // As Rust writes it, which is nearly as JSON does.
        Some(inner) => serde_json::from_str(value).unwrap_or_else(|_| inner.to_owned()),
        None => value.to_owned(),
    }
}

/// Without what changes a terminal's colours.
fn without_colour(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        let parameters = |c: char| c.is_ascii_digit() || matches!(c, ';' | ':');
        rest = behind.trim_start_matches(parameters);
        rest = rest.strip_prefix('m').unwrap_or(rest);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_up_prints_has_a_node_and_all_of_a_daemons_line() {
        let record = read(
            "gate@0    | 2026-01-02T03:04:05.500000Z  WARN node{node=gate@9}:call{call_id=7f}: \
             gate::seat: session closed session_id=\"Ann B\" reason=idle",
        );
        assert_eq!(record.node.as_deref(), Some("gate@0"));
        assert_eq!(record.level, Some(Level::Warn));
        assert_eq!(record.target.as_deref(), Some("gate::seat"));
        assert_eq!(record.message, "session closed");
        assert!(record.has(&["session_id"], "Ann B"));
        assert!(record.has(&["reason"], "idle") && record.has(&["call_id"], "7f"));
        assert_eq!(record.time, time::parse("2026-01-02T03:04:05.5Z"));
    }

    #[test]
    fn colours_are_no_part_of_a_line() {
        let line = "\u{1b}[36mscene@0 |\u{1b}[0m \u{1b}[2m2026-01-02T03:04:05Z\u{1b}[0m \
                    \u{1b}[32m INFO\u{1b}[0m \u{1b}[2mx\u{1b}[0m\u{1b}[2m:\u{1b}[0m ready \
                    \u{1b}[3mgroup\u{1b}[0m\u{1b}[2m=\u{1b}[0mGroupA";
        let record = read(line);
        assert_eq!(record.node.as_deref(), Some("scene@0"));
        assert_eq!(record.message, "ready");
        assert!(record.has(&["group"], "GroupA"));
    }

    #[test]
    fn any_other_line_is_a_message() {
        for line in ["hello", "a = b | c", "scene | no", "2026 was good", ""] {
            let record = read(line);
            assert_eq!(record.message, line);
            assert_eq!((record.node, record.time), (None, None));
        }
        let printed = read("scene@0 | Traceback (most recent call last):");
        assert_eq!(printed.node.as_deref(), Some("scene@0"));
        assert_eq!(printed.message, "Traceback (most recent call last):");
    }

    #[test]
    fn a_message_keeps_what_only_looks_like_a_field() {
        let record = read("2026-01-02T03:04:05Z INFO x: 1 + 1 = 2, or not");
        assert_eq!(record.message, "1 + 1 = 2, or not");
        assert!(record.fields.is_empty(), "{:?}", record.fields);
    }
}
