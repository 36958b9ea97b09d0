//! What is said of metrics: to Prometheus' conventions, of all that there are, and in
//! the table that operators read.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use daemon::catalogue::{self, Kind};

/// `UPDATE_REFERENCE=1 cargo test -p daemon --test catalogue` writes it anew.
#[test]
fn the_table_for_operators_is_what_the_catalogue_says() {
    let file = root().join("deploy/METRICS.md");
    let page = catalogue::page();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "deploy/METRICS.md is not what the catalogue says: make it anew with \
         UPDATE_REFERENCE=1 cargo test -p daemon --test catalogue"
    );
}

#[test]
fn names_are_to_prometheus_conventions() {
    let mut seen = BTreeSet::new();
    for metric in catalogue::all() {
        let name = metric.name;
        assert!(seen.insert(name), "{name} is there twice");
        let prefixed = name.starts_with("redrabbit_") || name.starts_with("process_");
        assert!(prefixed && is_snake_case(name), "{name}");
        let counts = matches!(metric.kind, Kind::Counter | Kind::Seconds);
        assert_eq!(
            name.ends_with("_total"),
            counts,
            "{name}: a counter is a total"
        );
        assert_eq!(name.ends_with("_info"), metric.kind == Kind::Info, "{name}");
        for part in name.split('_') {
            let small = [
                "ms",
                "milliseconds",
                "us",
                "kib",
                "kb",
                "mb",
                "minutes",
                "percent",
            ];
            assert!(!small.contains(&part), "{name}: not in a base unit");
        }
        if let Kind::Histogram(buckets) = metric.kind {
            assert!(!metric.unit().is_empty(), "{name}: of what unit?");
            assert!(buckets.is_sorted() && !buckets.is_empty(), "{name}");
        }
        assert!(metric.help.ends_with('.'), "{name}: its help is a sentence");
        for (label, values) in metric.labels {
            assert!(is_snake_case(label) && *label != "le", "{name}: {label}");
            assert!(!values.is_empty(), "{name}: which values has {label}?");
        }
    }
    // What would be one metric to OpenMetrics, which knows counters without their end.
    for name in &seen {
        let family = name.strip_suffix("_total").unwrap_or("-");
        assert!(!seen.contains(family), "{name} and {family}");
    }
}

#[test]
fn what_is_measured_is_in_the_catalogue_and_nothing_else_is() {
    let mut named = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let sources = entry.unwrap().path().join("src");
        if !sources.ends_with("daemon/src") && sources.is_dir() {
            gather(&sources, &mut named);
        }
    }
    for name in &named {
        assert!(
            catalogue::find(name).is_some(),
            "{name} is not in the catalogue"
        );
    }
    for metric in catalogue::all() {
        // What the daemon's own crate writes is not looked for.
        let by_daemon = [
            "redrabbit_build_info",
            "redrabbit_certificate_expiry_timestamp_seconds",
        ];
        let own = metric.name.starts_with("process_") || by_daemon.contains(&metric.name);
        assert!(
            own || named.contains(metric.name),
            "nobody measures {}",
            metric.name
        );
    }
}

/// Names of metrics in the sources of a folder, tests apart.
fn gather(folder: &Path, named: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                gather(&path, named);
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            for literal in text.split("\"redrabbit_").skip(1) {
                let name = literal.split('"').next().unwrap();
                if is_snake_case(name) {
                    named.insert(format!("redrabbit_{name}"));
                }
            }
        }
    }
}

fn is_snake_case(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    !name.is_empty() && name.chars().all(fits)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
