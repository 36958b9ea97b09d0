//! Lines that are objects: of daemons, of the journal, of this command itself.

use serde_json::{Map, Value};

use super::{Level, Record};
use crate::time::{self, Micros};

/// What the record has in places of its own.
const OWN: [&str; 8] = [
    "timestamp",
    "level",
    "message",
    "target",
    "node",
    "machine",
    "span",
    "spans",
];

/// Reads an object; nothing of a line that is none.
pub(super) fn read(line: &str) -> Option<Record> {
    if !line.starts_with('{') {
        return None;
    }
    let object: Map<String, Value> = serde_json::from_str(line).ok()?;
    Some(if object.contains_key("__REALTIME_TIMESTAMP") {
        of_journal(&object)
    } else if object.get("fields").is_some_and(Value::is_object) && object.contains_key("time") {
        own(object)
    } else {
        of_daemon(object)
    })
}

/// What this command has printed.
fn own(mut object: Map<String, Value>) -> Record {
    let fields = match object.remove("fields") {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    Record {
        time: text(&object, "time").and_then(time::parse),
        machine: text(&object, "machine").map(str::to_owned),
        node: text(&object, "node").map(str::to_owned),
        level: text(&object, "level").and_then(|level| level.parse().ok()),
        target: text(&object, "target").map(str::to_owned),
        message: text(&object, "message").unwrap_or_default().to_owned(),
        fields,
    }
}

/// What a daemon has written, perhaps by way of `redrabbit up`.
fn of_daemon(mut object: Map<String, Value>) -> Record {
    let mut fields = Map::new();
    // The innermost span is the last of them, and the line's own fields count most.
    if let Some(Value::Array(spans)) = object.get("spans") {
        spans.iter().for_each(|span| take_span(span, &mut fields));
    }
    if let Some(span) = object.get("span") {
        take_span(span, &mut fields);
    }
    let of_span = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let record = Record {
        time: text(&object, "timestamp").and_then(time::parse),
        machine: text(&object, "machine").map(str::to_owned),
        node: text(&object, "node").map(str::to_owned).or(of_span("node")),
        level: text(&object, "level").and_then(|level| level.parse().ok()),
        target: text(&object, "target").map(str::to_owned),
        message: text(&object, "message").unwrap_or_default().to_owned(),
        fields: Map::new(),
    };
    fields.remove("node");
    for name in OWN {
        object.remove(name);
    }
    fields.append(&mut object);
    Record { fields, ..record }
}

/// All but its name, which is no field.
fn take_span(span: &Value, fields: &mut Map<String, Value>) {
    if let Value::Object(span) = span {
        let taken = span.iter().filter(|(name, _)| *name != "name");
        fields.extend(taken.map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// What `journalctl -o json` prints. The message may be a line of a form of its own: of a
/// daemon that logs to its standard error.
fn of_journal(object: &Map<String, Value>) -> Record {
    let said = message(object.get("MESSAGE"));
    let mut record = match text(object, "TARGET") {
        // Sent to the journal in fields.
        Some(target) => Record {
            target: Some(target.to_owned()),
            message: said,
            ..Record::default()
        },
        None => Record::read_plain(&said),
    };
    let stamp = text(object, "_SOURCE_REALTIME_TIMESTAMP")
        .or_else(|| text(object, "__REALTIME_TIMESTAMP"))
        .and_then(|stamp| stamp.parse::<Micros>().ok());
    record.time = record.time.or(stamp);
    record.machine = text(object, "_HOSTNAME").map(str::to_owned);
    // What systemd itself says of a unit is of its own unit, and has that in the other.
    let units = ["_SYSTEMD_UNIT", "UNIT"].into_iter();
    let node = units
        .filter_map(|name| text(object, name))
        .find_map(node_of);
    record.node = node.or(record.node);
    let priority = text(object, "PRIORITY").and_then(|text| text.parse().ok());
    // What a daemon writes to its standard error is "info" for the journal, all of it.
    record.level = record.level.or(priority.map(Level::of_priority));
    for (name, value) in object {
        let is_ours = !name.starts_with('_') && !JOURNAL.contains(&name.as_str());
        if is_ours {
            record.fields.insert(name.to_lowercase(), value.clone());
        }
    }
    record.fields.remove("node");
    record
}

/// What the journal says of every line.
const JOURNAL: [&str; 19] = [
    "MESSAGE",
    "PRIORITY",
    "TARGET",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_FACILITY",
    "SYSLOG_PID",
    "SYSLOG_TIMESTAMP",
    "SYSLOG_RAW",
    "CODE_FILE",
    "CODE_LINE",
    "CODE_FUNC",
    "UNIT",
    "INVOCATION_ID",
    "JOB_ID",
    "JOB_TYPE",
    "MESSAGE_ID",
    "JOB_RESULT",
    "CPU_USAGE_NSEC",
    "TID",
];

/// A message that is no UTF-8 is an array of its bytes, one that is too long is null.
fn message(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(bytes)) => {
            let bytes = bytes
                .iter()
                .filter_map(|byte| u8::try_from(byte.as_u64()?).ok());
            String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
        }
        _ => String::new(),
    }
}

/// `redrabbit-gate@0.service` is `gate@0`.
fn node_of(unit: &str) -> Option<String> {
    let node = unit.strip_prefix("redrabbit-")?.strip_suffix(".service")?;
    Some(node.to_owned())
}

impl Record {
    /// A daemon's own line, or a message.
    fn read_plain(line: &str) -> Record {
        let object = line.starts_with('{').then(|| serde_json::from_str(line));
        match object {
            Some(Ok(object)) => of_daemon(object),
            _ => super::text::read(line),
        }
    }
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemons_line_has_its_fields_and_those_of_its_spans() {
        let record = read(
            r#"{"timestamp":"2026-01-02T03:04:05.5Z","level":"WARN","message":"session closed","session_id":"Ann","target":"gate::seat","span":{"name":"node","node":"gate@0"},"spans":[{"name":"node","node":"gate@0"},{"name":"call","call_id":"7f"}]}"#,
        )
        .unwrap();
        assert_eq!(record.node.as_deref(), Some("gate@0"));
        assert_eq!(record.level, Some(Level::Warn));
        assert_eq!(record.time, time::parse("2026-01-02T03:04:05.5Z"));
        assert_eq!(record.message, "session closed");
        assert!(record.has(&["session_id"], "Ann") && record.has(&["call_id"], "7f"));
        assert_eq!(record.fields.len(), 2, "{:?}", record.fields);
    }

    #[test]
    fn the_journal_names_the_node_by_its_unit() {
        let record = read(
            r#"{"__REALTIME_TIMESTAMP":"1767323045500000","_HOSTNAME":"game-1","_SYSTEMD_UNIT":"redrabbit-gate@0.service","PRIORITY":"4","MESSAGE":"session closed","TARGET":"gate::seat","SESSION_ID":"Ann","SYSLOG_IDENTIFIER":"gate","_PID":"7"}"#,
        )
        .unwrap();
        assert_eq!(record.node.as_deref(), Some("gate@0"));
        assert_eq!(record.machine.as_deref(), Some("game-1"));
        assert_eq!(record.level, Some(Level::Warn));
        assert_eq!(record.time, time::parse("2026-01-02T03:04:05.5Z"));
        assert!(record.has(&["session_id"], "Ann"));
        assert_eq!(record.fields.len(), 1, "{:?}", record.fields);
    }

    #[test]
    fn what_systemd_says_of_a_node_is_of_that_node() {
        let record = read(
            r#"{"__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"init.scope","UNIT":"redrabbit-gate@0.service","PRIORITY":"4","MESSAGE":"Failed with result 'exit-code'.","UNIT_RESULT":"exit-code","MESSAGE_ID":"d9b3","JOB_ID":"7","TID":"1"}"#,
        )
        .unwrap();
        assert_eq!(record.node.as_deref(), Some("gate@0"));
        assert_eq!(record.level, Some(Level::Warn));
        assert!(record.has(&["unit_result"], "exit-code"));
        assert_eq!(record.fields.len(), 1, "{:?}", record.fields);
    }

    #[test]
    fn a_line_within_the_journal_is_read_as_well() {
        for message in [
            r#"{\"timestamp\":\"2026-01-02T03:04:05Z\",\"level\":\"ERROR\",\"message\":\"no\",\"target\":\"x\"}"#,
            "2026-01-02T03:04:05.000000Z ERROR x: no",
        ] {
            let line = format!(
                r#"{{"__REALTIME_TIMESTAMP":"1","PRIORITY":"6","MESSAGE":"{message}","_SYSTEMD_UNIT":"redrabbit-scene@0.service"}}"#
            );
            let record = read(&line).unwrap();
            assert_eq!(record.level, Some(Level::Error), "{message}");
            assert_eq!(record.message, "no");
            assert_eq!(record.time, time::parse("2026-01-02T03:04:05Z"));
        }
        let bytes = read(r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":[104,105,255]}"#).unwrap();
        assert_eq!(bytes.message, "hi\u{fffd}");
    }

    #[test]
    fn what_is_no_object_is_left_to_others() {
        assert_eq!(read("words"), None);
        assert_eq!(read("{broken"), None);
    }
}
