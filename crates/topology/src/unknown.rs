//! Keys that the reference does not have, and what was meant by them.

use crate::{
    document::Document,
    findings::Findings,
    layer::{Entry, KeyPath},
    mistake::{Place, Problem},
    nearest::nearest,
    overrides::variable,
    reference::{keys, keys_of},
    section::Section,
};

/// Notes that the name at `depth` in the path of `entry` is none of those of `section`,
/// and which was probably meant.
pub(crate) fn note(
    entry: &Entry,
    depth: usize,
    section: Section,
    document: Document,
    findings: &mut Findings,
) {
    let segments = entry.path.segments();
    let wrong = segments[depth].as_str();
    let names = names(document, section);
    if section == Section::Top && has_strayed(wrong, &names, document) {
        stray(entry, document, findings);
        return;
    }
    let meant = match nearest(wrong, names.iter().copied()) {
        // The name is right; what follows it is too much.
        Some(name) if name == wrong => None,
        Some(name) => {
            let mut meant = segments.to_vec();
            meant[depth] = name.to_owned();
            Some(KeyPath::new(meant))
        }
        None => elsewhere(document, wrong),
    };
    let expected = match (&meant, section) {
        (None, _) => format!("one of {}", names.join(", ")),
        (Some(_), Section::Top) => "a key or a section of a topology".to_owned(),
        (Some(_), _) => match section.noun() {
            Some(noun) => format!("a key of {noun}"),
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

/// Whether `wrong` is, or is meant to be, a section of files of the other sort, and
/// none of `names`.
fn has_strayed(wrong: &str, names: &[&str], document: Document) -> bool {
    let other = document.other();
    let sections = other.sections().iter().map(|section| section.top());
    let meant = nearest(wrong, sections.filter(|top| other.alone_has(top)));
    other.alone_has(wrong) || (meant.is_some() && nearest(wrong, names.iter().copied()).is_none())
}

/// Notes what belongs into a file of the other sort.
fn stray(entry: &Entry, document: Document, findings: &mut Findings) {
    let found = format!("a part of {}", document.other().name());
    let expected = match (document, entry.path.segments()[0].as_str()) {
        (Document::Group, _) => {
            "a file of its own, with [bridges.\"bridge@0\"] and [[groups]]".to_owned()
        }
        (Document::Bridge, "security") => {
            "secret, authority and the like below the [[groups]] that they are of".to_owned()
        }
        (Document::Bridge, _) => {
            format!("one of {}", names(document, Section::Top).join(", "))
        }
    };
    let (place, path) = (&entry.key_place, &entry.path);
    findings.note(Problem::UnknownKey, place, path, found, expected);
}

fn names(document: Document, section: Section) -> Vec<&'static str> {
    let sections = match section {
        Section::Top => document.sections(),
        _ => &[],
    };
    keys_of(document, section)
        .map(|key| key.name)
        .chain(sections.iter().map(|section| section.top()))
        .collect()
}

/// The key of that name in the one section that has it, for keys that were
/// written under the wrong heading.
fn elsewhere(document: Document, name: &str) -> Option<KeyPath> {
    let mut with_name = keys(document).iter().filter(|key| key.name == name);
    let key = with_name.next()?;
    let alone = with_name.next().is_none() && !key.section.is_named();
    alone.then(|| match key.section {
        Section::Top => KeyPath::new([name]),
        section => KeyPath::new([section.top(), name]),
    })
}
