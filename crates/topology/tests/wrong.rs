//! Wrong files, each with the message that it gets beside it.
//!
//! The messages are for people: after a change here, read them. They are
//! written anew by `UPDATE_EXPECTED=1 cargo test -p topology --test wrong`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use topology::{BridgePlan, Topology, TopologyError};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong")
}

fn wrong_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the folder is part of the crate")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

/// The refusal of a file, by a bridge where the name of the file begins so.
fn refused(path: &Path) -> TopologyError {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let taken = "a wrong file was taken";
    match name.starts_with("bridge_") {
        true => BridgePlan::load(path, &[]).expect_err(taken),
        false => Topology::load(path, &[]).expect_err(taken),
    }
}

/// The message with the folder taken out, so that it is the same everywhere.
fn message(path: &Path) -> String {
    let error = refused(path);
    format!("{error}\n").replace(&format!("{}/", folder().display()), "")
}

#[test]
fn every_wrong_file_gets_the_message_beside_it() {
    let files = wrong_files();
    assert!(files.len() >= 45, "only {} wrong files", files.len());
    let mut different = Vec::new();
    for path in files {
        let message = message(&path);
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &message).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != message {
            different.push(format!("--- {}\n{message}", expected.display()));
        }
    }
    assert!(
        different.is_empty(),
        "other messages than expected:\n{}",
        different.join("\n")
    );
}

#[test]
fn every_mistake_has_a_place_a_find_and_an_expectation() {
    for path in wrong_files() {
        let error = refused(&path);
        assert_eq!(error.path(), path);
        assert!(!error.mistakes().is_empty(), "{}", path.display());
        for mistake in error.mistakes() {
            assert!(mistake.place.to_string().contains(".toml"), "{mistake:?}");
            assert!(
                !mistake.found.is_empty() && !mistake.expected.is_empty(),
                "{mistake:?}"
            );
        }
    }
}

/// Every secret in these files has the same beginning.
#[test]
fn no_message_shows_a_secret() {
    for path in wrong_files() {
        let error = refused(&path);
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(
                !text.contains("hunter") && !text.contains("1234567"),
                "{text}"
            );
        }
    }
}
