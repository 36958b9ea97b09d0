//! What a file says in the end, key by key: the plan once more, for those who
//! compare two of them.

use std::collections::BTreeMap;

use vocabulary::Secret;

use crate::{
    kind::Kind,
    layer::KeyPath,
    reference::{Key, keys_of},
    section::Section,
    settings::Settings,
    units::{show_duration, show_size},
};

/// Every key that has a value, given or by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values(BTreeMap<KeyPath, Entry>);

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: &'static Key,
    /// Which of several it is of, if its section is one of several.
    pub(crate) owner: Option<String>,
    pub(crate) value: Value,
}

/// A value as a file would have it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Shown(String),
    /// What it is matters, and nobody sees it.
    Secret(Secret),
}

impl Values {
    /// Those of `settings`. A secret is what `secret` finds for its section, wherever
    /// it was written.
    pub(crate) fn of<'a>(
        settings: &Settings,
        secret: impl Fn(&KeyPath) -> Option<&'a Secret>,
    ) -> Values {
        let mut values = BTreeMap::new();
        let document = settings.document();
        let sections = std::iter::once(&Section::Top).chain(document.sections());
        for section in sections.copied() {
            let places = match (section, section.is_named()) {
                (Section::Top, _) => vec![KeyPath::default()],
                (_, true) => settings.nodes(section),
                (_, false) => vec![KeyPath::new([section.top()])],
            };
            for place in &places {
                let named = place.segments().last().filter(|_| section.is_named());
                for key in keys_of(document, section) {
                    let path = place.child(key.name);
                    let value = match key.kind {
                        Kind::Secret => {
                            let given = secret(place).filter(|secret| !secret.is_empty());
                            given.cloned().map(Value::Secret)
                        }
                        kind => shown(settings, &path, kind).map(Value::Shown),
                    };
                    if let Some(value) = value {
                        let owner = named.cloned();
                        values.insert(path, Entry { key, owner, value });
                    }
                }
            }
        }
        Values(values)
    }

    pub(crate) fn get(&self, path: &KeyPath) -> Option<&Entry> {
        self.0.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyPath, &Entry)> {
        self.0.iter()
    }
}

impl Value {
    /// As an operator may see it.
    pub(crate) fn show(&self) -> String {
        match self {
            Value::Shown(text) => text.clone(),
            Value::Secret(_) => "***".to_owned(),
        }
    }
}

/// The key of an entry follows from its path.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

fn shown(settings: &Settings, path: &KeyPath, kind: Kind) -> Option<String> {
    match kind {
        Kind::Size(..) => settings.number(path).map(show_size),
        Kind::Duration(..) => settings.number(path).map(show_duration),
        Kind::Count(..) => settings.number(path).map(|number: u64| number.to_string()),
        Kind::Switch => settings.switch(path).map(|value| value.to_string()),
        Kind::Path => settings.path(path).map(|path| path.display().to_string()),
        Kind::List(crate::kind::Item::Path) => settings.has(path).then(|| {
            let paths = settings.paths(path);
            list(paths.iter().map(|path| path.display().to_string()))
        }),
        Kind::List(_) => settings
            .has(path)
            .then(|| list(settings.texts(path).into_iter().map(str::to_owned))),
        _ => settings.text(path),
    }
}

/// `["a", "b"]`.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| format!("{item:?}")).collect();
    format!("[{}]", items.join(", "))
}
