//! The files of TLS: all of them or none, and each to be read.

use std::{fs, path::Path};

use vocabulary::TlsFiles;

use crate::{
    file::unreadable, findings::Findings, layer::KeyPath, mistake::Problem, security::NAME,
    settings::Settings,
};

/// The keys that name a file of TLS.
const KEYS: [&str; 3] = ["authority", "certificate", "key"];

/// Where the files are that the section `at` names, `{name}` still in them; nothing where no key names one,
/// or where something is wrong, which is then noted.
pub(crate) fn files(
    settings: &Settings,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<TlsFiles> {
    let paths = KEYS.map(|name| at.child(name));
    for path in &paths {
        match settings.path(path) {
            Some(file) => readable(settings, path, &file, findings),
            None => missing(settings, path, &paths, findings),
        }
    }
    let [authority, certificate, key] = paths.map(|path| settings.path(&path));
    Some(TlsFiles {
        authority: authority?,
        certificate: certificate?,
        key: key?,
    })
}

/// Whether any of the keys was given in the section `at`, right or wrong.
pub(crate) fn is_wanted(settings: &Settings, at: &KeyPath, findings: &Findings) -> bool {
    let path = |name| at.child(name);
    let given = |path: &KeyPath| settings.text::<String>(path).is_some();
    KEYS.map(path)
        .iter()
        .any(|path| given(path) || findings.touches(path))
}

/// Notes that `path` was left out beside others that were not.
fn missing(settings: &Settings, path: &KeyPath, all: &[KeyPath], findings: &mut Findings) {
    let given = all.iter().find_map(|other| {
        settings.text::<String>(other)?;
        Some((other, settings.place(other)?))
    });
    let (Some((other, place)), false) = (given, findings.touches(path)) else {
        return;
    };
    let found = format!("nothing, beside {other} ({})", place.briefly());
    let expected = "authority, certificate and key, or none of them";
    findings.note(Problem::Missing, place, path, found, expected);
}

/// Notes that `file` cannot be read. One that has the name of a node in its own
/// is only on the machine of that node. The path is not shown: a key itself may
/// have been put in its place.
fn readable(settings: &Settings, path: &KeyPath, file: &Path, findings: &mut Findings) {
    let is_authority = path.segments().last().is_some_and(|name| name == KEYS[0]);
    let is_of_a_node = !is_authority && file.to_string_lossy().contains(NAME);
    if is_of_a_node || !settings.reads_credentials() {
        return;
    }
    let (Err(error), Some(place)) = (fs::read(file), settings.place(path)) else {
        return;
    };
    let expected = match is_authority {
        true => "a file in PEM, the same for every node",
        false => "a file in PEM; with {name} in its path each node has its own",
    };
    findings.note(
        Problem::Unreadable,
        place,
        path,
        unreadable(&error),
        expected,
    );
}
