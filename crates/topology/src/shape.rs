//! Holds one layer against the reference: every key known, every value of its
//! type, every name of its grammar.

use std::collections::HashSet;

use crate::{
    document::Document,
    findings::Findings,
    group_list::is_nameless,
    kind::Kind,
    layer::{Entry, Given, KeyPath, Layer},
    mistake::Problem,
    reference::{Key, key_of},
    section::Section,
    unknown,
};

/// What the reference has at a key.
enum Spot {
    Key(&'static Key),
    Section(Section),
    /// The section of one of several, by its name.
    Named(Section),
    /// Nothing: the name at this depth is not one of those of the section.
    Unknown(usize, Section),
}

/// Notes what is wrong with `layer` and gives back what is right in it, each
/// value in its plain form.
pub(crate) fn check(layer: Layer, document: Document, findings: &mut Findings) -> Layer {
    let mut sound = Layer::new(&layer.base);
    // Below these nothing is looked at: the mistake above is the cause.
    let mut closed: HashSet<KeyPath> = HashSet::new();
    // Below these everything is looked at, and nothing is kept.
    let mut nameless: HashSet<KeyPath> = HashSet::new();
    for entry in layer.entries {
        if entry.path.parents().any(|parent| closed.contains(&parent)) {
            continue;
        }
        let spot = locate(document, &entry.path);
        if let Spot::Named(section) = spot
            && entry.given == Given::Section
            && !is_named(&entry, section, findings)
        {
            nameless.insert(entry.path);
            continue;
        }
        match judge(&entry, &spot, document, findings) {
            Some(given)
                if !entry
                    .path
                    .parents()
                    .any(|parent| nameless.contains(&parent)) =>
            {
                sound.entries.push(Entry { given, ..entry });
            }
            Some(_) => {}
            // Overrides do not stand in each other, however their keys look.
            None if matches!(entry.given, Given::Word(_)) => {}
            None => {
                closed.insert(entry.path);
            }
        }
    }
    sound
}

/// Whether the reference has this key or section.
pub(crate) fn is_known(document: Document, path: &KeyPath) -> bool {
    !matches!(locate(document, path), Spot::Unknown(..))
}

fn locate(document: Document, path: &KeyPath) -> Spot {
    let segments = path.segments();
    let Some(top) = segments.first() else {
        return Spot::Section(Section::Top);
    };
    let Some(section) = document.section(top) else {
        return match key_of(document, Section::Top, top) {
            Some(key) if segments.len() == 1 => Spot::Key(key),
            _ => Spot::Unknown(0, Section::Top),
        };
    };
    let depth = if section.is_named() { 2 } else { 1 };
    match segments.len() {
        length if length < depth => Spot::Section(section),
        length if length == depth && depth == 2 => Spot::Named(section),
        length if length == depth => Spot::Section(section),
        length => match key_of(document, section, &segments[depth]) {
            Some(key) if length == depth + 1 => Spot::Key(key),
            _ => Spot::Unknown(depth, section),
        },
    }
}

/// The plain value, or nothing when it was wrong.
fn judge(entry: &Entry, spot: &Spot, document: Document, findings: &mut Findings) -> Option<Given> {
    match spot {
        Spot::Key(key) => key.kind.read(&entry.given).or_else(|| {
            wrong_value(entry, key, findings);
            None
        }),
        Spot::Section(_) | Spot::Named(_) if entry.given == Given::Section => Some(Given::Section),
        Spot::Section(section) | Spot::Named(section) => {
            // The type alone: a secret may stand where its section should.
            let found = entry.given.type_name();
            let expected = match entry.given {
                Given::Word(_) => "one of the keys in that section".to_owned(),
                _ => format!("a section, such as {}", section.heading()),
            };
            findings.note(
                Problem::WrongValue,
                &entry.value_place,
                &entry.path,
                found,
                expected,
            );
            None
        }
        Spot::Unknown(depth, section) => {
            unknown::note(entry, *depth, *section, document, findings);
            None
        }
    }
}

/// Notes what is wrong with the value: of a list, each item that is.
fn wrong_value(entry: &Entry, key: &Key, findings: &mut Findings) {
    let faults = key.kind.item_faults(&entry.given);
    for fault in &faults {
        findings.note(
            Problem::WrongValue,
            entry.item_place(fault.index),
            &entry.path,
            &fault.found,
            fault.expected,
        );
    }
    if faults.is_empty() {
        findings.note(
            Problem::WrongValue,
            &entry.value_place,
            &entry.path,
            found(key, &entry.given),
            key.kind.expects_for(&entry.given),
        );
    }
}

/// The value as a message may show it: where secrets stand, its type alone.
fn found(key: &Key, given: &Given) -> String {
    match (key.section, key.kind, given) {
        (Section::Security, ..)
        | (Section::Group, Kind::Secret | Kind::Path | Kind::Switch, _)
        | (_, Kind::List(_), Given::List(_)) => given.type_name().to_owned(),
        _ => given.describe(),
    }
}

fn is_named(entry: &Entry, section: Section, findings: &mut Findings) -> bool {
    let Some(name) = entry.path.segments().last() else {
        return true;
    };
    if section.admits(name) {
        return true;
    }
    if section == Section::Group && is_nameless(name) {
        // That has been noted, or will be with its `name`.
        return false;
    }
    let found = Given::Text(name.clone()).describe();
    let expected = section.expects_name();
    findings.note(
        Problem::BadName,
        &entry.key_place,
        &entry.path,
        found,
        expected,
    );
    false
}
