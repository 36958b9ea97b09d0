//! The layers over each other: what holds in the end, and who said so.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use config::{Config, Source, Value, ValueKind};

use crate::{
    document::Document,
    layer::{Entry, Given, KeyPath, Layer},
    mistake::Place,
    reference::{Presence, keys_of},
    section::Section,
};

/// Values in their plain form, by key; every one has passed `shape`. It has no
/// `Debug`: one of them is the secret.
pub(crate) struct Settings {
    document: Document,
    merged: HashMap<String, Value>,
    origins: HashMap<KeyPath, Origin>,
    reads_credentials: bool,
}

/// Who set a key in the end.
struct Origin {
    place: Place,
    /// Of the items of a list.
    item_places: Vec<Place>,
    /// What a relative path there is relative to.
    base: Arc<Path>,
}

impl Settings {
    /// Lays the defaults under `file`, and `overrides` over it, the last one
    /// on top.
    pub(crate) fn merge(
        document: Document,
        file: Layer,
        overrides: impl IntoIterator<Item = Layer>,
    ) -> Self {
        let layers: Vec<Layer> = [defaults(document, &file), file]
            .into_iter()
            .chain(overrides)
            .collect();
        let origins = origins(&layers);
        let builder = layers
            .into_iter()
            .fold(Config::builder(), |builder, layer| {
                builder.add_source(layer)
            });
        let merged = builder
            .build()
            .and_then(|config| config.collect())
            .expect("layers are tables in memory, and collecting them cannot fail");
        Settings {
            document,
            merged,
            origins,
            reads_credentials: true,
        }
    }

    /// From now on the files that hold secrets and certificates are not looked at.
    pub(crate) fn leave_credentials(&mut self) {
        self.reads_credentials = false;
    }

    /// Whether the files that hold secrets and certificates are to be read.
    pub(crate) fn reads_credentials(&self) -> bool {
        self.reads_credentials
    }

    /// Which sort of file they are of.
    pub(crate) fn document(&self) -> Document {
        self.document
    }

    /// Those of a section of which there may be several, in no order.
    pub(crate) fn nodes(&self, section: Section) -> Vec<KeyPath> {
        let path = KeyPath::new([section.top()]);
        match self.get(&path) {
            Some(ValueKind::Table(nodes)) => nodes.keys().map(|name| path.child(name)).collect(),
            _ => Vec::new(),
        }
    }

    /// The text at `path` as a `T`.
    pub(crate) fn text<T: FromStr>(&self, path: &KeyPath) -> Option<T> {
        match self.get(path)? {
            ValueKind::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number at `path` as a `T`.
    pub(crate) fn number<T: TryFrom<i128>>(&self, path: &KeyPath) -> Option<T> {
        match self.get(path)? {
            ValueKind::I128(number) => T::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Whether `path` is true.
    pub(crate) fn switch(&self, path: &KeyPath) -> Option<bool> {
        match self.get(path)? {
            ValueKind::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The duration at `path`.
    pub(crate) fn duration(&self, path: &KeyPath) -> Option<Duration> {
        self.number(path).map(Duration::from_millis)
    }

    /// The path at `path`, absolute.
    pub(crate) fn path(&self, path: &KeyPath) -> Option<PathBuf> {
        self.text::<String>(path)
            .map(|text| resolve(self.base(path), &text))
    }

    /// The texts of the list at `path`.
    pub(crate) fn texts(&self, path: &KeyPath) -> Vec<&str> {
        match self.get(path) {
            Some(ValueKind::Array(items)) => items
                .iter()
                .filter_map(|item| match &item.kind {
                    ValueKind::String(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The paths at `path`, absolute.
    pub(crate) fn paths(&self, path: &KeyPath) -> Vec<PathBuf> {
        let texts = self.texts(path).into_iter();
        texts.map(|text| resolve(self.base(path), text)).collect()
    }

    /// Whether anything is at `path`.
    pub(crate) fn has(&self, path: &KeyPath) -> bool {
        self.get(path).is_some()
    }

    /// Where the value of `path` was written; for what nobody wrote, the
    /// nearest section around it that somebody did.
    pub(crate) fn place(&self, path: &KeyPath) -> Option<&Place> {
        std::iter::once(path.clone())
            .chain(path.parents())
            .filter_map(|path| self.origins.get(&path))
            .map(|origin| &origin.place)
            .find(|place| **place != Place::Default)
    }

    /// Where that item of the list at `path` was written.
    pub(crate) fn item_place(&self, path: &KeyPath, index: usize) -> Option<&Place> {
        let origin = self.origins.get(path);
        let item = origin.and_then(|origin| origin.item_places.get(index));
        item.or_else(|| self.place(path))
    }

    /// Whether nobody wrote `path`.
    pub(crate) fn is_default(&self, path: &KeyPath) -> bool {
        self.origins
            .get(path)
            .is_none_or(|origin| origin.place == Place::Default)
    }

    fn get(&self, path: &KeyPath) -> Option<&ValueKind> {
        let (first, rest) = path.segments().split_first()?;
        let mut value = &self.merged.get(first)?.kind;
        for segment in rest {
            let ValueKind::Table(table) = value else {
                return None;
            };
            value = &table.get(segment)?.kind;
        }
        Some(value)
    }

    fn base(&self, path: &KeyPath) -> &Path {
        self.origins
            .get(path)
            .map_or(Path::new(""), |origin| &*origin.base)
    }
}

/// The last of the layers to set a key is its origin.
fn origins(layers: &[Layer]) -> HashMap<KeyPath, Origin> {
    let mut origins = HashMap::new();
    for layer in layers {
        let base: Arc<Path> = layer.base.as_path().into();
        for entry in &layer.entries {
            let origin = Origin {
                place: entry.value_place.clone(),
                item_places: entry.item_places.clone(),
                base: base.clone(),
            };
            origins.insert(entry.path.clone(), origin);
        }
    }
    origins
}

/// The defaults of all sections there are: those of the reference, and one for
/// every name that `file` declares.
fn defaults(document: Document, file: &Layer) -> Layer {
    let mut layer = Layer::new(&file.base);
    for section in document.sections().iter().copied() {
        let top = KeyPath::new([section.top()]);
        let paths = match section.is_named() {
            false => vec![top],
            true => file
                .names_below(&top)
                .into_iter()
                .map(|name| top.child(name))
                .collect(),
        };
        for path in paths {
            for key in keys_of(document, section) {
                let Presence::Default(text) = key.presence else {
                    continue;
                };
                let word = Given::Word(text.to_owned());
                layer
                    .entries
                    .extend(key.kind.read(&word).map(|given| Entry {
                        path: path.child(key.name),
                        key_place: Place::Default,
                        value_place: Place::Default,
                        item_places: Vec::new(),
                        given,
                    }));
            }
        }
    }
    layer
}

/// `path` as seen from `base`, with `folder/..` taken out where that does not
/// change what is meant. Links stay: a script behind a link that is moved to
/// the next release is to be found there.
pub(crate) fn resolve(base: &Path, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in base.join(path).components() {
        let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        match component {
            Component::ParentDir if is_folder(&resolved) => {
                resolved.pop();
            }
            component => resolved.push(component),
        }
    }
    resolved
}
