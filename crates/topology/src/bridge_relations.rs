//! What no single key of a bridge's file can tell: whether there is something to
//! bridge, and whether the groups are told apart and reached in a safe way.

use std::net::SocketAddr;

use crate::{
    addresses, credentials,
    findings::Findings,
    layer::{KeyPath, Layer},
    mistake::{Place, Problem},
    relations,
    section::Section,
    settings::Settings,
};

/// How many groups a bridge may tell each of them that it joins beside that one.
const MOST_OTHERS: usize = 256;

/// Notes a file that names no bridge, or not enough for one to join. `layer` is all that
/// it says, right or wrong, and `top` the place of what it does not.
pub(crate) fn check_enough(layer: &Layer, top: &Place, findings: &mut Findings) {
    let mut check = |section: Section, least: usize, expected: &str| {
        let path = KeyPath::new([section.top()]);
        let count = layer.names_below(&path).len();
        if count >= least || findings.touches(&path) {
            return;
        }
        let written = layer.entries.iter().find(|entry| entry.path == path);
        let place = written.map_or(top, |entry| &entry.key_place);
        let found = match (section, count) {
            (Section::Group, 1) => "one group",
            _ => "nothing",
        };
        findings.note(Problem::Missing, place, &path, found, expected);
    };
    check(
        Section::Bridge,
        1,
        "a section such as [bridges.\"bridge@0\"]",
    );
    check(
        Section::Group,
        2,
        "two groups or more, each below a heading [[groups]]",
    );
}

/// Notes the first group that is one too many for bridges to tell of.
fn check_few(settings: &Settings, findings: &mut Findings) {
    let mut groups: Vec<_> = settings
        .nodes(Section::Group)
        .into_iter()
        .filter_map(|group| Some((settings.place(&group)?.clone(), group)))
        .collect();
    groups.sort_by(|(a, _), (b, _)| a.order(b));
    if let Some((place, group)) = groups.get(MOST_OTHERS + 1) {
        let found = format!("{} groups", groups.len());
        let expected = format!("{} at most in one file", MOST_OTHERS + 1);
        findings.note(Problem::Clash, place, group, found, expected);
    }
}

/// Notes every way in which the settings contradict each other.
pub(crate) fn check(settings: &Settings, findings: &mut Findings) {
    check_few(settings, findings);
    addresses::clashes(settings, findings);
    relations::pairs(settings, findings);
    let masters = masters(settings);
    same(&masters, findings);
    for Master {
        group,
        path,
        address,
        place,
    } in &masters
    {
        if address.ip().to_canonical().is_loopback() {
            continue;
        }
        let found = format!("{address}, which is beyond loopback");
        let at = (path, *place, found.as_str());
        credentials::check_exposure(settings, group, "beside it", at, findings);
    }
}

/// Where a group's master is.
struct Master<'a> {
    group: KeyPath,
    path: KeyPath,
    address: SocketAddr,
    place: &'a Place,
}

/// Those of all groups, in the order of the file.
fn masters(settings: &Settings) -> Vec<Master<'_>> {
    let groups = settings.nodes(Section::Group).into_iter();
    let mut masters: Vec<Master<'_>> = groups
        .filter_map(|group| {
            let path = group.child("master");
            Some(Master {
                address: settings.text(&path)?,
                place: settings.place(&path)?,
                group,
                path,
            })
        })
        .collect();
    masters.sort_by(|a, b| a.place.order(b.place).then_with(|| a.path.cmp(&b.path)));
    masters
}

/// A master is of one group.
fn same(masters: &[Master<'_>], findings: &mut Findings) {
    for (index, later) in masters.iter().enumerate() {
        let canonical =
            |master: &Master<'_>| (master.address.ip().to_canonical(), master.address.port());
        let earlier = masters[..index]
            .iter()
            .find(|earlier| canonical(earlier) == canonical(later));
        if let Some(earlier) = earlier {
            let found = format!(
                "{}, which is {} ({})",
                later.address,
                earlier.path,
                earlier.place.briefly(),
            );
            let expected = "the address of another master: each is of one group";
            findings.note(Problem::Clash, later.place, &later.path, found, expected);
        }
    }
}
