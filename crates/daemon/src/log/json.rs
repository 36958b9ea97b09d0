//! Lines that are JSON objects, one a fact.
//!
//! What a span around a line says stands in the line itself, so that a field is at the
//! same place wherever it comes from: `session_id` is `session_id`, and no script has to
//! look into a list of spans for it.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::{LookupSpan, Scope},
};

/// Writes a line. Fields that spans have come before the line's own, which count more,
/// as an inner span's do.
pub(super) struct JsonLines {
    /// Of the lines that say no other.
    node: Option<String>,
}

/// What stands there before any field.
const TAKEN: [&str; 2] = ["timestamp", "level"];

/// What each line has at its beginning, in this order, if it has it at all. Time and
/// level stand before these.
const FIRST: [&str; 3] = ["node", "target", "message"];

impl JsonLines {
    /// Lines of a process that is this node; `None` where it is several.
    pub(super) fn new(node: Option<&str>) -> Self {
        JsonLines {
            node: node.map(str::to_owned),
        }
    }

    fn fields<S, N>(
        &self,
        context: &FmtContext<'_, S, N>,
        event: &Event<'_>,
    ) -> Result<Map<String, Value>, fmt::Error>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        let mut fields = Map::new();
        if let Some(node) = &self.node {
            fields.insert("node".to_owned(), node.as_str().into());
        }
        let spans = context.event_scope().into_iter();
        for span in spans.flat_map(Scope::from_root) {
            let extensions = span.extensions();
            if let Some(of_span) = extensions.get::<FormattedFields<N>>() {
                take(&of_span.fields, &mut fields);
            }
        }
        let mut own = String::new();
        context.format_fields(Writer::new(&mut own), event)?;
        take(&own, &mut fields);
        fields.insert("target".to_owned(), event.metadata().target().into());
        // An object has each name once.
        for name in TAKEN {
            if let Some(value) = fields.remove(name) {
                fields.insert(format!("field_{name}"), value);
            }
        }
        Ok(fields)
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = self.fields(context, event)?;
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", event.metadata().level())?;
        let first = FIRST.into_iter();
        let first: Vec<_> = first.filter_map(|name| fields.remove_entry(name)).collect();
        for (name, value) in first.into_iter().chain(fields) {
            write!(writer, ",{}:{value}", Value::String(name))?;
        }
        writeln!(writer, "}}")
    }
}

/// The fields as they were formatted: an object, of which nothing is left out.
fn take(formatted: &str, fields: &mut Map<String, Value>) {
    match serde_json::from_str(formatted) {
        Ok(Value::Object(taken)) => fields.extend(taken),
        // Not ours to lose, whoever has formatted it.
        _ if !formatted.is_empty() => _ = fields.insert("fields".to_owned(), formatted.into()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::{error_span, info, warn};
    use tracing_subscriber::{fmt::format::JsonFields, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `work` is done.
    fn lines(node: Option<&str>, work: impl FnOnce()) -> Vec<String> {
        let written = Lines::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLines::new(node))
            .fmt_fields(JsonFields::new())
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, work);
        let written = written.0.lock().unwrap();
        let text = String::from_utf8(written.clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// All but its time.
    fn without_time(line: &str) -> &str {
        let object: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert!(object["timestamp"].as_str().unwrap().ends_with('Z'));
        line.split_once("\"level\"").unwrap().1
    }

    #[test]
    fn a_line_has_what_its_spans_say_and_its_own_word_counts_most() {
        let lines = lines(Some("gate@0"), || {
            let _outer = error_span!("link", peer = "slave@0", session_id = "Bob").entered();
            let inner = error_span!("session", session_id = "Ann", cmd = tracing::field::Empty);
            inner.record("cmd", 7);
            let _inner = inner.entered();
            warn!(target: "somewhere", peer = "scene@0", tries = 3, "said\nso");
        });
        let [line] = &lines[..] else {
            panic!("one line a fact: {lines:?}");
        };
        assert_eq!(
            without_time(line),
            ":\"WARN\",\"node\":\"gate@0\",\"target\":\"somewhere\",\"message\":\"said\\nso\",\
             \"cmd\":7,\"peer\":\"scene@0\",\"session_id\":\"Ann\",\"tries\":3}"
        );
    }

    #[test]
    fn a_field_that_is_called_as_a_part_of_the_line_has_another_name() {
        let lines = lines(
            None,
            || info!(target: "here", level = 3, timestamp = "then", "up"),
        );
        assert_eq!(
            without_time(&lines[0]),
            ":\"INFO\",\"target\":\"here\",\"message\":\"up\",\"field_level\":3,\
             \"field_timestamp\":\"then\"}"
        );
    }

    #[test]
    fn a_node_among_several_in_a_process_is_said_by_its_span() {
        let said = |node| {
            lines(node, || {
                let _span = error_span!("node", node = "scene@0").entered();
                info!(target: "here", "up");
            })
        };
        let expected = ":\"INFO\",\"node\":\"scene@0\",\"target\":\"here\",\"message\":\"up\"}";
        assert_eq!(without_time(&said(None)[0]), expected);
        assert_eq!(without_time(&said(Some("master@0"))[0]), expected);
    }
}
