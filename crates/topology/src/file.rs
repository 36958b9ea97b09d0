//! The file itself: bytes to text, text to a layer, with the place of
//! everything.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue},
};

use crate::{
    declarations::{Declarations, Repetition},
    document::Document,
    findings::Findings,
    group_list,
    layer::{Entry, Given, KeyPath, Layer},
    lines::Lines,
    mistake::{Place, Problem},
    section::Section,
    shape::is_known,
};

/// Longer files are refused unread: a thousand nodes take a tenth of it.
const LONGEST: u64 = 4 << 20;

/// What a file says.
pub(crate) struct Written {
    pub(crate) layer: Layer,
    /// Which sort of file it is read as.
    pub(crate) document: Document,
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
            document,
            whole,
            broken,
        } = self;
        let holds_secrets = |top: &str| match document {
            Document::Group => top == Section::Security.top(),
            Document::Bridge => top == Section::Group.top(),
        };
        layer.entries.retain(|entry| match entry.key_place {
            Place::Line { line, .. } if broken.contains(&line) => false,
            _ => {
                *whole
                    || !holds_secrets(&entry.path.segments()[0])
                    || is_known(*document, &entry.path)
            }
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

/// Parses `text` as a file of the sort that is `wanted`, or of that which it seems to
/// be. Everything that is not TOML is noted at once, and the rest is still there to be
/// checked. Nothing where it is clearly a file of the other sort.
pub(crate) fn parse(
    path: &Path,
    base: &Path,
    text: &str,
    wanted: Option<Document>,
    findings: &mut Findings,
) -> Option<Written> {
    let lines = Lines::new(path, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let document = document(table.get_ref(), wanted, &lines, findings)?;
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
            let key = declarations.at(line).filter(|key| is_known(document, key));
            let key = key.cloned().unwrap_or_default();
            findings.note(Problem::Syntax, &place, &key, found, expected);
        }
    }
    let mut layer = Layer::new(base);
    let groups = Section::Group.top();
    for (key, value) in table.get_ref() {
        if document == Document::Bridge && key.get_ref() == groups {
            let groups = group_list::Groups {
                lines: &lines,
                broken: &broken,
                is_whole: whole,
            };
            groups.flatten(key, value, &mut layer, findings);
        } else {
            flatten_one(key, value, &KeyPath::default(), &lines, &mut layer);
        }
    }
    Some(Written {
        layer,
        document,
        whole,
        broken,
    })
}

/// Which sort of file it is to be read as; nothing where it is not the one that is
/// wanted, which is then noted.
fn document(
    table: &DeTable<'_>,
    wanted: Option<Document>,
    lines: &Lines<'_>,
    findings: &mut Findings,
) -> Option<Document> {
    let found = Document::of(table.keys().map(|key| key.get_ref().as_ref()));
    let (Some(found), Some(wanted)) = (found, wanted) else {
        return Some(found.or(wanted).unwrap_or(Document::Group));
    };
    if found == wanted {
        return Some(found);
    }
    let telling = table.keys().filter(|key| found.alone_has(key.get_ref()));
    let first = telling.min_by_key(|key| key.span().start)?;
    findings.note(
        Problem::WrongFile,
        &lines.place(first.span().start),
        &KeyPath::new([first.get_ref().as_ref()]),
        found.name(),
        wanted.expects(),
    );
    None
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

/// Everything in `table`, which is the section `above`.
pub(crate) fn flatten(table: &DeTable<'_>, above: &KeyPath, lines: &Lines<'_>, layer: &mut Layer) {
    for (key, value) in table {
        flatten_one(key, value, above, lines, layer);
    }
}

fn flatten_one(
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    above: &KeyPath,
    lines: &Lines<'_>,
    layer: &mut Layer,
) {
    let path = above.child(key.get_ref());
    let places = |items: &DeArray<'_>| -> Vec<Place> {
        let items = items.iter().map(|item| lines.place(item.span().start));
        items.collect()
    };
    layer.entries.push(Entry {
        path: path.clone(),
        key_place: lines.place(key.span().start),
        value_place: lines.place(value.span().start),
        item_places: value.get_ref().as_array().map(places).unwrap_or_default(),
        given: given(value.get_ref()),
    });
    if let DeValue::Table(inner) = value.get_ref() {
        flatten(inner, &path, lines, layer);
    }
}

pub(crate) fn given(value: &DeValue<'_>) -> Given {
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
