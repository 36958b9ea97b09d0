//! What is given outside the file: environment variables and `--set`.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use crate::{
    findings::Findings,
    layer::{Entry, Given, KeyPath, Layer, key_text},
    mistake::{Place, Problem},
    nearest::nearest,
    reference::Section,
};

/// What the names of our variables begin with; two underscores stand between
/// the parts of a key: `REDRABBIT__MASTER__LISTEN`.
const PREFIX: &str = "REDRABBIT__";

/// The variable that overrides a key.
pub(crate) fn variable(path: &KeyPath) -> String {
    let parts: Vec<String> = path
        .segments()
        .iter()
        .map(|part| part.to_uppercase())
        .collect();
    format!("{PREFIX}{}", parts.join("__"))
}

/// The variables of `environment` that are ours. They reach sections that name
/// no node: a variable's name can hold no `@`.
pub(crate) fn environment(
    environment: &[(OsString, OsString)],
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
        if let Some(section) = Section::named(&path.segments()[0])
            && section.role().is_some()
        {
            let expected = format!("--set {}.…=…", section.path().replace('"', ""));
            let found = "a variable for a section of nodes";
            findings.note(Problem::UnknownKey, &place, &path, found, expected);
        } else if let Some(entry) = entry(path, place, value, findings) {
            layer.entries.push(entry);
        }
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

/// Notes overrides of nodes that `file` does not declare, and takes them out.
/// A node that only one daemon's command line knows would be in nobody else's
/// plan.
pub(crate) fn keep_declared(layer: &mut Layer, file: &Layer, findings: &mut Findings) {
    layer.entries.retain(|entry| {
        let [top, name, ..] = entry.path.segments() else {
            return true;
        };
        if Section::named(top).is_none_or(|section| section.role().is_none()) {
            return true;
        }
        let declared = file.names_below(&KeyPath::new([top]));
        if declared.contains(name.as_str()) {
            return true;
        }
        let expected = match declared.iter().copied().collect::<Vec<_>>().join(", ") {
            names if names.is_empty() => format!("a node of [{top}], which declares none"),
            names => format!("a node that the file declares: {names}"),
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
