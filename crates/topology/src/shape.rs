//! Holds one layer against the reference: every key known, every value of its
//! type, every name of its grammar.

use std::collections::HashSet;

use crate::{
    findings::Findings,
    layer::{Entry, Given, KeyPath, Layer},
    mistake::{Place, Problem},
    nearest::nearest,
    overrides::variable,
    reference::{Key, SECTIONS, Section, keys},
};

/// What the reference has at a key.
enum Spot {
    Key(&'static Key),
    Section(Section),
    /// The section of one node.
    Node(Section),
    /// Nothing: the name at this depth is not one of those of the section.
    Unknown(usize, Section),
}

/// Notes what is wrong with `layer` and gives back what is right in it, each
/// value in its plain form.
pub(crate) fn check(layer: Layer, findings: &mut Findings) -> Layer {
    let mut sound = Layer::new(&layer.base);
    // Below these nothing is looked at: the mistake above is the cause.
    let mut closed: HashSet<KeyPath> = HashSet::new();
    // Below these everything is looked at, and nothing is kept.
    let mut nameless: HashSet<KeyPath> = HashSet::new();
    for entry in layer.entries {
        if entry.path.parents().any(|parent| closed.contains(&parent)) {
            continue;
        }
        let spot = locate(&entry.path);
        if let Spot::Node(section) = spot
            && entry.given == Given::Section
            && !is_named(&entry, section, findings)
        {
            nameless.insert(entry.path);
            continue;
        }
        match judge(&entry, &spot, findings) {
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
pub(crate) fn is_known(path: &KeyPath) -> bool {
    !matches!(locate(path), Spot::Unknown(..))
}

fn locate(path: &KeyPath) -> Spot {
    let segments = path.segments();
    let Some(top) = segments.first() else {
        return Spot::Section(Section::Top);
    };
    let Some(section) = Section::named(top) else {
        return match Section::Top.key(top) {
            Some(key) if segments.len() == 1 => Spot::Key(key),
            _ => Spot::Unknown(0, Section::Top),
        };
    };
    let depth = if section.role().is_some() { 2 } else { 1 };
    match segments.len() {
        length if length < depth => Spot::Section(section),
        length if length == depth && depth == 2 => Spot::Node(section),
        length if length == depth => Spot::Section(section),
        length => match section.key(&segments[depth]) {
            Some(key) if length == depth + 1 => Spot::Key(key),
            _ => Spot::Unknown(depth, section),
        },
    }
}

/// The plain value, or nothing when it was wrong.
fn judge(entry: &Entry, spot: &Spot, findings: &mut Findings) -> Option<Given> {
    match spot {
        Spot::Key(key) => key.kind.read(&entry.given).or_else(|| {
            findings.note(
                Problem::WrongValue,
                &entry.value_place,
                &entry.path,
                found(key, &entry.given),
                key.kind.expects_for(&entry.given),
            );
            None
        }),
        Spot::Section(_) | Spot::Node(_) if entry.given == Given::Section => Some(Given::Section),
        Spot::Section(section) | Spot::Node(section) => {
            // The type alone: a secret may stand where its section should.
            let found = entry.given.type_name();
            let expected = match entry.given {
                Given::Word(_) => "one of the keys in that section".to_owned(),
                _ => format!("a section, such as [{}]", section.path()),
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
            unknown(entry, *depth, *section, findings);
            None
        }
    }
}

/// The value as a message may show it.
fn found(key: &Key, given: &Given) -> String {
    match key.section {
        Section::Security => given.type_name().to_owned(),
        _ => given.describe(),
    }
}

fn is_named(entry: &Entry, section: Section, findings: &mut Findings) -> bool {
    let Some((role, name)) = section.role().zip(entry.path.segments().last()) else {
        return true;
    };
    if section.admits(name) {
        return true;
    }
    let found = Given::Text(name.clone()).describe();
    let expected = format!("a name such as \"{role}@0\" or \"{role}@1\"");
    findings.note(
        Problem::BadName,
        &entry.key_place,
        &entry.path,
        found,
        expected,
    );
    false
}

fn unknown(entry: &Entry, depth: usize, section: Section, findings: &mut Findings) {
    let segments = entry.path.segments();
    let wrong = segments[depth].as_str();
    let names = names(section);
    let meant = match nearest(wrong, names.iter().copied()) {
        // The name is right; what follows it is too much.
        Some(name) if name == wrong => None,
        Some(name) => {
            let mut meant = segments.to_vec();
            meant[depth] = name.to_owned();
            Some(KeyPath::new(meant))
        }
        None => elsewhere(wrong),
    };
    let expected = match (&meant, section) {
        (None, _) => format!("one of {}", names.join(", ")),
        (Some(_), Section::Top) => "a key or a section of a topology".to_owned(),
        (Some(_), _) => match section.role() {
            Some(role) => format!("a key of a {role}"),
            None => format!("a key of [{}]", section.path()),
        },
    };
    let mistake = findings.note(
        Problem::UnknownKey,
        &entry.key_place,
        &entry.path,
        "an unknown key",
        expected,
    );
    if let Some(meant) = meant {
        mistake.nearest = Some(match &entry.key_place {
            Place::Environment(_) => variable(&meant),
            _ => meant.to_string(),
        });
        // It was given, in a way: it is not missing as well.
        findings.mark(meant);
    }
}

fn names(section: Section) -> Vec<&'static str> {
    let sections = match section {
        Section::Top => &SECTIONS[..],
        _ => &[],
    };
    section
        .keys()
        .map(|key| key.name)
        .chain(sections.iter().map(|section| section.top()))
        .collect()
}

/// The key of that name in the one section that has it, for keys that were
/// written under the wrong heading.
fn elsewhere(name: &str) -> Option<KeyPath> {
    let mut with_name = keys().iter().filter(|key| key.name == name);
    let key = with_name.next()?;
    let alone = with_name.next().is_none() && key.section.role().is_none();
    alone.then(|| match key.section {
        Section::Top => KeyPath::new([name]),
        section => KeyPath::new([section.top(), name]),
    })
}
