//! The last warnings and errors of this process, for who looks at its node.

use std::{
    collections::VecDeque,
    fmt::{self, Write},
    sync::{Mutex, PoisonError},
};

use protocol::v1::{Fault, FaultLevel};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::vitals::unix_ms;

/// As many are kept.
const MAX_FAULTS: usize = 8;

/// As many bytes of each.
const MAX_TEXT_BYTES: usize = 256;

/// Of the one subscriber that a process has.
static KEPT: Mutex<VecDeque<Fault>> = Mutex::new(VecDeque::new());

/// The part of the subscriber that keeps them. What the log leaves out by its levels is
/// left out here.
pub(crate) struct KeepFaults;

/// What is kept, the latest last.
pub(crate) fn kept() -> Vec<Fault> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.iter().cloned().collect()
}

/// What a span says, as a line has it.
struct SpanFields(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for KeepFaults {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut line = Line::default();
        attributes.record(&mut line);
        if let Some(span) = context.span(id).filter(|_| !line.fields.is_empty()) {
            span.extensions_mut().insert(SpanFields(line.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.fields.push_str(fields);
            }
        }
        let fault = Fault {
            at_ms: unix_ms(),
            level: match level {
                Level::ERROR => FaultLevel::Error.into(),
                _ => FaultLevel::Warn.into(),
            },
            target: event.metadata().target().to_owned(),
            text: line.cut(),
        };
        keep(
            &mut KEPT.lock().unwrap_or_else(PoisonError::into_inner),
            fault,
        );
    }
}

/// A line that comes again and again takes one place.
fn keep(kept: &mut VecDeque<Fault>, fault: Fault) {
    let again = kept
        .iter()
        .position(|one| one.text == fault.text && one.target == fault.target);
    if let Some(again) = again {
        kept.remove(again);
    } else if kept.len() == MAX_FAULTS {
        kept.pop_front();
    }
    kept.push_back(fault);
}

/// The message, and its fields behind it.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn cut(mut self) -> String {
        self.message.push_str(&self.fields);
        let end = self.message.floor_char_boundary(MAX_TEXT_BYTES);
        self.message.truncate(end);
        self.message
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing::{error, info, info_span, warn};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn fault(number: u64, at_ms: u64) -> Fault {
        Fault {
            text: number.to_string(),
            at_ms,
            ..Fault::default()
        }
    }

    #[test]
    fn warnings_and_errors_are_kept_with_their_fields() {
        let subscriber = tracing_subscriber::registry().with(KeepFaults);
        tracing::subscriber::with_default(subscriber, || {
            info!("nothing to look at");
            let span = info_span!("member", peer = "scene@0");
            span.in_scope(|| warn!(waited = 3, "link ended"));
            error!("{}", "ü".repeat(1000));
        });
        let kept = kept();
        let [warning, error] = &kept[..] else {
            panic!("{kept:?}")
        };
        assert_eq!(warning.text, "link ended waited=3 peer=scene@0");
        assert_eq!(warning.level(), FaultLevel::Warn);
        assert_eq!(error.level(), FaultLevel::Error);
        assert!(warning.target.ends_with("faults::tests") && warning.at_ms > 0);
        assert_eq!(error.text, "ü".repeat(128));
    }

    #[test]
    fn the_oldest_goes_and_what_comes_again_takes_one_place() {
        let mut kept = VecDeque::new();
        for at_ms in 0..10 {
            keep(&mut kept, fault(at_ms, at_ms));
        }
        keep(&mut kept, fault(5, 99));
        let texts: Vec<&str> = kept.iter().map(|fault| &*fault.text).collect();
        assert_eq!(texts, ["2", "3", "4", "6", "7", "8", "9", "5"]);
        assert_eq!(kept.back().unwrap().at_ms, 99);
    }
}
