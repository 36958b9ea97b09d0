//! The examples' documents name what is there.

use std::fs;

use crate::stage::{EXAMPLES, root};

/// The examples that have a README of their own: all but the script of 2013.
fn examples() -> Vec<String> {
    let entries = fs::read_dir(root().join(EXAMPLES)).unwrap();
    let folders = entries
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir());
    let names = folders.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name != "__pycache__").collect()
}

#[test]
fn every_example_is_in_the_index_with_a_readme_and_a_test() {
    let index = fs::read_to_string(root().join(EXAMPLES).join("README.md")).unwrap();
    for example in examples() {
        assert!(
            index.contains(&format!("({example}/")),
            "{example} is not in the index"
        );
        if example == "seed" {
            continue;
        }
        let files: Vec<String> = fs::read_dir(root().join(EXAMPLES).join(&example))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let module = example.replace('-', "_");
        for wanted in ["README.md", &format!("test_{module}.py")] {
            assert!(
                files.iter().any(|file| file == wanted),
                "{example} has no {wanted}"
            );
        }
    }
}

#[test]
fn what_the_readmes_link_to_is_there() {
    let mut folders = vec![root().join(EXAMPLES)];
    folders.extend(
        examples()
            .iter()
            .map(|example| root().join(EXAMPLES).join(example)),
    );
    for folder in folders {
        let Ok(text) = fs::read_to_string(folder.join("README.md")) else {
            continue;
        };
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let is_here = target.starts_with("http") || folder.join(target).exists();
            assert!(is_here, "{}: {target} is not there", folder.display());
        }
    }
}
