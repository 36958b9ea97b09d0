//! The file itself: bytes to text, text to a layer, with the place of
//! everything.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    declarations::{Declarations, Repetition},
    findings::Findings,
    layer::{Entry, Given, KeyPath, Layer},
    mistake::{Place, Problem},
    shape::is_known,
};

/// Longer files are refused unread: a thousand nodes take a tenth of it.
const LONGEST: u64 = 4 << 20;

/// What a file says.
pub(crate) struct Written {
    pub(crate) layer: Layer,
    /// Whether it is TOML throughout. If it is not, what seems to be missing
    /// may only be unreadable.
    pub(crate) whole: bool,
    /// Lines that are not TOML.
    broken: HashSet<usize>,
}

impl Written {
    /// Takes out what is not to be judged: what stands in broken lines and,
    /// once there are any, unknown names beside the secret, which may be a piece
    /// of it that fell out of its quotes.
    pub(crate) fn keep_judgeable(&mut self) {
        let Written {
            layer,
            whole,
            broken,
        } = self;
        layer.entries.retain(|entry| match entry.key_place {
            Place::Line { line, .. } if broken.contains(&line) => false,
            _ => *whole || entry.path.segments()[0] != "security" || is_known(&entry.path),
        });
    }
}

/// Reads the file as text, or notes why that cannot be done.
pub(crate) fn read(path: &Path, findings: &mut Findings) -> Option<String> {
    let place = Place::File(path.into());
    let mut refuse = |place: &Place, found: String, expected: &str| {
        findings.note(
            Problem::Unreadable,
            place,
            &KeyPath::default(),
            found,
            expected,
        );
        None
    };
    let bytes = match read_bytes(path) {
        Ok(bytes) if bytes.len() as u64 > LONGEST => {
            return refuse(&place, "more than 4MiB".to_owned(), "a topology in TOML");
        }
        Ok(bytes) => bytes,
        Err(error) => {
            let found = unreadable(&error);
            return refuse(&place, found, "a topology in TOML");
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let found = format!("byte 0x{:02x}, which is not UTF-8", error.as_bytes()[valid]);
            let text = String::from_utf8_lossy(&error.as_bytes()[..valid]);
            refuse(
                &Lines::new(path, &text).place(valid),
                found,
                "text in UTF-8",
            )
        }
    }
}

/// Why a file could not be read.
pub(crate) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => format!("a file that cannot be read: {kind}"),
    }
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Parses `text`. Everything that is not TOML is noted at once, and the rest is
/// still there to be checked.
pub(crate) fn parse(path: &Path, base: &Path, text: &str, findings: &mut Findings) -> Written {
    let lines = Lines::new(path, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut whole = true;
    let mut broken = HashSet::new();
    let declarations = Declarations::scan(text);
    for error in errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        let (line, _) = lines.position(offset);
        let place = lines.place(offset);
        if error.message() == "duplicate key" {
            let key = error.span().and_then(|span| text.get(span)).unwrap_or("");
            let repeated = match declarations.repeated_at(line, key) {
                Repetition::Implied => continue,
                Repetition::Of(repeated) => repeated,
            };
            let found = match repeated.first {
                Some(first) => format!("given a second time, first in line {first}"),
                None => "given a second time".to_owned(),
            };
            findings.note(
                Problem::Duplicate,
                &place,
                &repeated.path,
                found,
                "each key and each name only once",
            );
            continue;
        }
        whole = false;
        // One slip can upset the parser several times in a line.
        if broken.insert(line) {
            let (found, expected) = explain(error.message(), lines.line(line));
            // A name that the reference lacks may be a piece of a secret.
            let key = declarations.at(line).filter(|key| is_known(key));
            let key = key.cloned().unwrap_or_default();
            findings.note(Problem::Syntax, &place, &key, found, expected);
        }
    }
    let mut layer = Layer::new(base);
    flatten(table.get_ref(), &KeyPath::default(), &lines, &mut layer);
    Written {
        layer,
        whole,
        broken,
    }
}

/// What the parser says, in two halves. It never repeats the text itself, which
/// may be a secret.
fn explain(message: &str, line: &str) -> (String, String) {
    if line.trim_start().starts_with('[') && line.contains('@') && !line.contains('"') {
        let expected = "quotes around a node's name, such as [gates.\"gate@0\"]";
        return (
            "a name with @ and no quotes".to_owned(),
            expected.to_owned(),
        );
    }
    let (found, expected) = message
        .split_once(", expected ")
        .unwrap_or((message, "nothing"));
    let (found, expected) = match (found, expected) {
        ("string values must be quoted", _) => ("no quotes", "quotes around a text"),
        ("invalid float" | "invalid integer number" | "invalid date-time", _) => {
            ("no number", "a number, or quotes around a text")
        }
        ("invalid basic string", "`\"`") => ("no quote at the end", "quotes around a text"),
        ("invalid key-value pair", _) => ("no key", "key = value"),
        ("key with no value" | "missing value", _) => ("no value", "key = value"),
        (found, "nothing") => (found, "TOML"),
        same => same,
    };
    (found.to_owned(), expected.to_owned())
}

fn flatten(table: &DeTable<'_>, above: &KeyPath, lines: &Lines<'_>, layer: &mut Layer) {
    for (key, value) in table {
        let path = above.child(key.get_ref());
        layer.entries.push(Entry {
            path: path.clone(),
            key_place: lines.place(key.span().start),
            value_place: lines.place(value.span().start),
            given: given(value.get_ref()),
        });
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(inner, &path, lines, layer);
        }
    }
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.clone().into_owned()),
        // What does not fit is out of every range, whatever it is.
        DeValue::Integer(number) => Given::Number(
            i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX),
        ),
        DeValue::Float(number) => Given::Fraction(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Given::Boolean(*value),
        DeValue::Datetime(_) => Given::Date,
        DeValue::Array(items) => Given::List(
            items
                .iter()
                .map(|item: &Spanned<DeValue<'_>>| given(item.get_ref()))
                .collect(),
        ),
        DeValue::Table(_) => Given::Section,
    }
}

/// Offsets into a text as lines and columns.
struct Lines<'a> {
    path: Arc<Path>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(path: &Path, text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Lines {
            path: path.into(),
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// Line and column, both from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let before = self
            .text
            .get(start..offset)
            .map_or(0, |text| text.chars().count());
        (line, before + 1)
    }

    fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        Place::Line {
            path: self.path.clone(),
            line,
            column,
        }
    }

    fn line(&self, line: usize) -> &'a str {
        self.text.lines().nth(line - 1).unwrap_or("")
    }
}
