//! One source of settings: what it gives, and where each of it was written.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    path::{Path, PathBuf},
};

use config::{ConfigError, Source, Value, ValueKind};

use crate::mistake::Place;

/// A key from the top of the file down: `gates`, `gate@0`, `tcp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KeyPath(Vec<String>);

/// A value as it was written.
#[derive(Clone, PartialEq)]
pub(crate) enum Given {
    /// A table; its keys are entries of their own.
    Section,
    /// Text that was written as text.
    Text(String),
    /// Text from outside the file, whose type the key decides.
    Word(String),
    /// `i128::MAX` for everything that does not fit.
    Number(i128),
    Fraction(f64),
    Boolean(bool),
    Date,
    List(Vec<Given>),
}

/// A key with its value.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) path: KeyPath,
    pub(crate) key_place: Place,
    pub(crate) value_place: Place,
    /// Of the items of a list in the file.
    pub(crate) item_places: Vec<Place>,
    pub(crate) given: Given,
}

impl Entry {
    /// Where that item of a list was written.
    pub(crate) fn item_place(&self, index: usize) -> &Place {
        self.item_places.get(index).unwrap_or(&self.value_place)
    }
}

/// The entries of one source, sections before what stands in them. Later
/// entries of a key win.
#[derive(Clone)]
pub(crate) struct Layer {
    /// What relative paths of this layer are relative to.
    pub(crate) base: PathBuf,
    pub(crate) entries: Vec<Entry>,
}

impl KeyPath {
    pub(crate) fn new<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Self {
        KeyPath(segments.into_iter().map(Into::into).collect())
    }

    pub(crate) fn segments(&self) -> &[String] {
        &self.0
    }

    /// The key below this one.
    pub(crate) fn child(&self, segment: &str) -> KeyPath {
        let mut segments = self.0.clone();
        segments.push(segment.to_owned());
        KeyPath(segments)
    }

    /// The sections that it stands in, the nearest first.
    pub(crate) fn parents(&self) -> impl Iterator<Item = KeyPath> + '_ {
        (1..self.0.len())
            .rev()
            .map(|length| KeyPath(self.0[..length].to_vec()))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&key_text(segment))?;
        }
        Ok(())
    }
}

/// A key as a message shows it: plain where it can be, quoted and cut where it
/// is something else altogether.
pub(crate) fn key_text(segment: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@' | b'#');
    if !segment.is_empty() && segment.len() <= EXCERPT && segment.bytes().all(plain) {
        segment.to_owned()
    } else {
        excerpt(segment)
    }
}

/// How much of a text a message repeats.
const EXCERPT: usize = 64;

/// Text in quotes, its beginning if it is long. Control characters are
/// escaped, so that a file cannot play with the terminal.
fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(EXCERPT).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

impl Given {
    /// The value as a message shows it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Given::Text(text) | Given::Word(text) => excerpt(text),
            Given::Number(i128::MAX) => "a number beyond all bounds".to_owned(),
            Given::Number(number) => number.to_string(),
            Given::Fraction(number) => number.to_string(),
            Given::Boolean(value) => value.to_string(),
            Given::Section | Given::Date | Given::List(_) => self.type_name().to_owned(),
        }
    }

    /// Its type alone, for values that must not be shown.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Given::Section => "a table",
            Given::Text(text) | Given::Word(text) if text.is_empty() => "an empty text",
            Given::Text(_) | Given::Word(_) => "a text",
            Given::Number(_) => "a number",
            Given::Fraction(_) => "a number with a fraction",
            Given::Boolean(_) => "true or false",
            Given::Date => "a date",
            Given::List(items) if items.is_empty() => "an empty list",
            Given::List(_) => "a list",
        }
    }

    fn to_value(&self) -> ValueKind {
        match self {
            Given::Section => ValueKind::Table(HashMap::new()),
            Given::Text(text) | Given::Word(text) => ValueKind::String(text.clone()),
            Given::Number(number) => ValueKind::I128(*number),
            Given::Fraction(number) => ValueKind::Float(*number),
            Given::Boolean(value) => ValueKind::Boolean(*value),
            Given::Date => ValueKind::Nil,
            Given::List(items) => ValueKind::Array(
                items
                    .iter()
                    .map(|item| Value::new(None, item.to_value()))
                    .collect(),
            ),
        }
    }
}

/// The type alone: what a file gives may be a secret.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}

impl Layer {
    pub(crate) fn new(base: &Path) -> Self {
        Layer {
            base: base.to_owned(),
            entries: Vec::new(),
        }
    }

    /// The names right below `path`, each once.
    pub(crate) fn names_below(&self, path: &KeyPath) -> BTreeSet<&str> {
        let depth = path.segments().len();
        let below = |entry: &&Entry| entry.path.segments().starts_with(path.segments());
        let entries = self.entries.iter().filter(below);
        entries
            .filter_map(|entry| entry.path.segments().get(depth))
            .map(String::as_str)
            .collect()
    }
}

/// Names the layer and none of its values.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// `config` splits keys at dots and knows no `@` in them, so a layer hands it
/// nested tables, which it merges key by key without looking at the names.
impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<HashMap<String, Value>, ConfigError> {
        let mut root = HashMap::new();
        for entry in &self.entries {
            insert(&mut root, entry.path.segments(), entry.given.to_value());
        }
        Ok(root)
    }
}

fn insert(table: &mut HashMap<String, Value>, path: &[String], value: ValueKind) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let slot = table
        .entry(first.clone())
        .or_insert_with(|| Value::new(None, ValueKind::Table(HashMap::new())));
    match (rest, &mut slot.kind, value) {
        // A section that is there already keeps what it has.
        ([], ValueKind::Table(_), ValueKind::Table(_)) => {}
        ([], kind, value) => *kind = value,
        (rest, ValueKind::Table(inner), value) => insert(inner, rest, value),
        (rest, kind, value) => {
            let mut inner = HashMap::new();
            insert(&mut inner, rest, value);
            *kind = ValueKind::Table(inner);
        }
    }
}
