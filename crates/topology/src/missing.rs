//! What was left out and has no default.

use crate::{
    findings::Findings,
    layer::KeyPath,
    mistake::{Place, Problem},
    reference::{Key, Presence, key_of, keys_of},
    section::Section,
    settings::Settings,
};

/// Notes every key that is required, in each section that there is or has to be, and
/// that nobody gave. `top` is the place of what stands in no section.
pub(crate) fn check(settings: &Settings, top: &Place, findings: &mut Findings) {
    let document = settings.document();
    let sections = std::iter::once(&Section::Top).chain(document.sections());
    for section in sections.copied() {
        let places = match (section, section.is_named()) {
            (Section::Top, _) => vec![KeyPath::default()],
            (_, false) => vec![KeyPath::new([section.top()])],
            (_, true) => settings.nodes(section),
        };
        let required =
            || keys_of(document, section).filter(|key| key.presence == Presence::Required);
        for place in places {
            for key in required() {
                note(settings, &place.child(key.name), section, top, findings);
            }
        }
    }
}

/// Notes that `path` is missing, unless something else is wrong with it.
fn note(
    settings: &Settings,
    path: &KeyPath,
    section: Section,
    top: &Place,
    findings: &mut Findings,
) {
    if settings.has(path) || findings.touches(path) {
        return;
    }
    let place = settings.place(path).unwrap_or(top);
    let name = path.segments().last();
    let key = name.and_then(|name| key_of(settings.document(), section, name));
    let expected = key.map(Key::expects).unwrap_or_default();
    findings.note(Problem::Missing, place, path, "nothing", expected);
}
