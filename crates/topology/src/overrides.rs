//! What is given outside the file: environment variables and `--set`.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use crate::{
    document::Document,
    findings::Findings,
    group_list,
    layer::{Entry, Given, KeyPath, Layer, key_text},
    mistake::{Place, Problem},
    nearest::nearest,
    section::Section,
};

/// What the names of our variables begin with; two underscores stand between
/// the parts of a key: `REDRABBIT__MASTER__LISTEN`.
const PREFIX: &str = "REDRABBIT__";

/// The variable that overrides a key.
pub(crate) fn variable(path: &KeyPath) -> String {
    let parts: Vec<String> = path
        .segments()
        .iter()
        .map(|part| spelt(part).to_uppercase())
        .collect();
    format!("{PREFIX}{}", parts.join("__"))
}

/// A name as the name of a variable can hold it.
fn spelt(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// The variables of `environment` that are ours. They reach sections that name
/// no node: a variable's name can hold no `@`. What else has a name is meant in
/// whichever way `file` spells it.
pub(crate) fn environment(
    environment: &[(OsString, OsString)],
    document: Document,
    file: &Layer,
    base: &Path,
    findings: &mut Findings,
) -> Layer {
    let mut layer = Layer::new(base);
    for (name, value) in environment {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let path = KeyPath::new(rest.split("__").map(str::to_lowercase));
        let place = Place::Environment(key_text(&name));
        let section = document.section(&path.segments()[0]);
        if let Some(section) = section
            && section.role().is_some()
        {
            let expected = format!("--set {}.…=…", section.path().replace('"', ""));
            let found = "a variable for a section of nodes";
            findings.note(Problem::UnknownKey, &place, &path, found, expected);
            continue;
        }
        let path = match section.filter(|section| section.is_named()) {
            Some(section) => as_declared(path, section, &place, file, findings),
            None => Some(path),
        };
        let entry = path.and_then(|path| entry(path, place, value, findings));
        layer.entries.extend(entry);
    }
    layer
}

/// The `key=value` arguments. A key is written as in the file, and the quotes
/// around a node's name may be left out: `gates.gate@0.tcp=127.0.0.1:9`.
pub(crate) fn arguments(set: &[String], base: &Path, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new(base);
    for argument in set {
        let Some((key, value)) = argument.split_once('=') else {
            // Only what looks like a key is repeated: the rest may be a secret.
            let key: String = argument
                .chars()
                .take_while(|char| is_of_a_key(*char))
                .collect();
            let place = Place::Set(key);
            let expected = "a key and a value, such as master.listen=127.0.0.1:10241";
            findings.note(
                Problem::Syntax,
                &place,
                &KeyPath::default(),
                "no \"=\"",
                expected,
            );
            continue;
        };
        let path = KeyPath::new(key.trim().split('.').map(unquoted));
        let place = Place::Set(path.to_string());
        layer
            .entries
            .extend(entry(path, place, OsStr::new(value), findings));
    }
    layer
}

/// The key that a variable's name stands for, whose case is lost: with the name of one
/// of `section` as `file` declares it.
fn as_declared(
    path: KeyPath,
    section: Section,
    place: &Place,
    file: &Layer,
    findings: &mut Findings,
) -> Option<KeyPath> {
    let [top, name, rest @ ..] = path.segments() else {
        return Some(path);
    };
    let declared = file.names_below(&KeyPath::new([top]));
    let meant = declared
        .into_iter()
        .filter(|declared| spelt(declared) == spelt(name));
    let meant: Vec<&str> = meant.collect();
    match meant.as_slice() {
        [] => Some(path),
        [meant] => Some(KeyPath::new(
            [top, *meant]
                .into_iter()
                .chain(rest.iter().map(String::as_str)),
        )),
        several => {
            let found = format!("a variable for each of {}", several.join(", "));
            let expected = format!("--set {}.{}.…=…", section.top(), several[0]);
            findings.note(Problem::UnknownKey, place, &path, found, expected);
            None
        }
    }
}

/// Notes overrides of what `file` does not declare by that name, and takes them out.
/// A node that only one daemon's command line knows would be in nobody else's
/// plan.
pub(crate) fn keep_declared(
    layer: &mut Layer,
    document: Document,
    file: &Layer,
    findings: &mut Findings,
) {
    layer.entries.retain(|entry| {
        let [top, name, below @ ..] = entry.path.segments() else {
            return true;
        };
        let section = document.section(top).filter(|section| section.is_named());
        let Some(section) = section else {
            return true;
        };
        if section == Section::Group && below == [group_list::NAME] {
            let found = "another name for a group that the file lists";
            let expected = "its name in the file alone: overrides find it by that";
            findings.note(
                Problem::Clash,
                &entry.key_place,
                &entry.path,
                found,
                expected,
            );
            return false;
        }
        let declared = file.names_below(&KeyPath::new([top]));
        if declared.contains(name.as_str()) {
            return true;
        }
        let noun = match section.role() {
            Some(_) => "a node",
            None => section.noun().unwrap_or_default(),
        };
        let expected = match declared.iter().copied().collect::<Vec<_>>().join(", ") {
            names if names.is_empty() => format!("{noun} of [{top}], which declares none"),
            names => format!("{noun} that the file declares: {names}"),
        };
        let found = format!("{}, which the file does not declare", key_text(name));
        let place = &entry.key_place;
        let mistake = findings.note(Problem::Undeclared, place, &entry.path, found, expected);
        mistake.nearest = nearest(name, declared).map(str::to_owned);
        false
    });
}

fn entry(path: KeyPath, place: Place, value: &OsStr, findings: &mut Findings) -> Option<Entry> {
    let Some(value) = value.to_str() else {
        findings.note(
            Problem::WrongValue,
            &place,
            &path,
            "bytes that are not UTF-8",
            "text",
        );
        return None;
    };
    Some(Entry {
        path,
        key_place: place.clone(),
        value_place: place,
        item_places: Vec::new(),
        given: Given::Word(value.to_owned()),
    })
}

fn unquoted(segment: &str) -> &str {
    segment
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(segment)
}

fn is_of_a_key(char: char) -> bool {
    char.is_ascii_alphanumeric() || "._-@\"".contains(char)
}
