//! What was answered, as people and programs read it.

use std::{fmt::Write, time::Duration};

use bytes::Bytes;
use serde::Serialize;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// Who has answered.
    pub(super) node: String,
    /// What.
    pub(super) method: String,
    /// Its bytes.
    pub(super) body: Bytes,
    /// How long it took.
    pub(super) took: Duration,
}

/// The form that programs read.
#[derive(Serialize)]
struct View<'a> {
    node: &'a str,
    method: &'a str,
    milliseconds: f64,
    bytes: usize,
    text: Option<&'a str>,
    json: Option<serde_json::Value>,
    hex: Option<String>,
}

/// Bytes in a row of the table.
const ROW: usize = 16;

impl Answer {
    /// One object, over several lines.
    pub(super) fn to_json(&self) -> String {
        let text = std::str::from_utf8(&self.body).ok();
        let view = View {
            node: &self.node,
            method: &self.method,
            milliseconds: (self.took.as_secs_f64() * 1e6).round() / 1e3,
            bytes: self.body.len(),
            text,
            json: text.and_then(|text| serde_json::from_str(text).ok()),
            hex: text.is_none().then(|| hex(&self.body)),
        };
        let text = serde_json::to_string_pretty(&view);
        text.expect("strings and finite numbers are always JSON") + "\n"
    }

    /// Text as it is, but for what a terminal would obey; other bytes as a table.
    pub(super) fn to_text(&self) -> String {
        match std::str::from_utf8(&self.body) {
            Ok("") => String::new(),
            Ok(text) => {
                let is_shown = |one: &char| !one.is_control() || matches!(one, '\n' | '\t');
                let text: String = text.chars().filter(is_shown).collect();
                let end = if text.ends_with('\n') { "" } else { "\n" };
                text + end
            }
            Err(_) => dump(&self.body),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// As `hexdump -C` shows it.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, bytes) in bytes.chunks(ROW).enumerate() {
        let mut digits = String::new();
        for (index, byte) in bytes.iter().enumerate() {
            let gap = if index == ROW / 2 { " " } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(digits, "{gap}{byte:02x} ");
        }
        let seen = bytes.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        let seen: String = seen.collect();
        let _ = writeln!(text, "{:08x}  {digits:<50}|{seen}|", row * ROW);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static [u8]) -> Answer {
        Answer {
            node: "scene@0".into(),
            method: "service.200".into(),
            body: Bytes::from_static(body),
            took: Duration::from_micros(1_234),
        }
    }

    #[test]
    fn text_is_shown_as_text_without_what_a_terminal_obeys() {
        assert_eq!(answer(b"{\"a\": 1}").to_text(), "{\"a\": 1}\n");
        assert_eq!(answer(b"two\nlines\n").to_text(), "two\nlines\n");
        assert_eq!(answer(b"a\x1b[2Jb\r").to_text(), "a[2Jb\n");
        assert_eq!(answer(b"").to_text(), "");
    }

    #[test]
    fn other_bytes_are_a_table() {
        assert_eq!(
            answer(b"\x00\x01hello, world\xff!!").to_text(),
            "00000000  00 01 68 65 6c 6c 6f 2c  20 77 6f 72 6c 64 ff 21  |..hello, world.!|\n\
             00000010  21                                                |!|\n"
        );
    }

    #[test]
    fn programs_find_text_and_value_or_digits() {
        let json =
            |body| -> serde_json::Value { serde_json::from_str(&answer(body).to_json()).unwrap() };
        let value = json(b"{\"a\": 1}");
        assert_eq!(value["node"], "scene@0");
        assert_eq!(value["milliseconds"], 1.234);
        assert_eq!(value["json"]["a"], 1);
        assert!(value["hex"].is_null());
        let bytes = json(b"\xff\x00");
        assert_eq!(bytes["hex"], "ff00");
        assert_eq!(bytes["bytes"], 2);
        assert!(bytes["text"].is_null() && bytes["json"].is_null());
        assert_eq!(json(b"words")["text"], "words");
    }
}
