//! Log lines name one fact by one name, whoever writes them.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is written, and what it is to be called.
const SYNONYMS: [(&str, &str); 12] = [
    ("session", "session_id"),
    ("gate", "peer, or peer_id where it is a number"),
    ("scene", "peer, or peer_id where it is a number"),
    ("slave", "peer, or peer_id where it is a number"),
    ("broker", "peer, or peer_id where it is a number"),
    ("bridge", "peer, or peer_id where it is a number"),
    ("source", "peer, or peer_id where it is a number"),
    ("caller", "peer, or peer_id where it is a number"),
    ("destination", "peer, or peer_id where it is a number"),
    ("err", "error"),
    ("fault", "error"),
    ("status", "error"),
];

/// Whose names are their own: programs with a page, which are no nodes.
const LEFT_OUT: [&str; 1] = ["crates/solo"];

const MACROS: [&str; 9] = [
    "trace!(",
    "debug!(",
    "info!(",
    "warn!(",
    "error!(",
    "debug_span!(",
    "info_span!(",
    "warn_span!(",
    "error_span!(",
];

#[test]
fn every_fact_has_one_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    sources(&root.join("crates"), &mut files);
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let place = file.strip_prefix(root).unwrap();
        if LEFT_OUT.iter().any(|left_out| place.starts_with(left_out)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (line, field) in fields(&text) {
            seen += 1;
            if let Some((_, name)) = SYNONYMS.iter().find(|(synonym, _)| *synonym == field) {
                wrong.push(format!("{}:{line}: call {field} {name}", place.display()));
            }
        }
    }
    assert!(
        seen > 200,
        "{seen} fields are too few: are they read at all?"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "node_modules" && name != "tests" {
            sources(&path, files);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
}

/// The names of all fields of lines and spans, and the lines that they stand in.
fn fields(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for name in MACROS {
        for (at, _) in text.match_indices(name) {
            let before = text[..at].chars().next_back();
            // Another macro whose name ends so.
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let line = text[..at].lines().count();
            let inside = &text[at + name.len()..];
            let named = arguments(inside).into_iter().filter_map(field);
            found.extend(named.map(|name| (line, name)));
        }
    }
    found
}

/// What stands between the commas, up to the end of the macro.
fn arguments(inside: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut is_text, mut found) = (0, 0, false, Vec::new());
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if is_text => drop(characters.next()),
            '"' => is_text = !is_text,
            _ if is_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' => {
                found.push(inside[begin..at].trim());
                return found;
            }
            ',' if depth == 0 => {
                found.push(inside[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// `name = value`, `%name`, `?name` or `name`.
fn field(argument: &str) -> Option<String> {
    let (name, _) = argument.split_once(" = ").unwrap_or((argument, ""));
    let name = name.trim_start_matches(['%', '?']);
    let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
    (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_owned())
}

#[test]
fn fields_are_read_as_macros_have_them() {
    let text = r#"
        info!(target: "x", %login, session = %a.b(c, d), "said, {}", 1);
        my_debug!(gate);
        error_span!("link", peer, node_id = ?{ x });
    "#;
    let mut names: Vec<String> = fields(text).into_iter().map(|(_, name)| name).collect();
    names.sort();
    assert_eq!(names, ["login", "node_id", "peer", "session"]);
}
