//! What a scene hands its successor, as it is written down.
//!
//! ```text
//! redrabbit snapshot 1 <SHA-256 of all that follows, in hexadecimal>\n
//! {"kind":"json","version":2,"script":"a1b2c3d4e5f6","taken_at":1700000000}\n
//! the value
//! ```

mod host;

use std::{fmt::Write, time::SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use host::{Loaded, Restoring};

/// A script's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) head: Head,
    pub(crate) value: Vec<u8>,
}

/// What is to be known of a value before it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// How the value is written: `json`, or `bytes` as the script gave them.
    pub(crate) kind: String,
    /// What version of its own the script has said it is of.
    pub(crate) version: Option<i64>,
    /// The hash of the script that has made it.
    pub(crate) script: String,
    /// When, in seconds of Unix time.
    pub(crate) taken_at: u64,
}

/// Why what was found is no snapshot. It is of no use to anybody then, and told
/// of with the file's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSnapshot {
    /// It begins in another way.
    #[error("it is no snapshot of a scene")]
    Foreign,
    /// A newer program has written it.
    #[error("it is of format {0}, and this program reads format {FORMAT}")]
    Format(String),
    /// It is not what was written.
    #[error("it is damaged: its checksum is another")]
    Damaged,
    /// The head cannot be read.
    #[error("it is damaged: {0}")]
    Head(String),
}

const FORMAT: u32 = 1;
const BEGINNING: &[u8] = b"redrabbit snapshot ";

impl Snapshot {
    /// A value of now.
    pub(crate) fn new(kind: String, version: Option<i64>, script: String, value: Vec<u8>) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Snapshot {
            head: Head {
                kind,
                version,
                script,
                taken_at: since.map_or(0, |since| since.as_secs()),
            },
            value,
        }
    }

    /// All that stands before the value.
    pub(crate) fn preamble(&self) -> Vec<u8> {
        let mut head =
            serde_json::to_vec(&self.head).expect("texts and numbers can always be written");
        head.push(b'\n');
        let mut preamble = BEGINNING.to_vec();
        let sum = checksum(&[&head, &self.value]);
        preamble.extend(format!("{FORMAT} {sum}\n").into_bytes());
        preamble.extend(head);
        preamble
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// [`NoSnapshot`].
    pub(crate) fn read(content: &[u8]) -> Result<Snapshot, NoSnapshot> {
        let rest = content.strip_prefix(BEGINNING).ok_or(NoSnapshot::Foreign)?;
        let (first, rest) = split_line(rest).ok_or(NoSnapshot::Damaged)?;
        let first = String::from_utf8_lossy(first);
        let (format, sum) = first.split_once(' ').ok_or(NoSnapshot::Damaged)?;
        if format != FORMAT.to_string() {
            return Err(NoSnapshot::Format(format.chars().take(20).collect()));
        }
        if checksum(&[rest]) != sum {
            return Err(NoSnapshot::Damaged);
        }
        let (head, value) = split_line(rest).ok_or(NoSnapshot::Damaged)?;
        let head =
            serde_json::from_slice(head).map_err(|error| NoSnapshot::Head(error.to_string()))?;
        Ok(Snapshot {
            head,
            value: value.to_vec(),
        })
    }
}

fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    Some((&text[..end], &text[end + 1..]))
}

fn checksum(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let mut text = String::with_capacity(64);
    for byte in digest.finalize() {
        write!(text, "{byte:02x}").expect("text takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let script = "a1b2c3d4e5f6".to_owned();
        Snapshot::new("json".to_owned(), Some(3), script, b"{\"a\":\n1}".to_vec())
    }

    fn written(snapshot: &Snapshot) -> Vec<u8> {
        [snapshot.preamble(), snapshot.value.clone()].concat()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for value in [&b""[..], b"null", b"\n\n\0\xff"] {
            let snapshot = Snapshot {
                value: value.to_vec(),
                ..snapshot()
            };
            assert_eq!(Snapshot::read(&written(&snapshot)).unwrap(), snapshot);
        }
    }

    #[test]
    fn not_one_bit_of_it_may_be_another() {
        let content = written(&snapshot());
        for place in 0..content.len() {
            let mut damaged = content.clone();
            damaged[place] ^= 1;
            assert!(Snapshot::read(&damaged).is_err(), "byte {place}");
        }
        for length in 0..content.len() {
            assert!(
                Snapshot::read(&content[..length]).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_newer_format_is_told_apart_from_damage() {
        let newer = b"redrabbit snapshot 2 something else\nthat nobody knows yet";
        let error = Snapshot::read(newer).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is of format 2, and this program reads format 1"
        );
        assert_eq!(Snapshot::read(b"{}").unwrap_err(), NoSnapshot::Foreign);
    }
}
