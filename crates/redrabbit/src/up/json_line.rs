//! A line of the log as a JSON object, with the name of who wrote it.

use serde_json::{Map, Value, json};

use crate::time;

/// What a child wrote: its own object with its name in it, or an object around its text.
pub(super) fn relayed(name: &str, text: &str) -> String {
    let object = text.starts_with('{').then(|| serde_json::from_str(text));
    match object {
        Some(Ok(object)) => named(name, text, object),
        _ => {
            let timestamp = time::to_text(time::now());
            let line = json!({ "node": name, "timestamp": timestamp, "message": text });
            format!("{line}\n")
        }
    }
}

/// What we say ourselves.
pub(super) fn own(name: &str, level: &str, text: &str) -> String {
    let timestamp = time::to_text(time::now());
    let line = json!({
        "node": name, "timestamp": timestamp, "level": level, "message": text,
    });
    format!("{line}\n")
}

/// The object as it was written, in its own order, unless it names somebody else: what a
/// script prints may be anything.
fn named(name: &str, text: &str, mut object: Map<String, Value>) -> String {
    let claimed = object.get("node").map(|node| node == name);
    match (claimed, object.is_empty()) {
        (Some(true), _) => format!("{text}\n"),
        (None, false) => format!("{{\"node\":{},{}\n", Value::from(name), &text[1..]),
        _ => {
            object.insert("node".to_owned(), name.into());
            format!("{}\n", Value::from(object))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_keeps_its_order_behind_the_name() {
        assert_eq!(
            relayed("gate@0", r#"{"timestamp":"x","a":1}"#),
            "{\"node\":\"gate@0\",\"timestamp\":\"x\",\"a\":1}\n"
        );
        assert_eq!(relayed("gate@0", "{}"), "{\"node\":\"gate@0\"}\n");
    }

    #[test]
    fn nobody_speaks_under_the_name_of_another() {
        assert_eq!(
            relayed("scene@0", r#"{"node":"gate@0"}"#),
            "{\"node\":\"scene@0\"}\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_an_object_in_a_line_with_the_name(
            text in prop_oneof!["[^\n]{0,50}", r#"\{("a":[0-9]{1,3}|"node":"x")?(,"b":null)?\}?"#],
        ) {
            let line = relayed("scene@0", &text);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let object: Map<String, Value> = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&object["node"], "scene@0");
        }
    }
}
