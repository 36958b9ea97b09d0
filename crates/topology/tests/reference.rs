//! `configs/REFERENCE.md` is what the code says.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{fs, path::Path};

use topology::{Document, keys, reference_page};

#[test]
fn the_page_of_the_reference_is_the_codes_own() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/REFERENCE.md");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, reference_page()).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == reference_page(),
        "{} is not what the code says: UPDATE_REFERENCE=1 cargo test -p topology --test reference",
        file.display()
    );
}

#[test]
fn the_page_has_a_row_for_each_key() {
    let page = reference_page();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    let all = keys(Document::Group).len() + keys(Document::Bridge).len();
    assert_eq!(rows, all);
}
