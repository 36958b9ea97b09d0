//! Which lines are wanted.

use std::collections::HashMap;

use protocol::NodeName;

use super::{
    LogsArgs,
    merge::Placed,
    record::{Level, Record},
};
use crate::time::Micros;

/// What is asked of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    nodes: Vec<NodeName>,
    session: Option<String>,
    call: Option<String>,
    level: Option<Level>,
    since: Option<Micros>,
}

/// Under which names a line has a session, and a call.
const SESSION: [&str; 2] = ["session_id", "session"];
const CALL: [&str; 3] = ["call_id", "call", "trace_id"];

/// Whose last lines are remembered. Nodes are few; what claims to be one may be anything.
const SPEAKERS: usize = 4096;

impl Filter {
    pub(super) fn new(args: &LogsArgs) -> Filter {
        Filter {
            nodes: args.node.clone(),
            session: args.session.clone(),
            call: args.call.clone(),
            level: args.level,
            since: args.since,
        }
    }

    /// Those of the records that are wanted.
    pub(super) fn of(
        &self,
        records: &mut dyn Iterator<Item = Placed>,
    ) -> impl Iterator<Item = Record> {
        let mut last = HashMap::new();
        records.filter_map(move |placed| {
            let wanted = self.wants_after(&placed, &mut last);
            wanted.then_some(placed.record)
        })
    }

    /// A line that has no level is more of the one before it, of the same speaker: a
    /// traceback, or what a script prints.
    fn wants_after(
        &self,
        placed: &Placed,
        last: &mut HashMap<(usize, Option<String>), bool>,
    ) -> bool {
        let record = &placed.record;
        let speaker = (placed.source, record.node.clone());
        if record.level.is_none() && !self.is_about(record) {
            let before = last.get(&speaker).copied();
            let alone = self.session.is_none() && self.call.is_none() && self.level.is_none();
            return before.unwrap_or(alone && self.is_there(record));
        }
        let wanted = self.wants(record);
        if last.len() >= SPEAKERS {
            last.clear();
        }
        last.insert(speaker, wanted);
        wanted
    }

    fn wants(&self, record: &Record) -> bool {
        let has = |names: &[&str], value: &Option<String>| match value {
            Some(value) => record.has(names, value),
            None => true,
        };
        let is_grave = match (self.level, record.level) {
            (Some(most), Some(level)) => level <= most,
            _ => true,
        };
        self.is_there(record) && is_grave && has(&SESSION, &self.session) && has(&CALL, &self.call)
    }

    /// By its node and its time.
    fn is_there(&self, record: &Record) -> bool {
        let node = record.node.as_deref();
        let is_node =
            self.nodes.is_empty() || self.nodes.iter().any(|name| Some(name.as_str()) == node);
        let is_late = match (self.since, record.time) {
            (Some(since), Some(time)) => time >= since,
            _ => true,
        };
        is_node && is_late
    }

    /// Whether it says itself which session or call it is about.
    fn is_about(&self, record: &Record) -> bool {
        let names = SESSION.iter().chain(&CALL);
        names
            .into_iter()
            .any(|name| record.fields.contains_key(*name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of those that are wanted; each line stands behind its source.
    fn wanted(filter: &Filter, lines: &[(usize, &str)]) -> Vec<String> {
        let mut records = lines.iter().map(|(source, line)| Placed {
            source: *source,
            record: Record::read(line),
        });
        filter
            .of(&mut records)
            .map(|record| record.message)
            .collect()
    }

    const LINES: [(usize, &str); 6] = [
        (
            0,
            "gate@0 | 2026-01-02T03:04:05Z INFO g: in session_id=Ann call_id=7",
        ),
        (
            0,
            "scene@0 | 2026-01-02T03:04:06Z WARN s: slow session_id=Ann",
        ),
        (0, "gate@0 | 2026-01-02T03:04:07Z INFO g: in session_id=Bob"),
        (0, "scene@0 | Traceback"),
        (1, "scene@0 | elsewhere"),
        (0, "scene@0 | 2026-01-02T03:04:08Z DEBUG s: tick"),
    ];

    #[test]
    fn a_session_a_call_and_a_node_are_followed() {
        let session = Filter {
            session: Some("Ann".into()),
            ..Filter::default()
        };
        assert_eq!(wanted(&session, &LINES), ["in", "slow", "Traceback"]);
        let call = Filter {
            call: Some("7".into()),
            ..Filter::default()
        };
        assert_eq!(wanted(&call, &LINES), ["in"]);
        let node = Filter {
            nodes: vec!["gate@0".parse().unwrap()],
            ..Filter::default()
        };
        assert_eq!(wanted(&node, &LINES), ["in", "in"]);
    }

    #[test]
    fn levels_are_that_and_graver_and_what_has_none_goes_with_the_line_before() {
        let level = |level| Filter {
            level: Some(level),
            ..Filter::default()
        };
        assert_eq!(wanted(&level(Level::Warn), &LINES), ["slow", "Traceback"]);
        let info = wanted(&level(Level::Info), &LINES);
        assert_eq!(info, ["in", "slow", "in", "Traceback"]);
        assert_eq!(wanted(&Filter::default(), &LINES).len(), 6);
    }

    #[test]
    fn lines_before_the_moment_are_left_out_with_what_follows_them() {
        let since = Filter {
            since: crate::time::parse("2026-01-02T03:04:07Z"),
            ..Filter::default()
        };
        assert_eq!(wanted(&since, &LINES), ["in", "elsewhere", "tick"]);
    }
}
