//! The list of groups that bridges join, by the names of the groups: `groups.GroupB`.
//!
//! A file has it as `[[groups]]`, one heading a group. Under its name each is found
//! by overrides and in messages. One without a name of its own is checked under
//! `groups.#2`, and then left out.

use std::collections::{BTreeMap, HashSet};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};
use vocabulary::GroupName;

use crate::{
    file,
    findings::Findings,
    kind::Kind,
    layer::{Entry, Given, KeyPath, Layer},
    lines::Lines,
    mistake::Problem,
    nearest::nearest,
    section::Section,
};

/// Where the list stands.
pub(crate) struct Groups<'a> {
    pub(crate) lines: &'a Lines<'a>,
    /// Lines that are not TOML. A name in them may be a piece of something else.
    pub(crate) broken: &'a HashSet<usize>,
    /// Whether the file has none.
    pub(crate) is_whole: bool,
}

/// The key of a group that says which it is.
pub(crate) const NAME: &str = "name";

/// What stands for the name of the group in the place `index` of the list, if it has
/// none. No name of a group is so.
pub(crate) fn nameless(index: usize) -> String {
    format!("#{}", index + 1)
}

/// Whether that stands for a name.
pub(crate) fn is_nameless(name: &str) -> bool {
    name.starts_with('#')
}

impl Groups<'_> {
    /// Puts the groups of the list `value` into `layer`, and notes what keeps one from
    /// being known by its name.
    pub(crate) fn flatten(
        &self,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        layer: &mut Layer,
        findings: &mut Findings,
    ) {
        let top = KeyPath::new([Section::Group.top()]);
        let place = self.lines.place(value.span().start);
        let expected = "a heading [[groups]] for each group, with name and master below it";
        let DeValue::Array(items) = value.get_ref() else {
            let found = file::given(value.get_ref());
            findings.note(
                Problem::WrongValue,
                &place,
                &top,
                found.type_name(),
                expected,
            );
            return;
        };
        layer.entries.push(self.section(&top, key.span().start));
        let mut known = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let at = item.span().start;
            let DeValue::Table(group) = item.get_ref() else {
                let found = file::given(item.get_ref());
                let (place, path) = (self.lines.place(at), top.child(&nameless(index)));
                findings.note(
                    Problem::WrongValue,
                    &place,
                    &path,
                    found.type_name(),
                    expected,
                );
                // Whether there are too few cannot be told.
                findings.mark(top.clone());
                continue;
            };
            let name = self.name(index, group, at, &mut known, findings);
            let path = top.child(&name);
            layer.entries.push(self.section(&path, at));
            file::flatten(group, &path, self.lines, layer);
        }
    }

    fn section(&self, path: &KeyPath, at: usize) -> Entry {
        let place = self.lines.place(at);
        Entry {
            path: path.clone(),
            key_place: place.clone(),
            value_place: place,
            item_places: Vec::new(),
            given: Given::Section,
        }
    }

    /// The name of the group that begins `at`, or what stands for it. `known` has the
    /// lines of those before it.
    fn name(
        &self,
        index: usize,
        group: &DeTable<'_>,
        at: usize,
        known: &mut BTreeMap<String, usize>,
        findings: &mut Findings,
    ) -> String {
        let unnamed = nameless(index);
        let path = KeyPath::new([Section::Group.top(), &unnamed, NAME]);
        let Some(value) = group.get(NAME) else {
            let is_misspelt = group
                .keys()
                .any(|key| nearest(key.get_ref(), [NAME]).is_some());
            if self.is_whole && !is_misspelt {
                let (place, expected) = (self.lines.place(at), Kind::Group.expects());
                findings.note(Problem::Missing, &place, &path, "nothing", expected);
            }
            return unnamed;
        };
        let (line, _) = self.lines.position(value.span().start);
        // What is no name at all is noted where all values are.
        let name = value
            .get_ref()
            .as_str()
            .filter(|name| name.parse::<GroupName>().is_ok());
        let Some(name) = name.filter(|_| !self.broken.contains(&line)) else {
            return unnamed;
        };
        if let Some(first) = known.get(name) {
            let place = self.lines.place(value.span().start);
            let found = format!("{name}, given a second time, first in line {first}");
            let expected = "each group only once";
            findings.note(Problem::Duplicate, &place, &path, found, expected);
            return unnamed;
        }
        known.insert(name.to_owned(), line);
        name.to_owned()
    }
}
