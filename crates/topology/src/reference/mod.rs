//! Every key that a topology knows: the tables that validation, defaults and
//! documentation are made of, one for each sort of file.

mod bridge;
mod group;
mod table;

use crate::{document::Document, kind::Kind, section::Section};

pub use table::reference_page;

/// A key of a topology.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands.
    pub section: Section,
    /// Its name there.
    pub name: &'static str,
    /// Whether it may be left out.
    pub presence: Presence,
    /// How a change of it takes effect in nodes that run.
    pub effect: Effect,
    /// What it does, in one line.
    pub meaning: &'static str,
    pub(crate) kind: Kind,
}

/// Whether a key may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It must be given.
    Required,
    /// It may be left out, and then there is no such thing.
    Optional,
    /// It may be left out, and then it is this.
    Default(&'static str),
}

/// How a change of a key takes effect, once its nodes have read the file again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// At once, in every node that it concerns.
    Live,
    /// When the node of that section has been restarted; for `limits.lease` the
    /// master.
    Node,
    /// When every node of the file has been restarted.
    Group,
}

impl Effect {
    /// In a word: `live`, `node`, `group`.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Live => "live",
            Effect::Node => "node",
            Effect::Group => "group",
        }
    }
}

/// All keys of one sort of file, section by section in the order of the file.
pub fn keys(document: Document) -> &'static [Key] {
    match document {
        Document::Group => group::KEYS,
        Document::Bridge => bridge::KEYS,
    }
}

impl Key {
    /// The type of its value in a word, such as `size`.
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// What a value of it has to be, such as "a whole number from 1 to 64".
    pub fn expects(&self) -> String {
        self.kind.expects()
    }

    /// Where it stands in a file, such as `gates."gate@0".tcp`.
    pub fn path(&self) -> String {
        match self.section.path() {
            "" => self.name.to_owned(),
            section => format!("{section}.{}", self.name),
        }
    }
}

/// The keys of `section` in files of this sort.
pub(crate) fn keys_of(document: Document, section: Section) -> impl Iterator<Item = &'static Key> {
    keys(document)
        .iter()
        .filter(move |key| key.section == section)
}

/// The key of that name in `section`.
pub(crate) fn key_of(document: Document, section: Section, name: &str) -> Option<&'static Key> {
    keys_of(document, section).find(|key| key.name == name)
}

use Presence::Default;

const fn key(
    section: Section,
    name: &'static str,
    kind: Kind,
    presence: Presence,
    effect: Effect,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        presence,
        effect,
        meaning,
        kind,
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR: u64 = 3600 * 1000;

const LINK_OUTBOX_BYTES: Key = key(
    Section::Limits,
    "link_outbox_bytes",
    Kind::Size(KIB, 4 * GIB),
    Default("64MiB"),
    Effect::Group,
    "bytes that may wait on a link before calls end as overloaded",
);

/// A pair has to take an envelope of any size, which is 1 MiB at most.
const PAIR_BYTES: (Kind, Presence) = (Kind::Size(MIB, GIB), Default("16MiB"));

const DRAIN_GRACE: Key = key(
    Section::Limits,
    "drain_grace",
    Kind::Duration(1, 24 * HOUR),
    Default("10s"),
    Effect::Live,
    "what a daemon that is told to stop has to finish its work",
);

const LOG_LEVEL: Key = key(
    Section::Log,
    "level",
    Kind::Levels,
    Default("info"),
    Effect::Live,
    "what is logged: a level, and others for parts of a program; RUST_LOG overrides it",
);

const LOG_FORMAT: Key = key(
    Section::Log,
    "format",
    Kind::OneOf(&["text", "json", "journald"]),
    Default("text"),
    Effect::Group,
    "how: lines for people, an object a line, or fields to the journal of systemd; \
     --log-format overrides it",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Given;

    fn all() -> impl Iterator<Item = (Document, &'static Key)> {
        let documents = [Document::Group, Document::Bridge];
        documents
            .into_iter()
            .flat_map(|document| keys(document).iter().map(move |key| (document, key)))
    }

    #[test]
    fn every_default_is_a_valid_value_of_its_key() {
        for (_, key) in all() {
            if let Presence::Default(text) = key.presence {
                let given = Given::Word(text.to_owned());
                assert!(key.kind.read(&given).is_some(), "{}", key.path());
            }
        }
    }

    #[test]
    fn a_key_stands_in_a_section_once() {
        for (document, key) in all() {
            let same = keys_of(document, key.section).filter(|other| other.name == key.name);
            assert_eq!(same.count(), 1, "{}", key.path());
        }
    }

    #[test]
    fn a_key_stands_in_a_section_of_its_own_sort_of_file() {
        for (document, key) in all() {
            let known = key.section == Section::Top || document.sections().contains(&key.section);
            assert!(known, "{}", key.path());
        }
    }
}
