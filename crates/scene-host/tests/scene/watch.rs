//! The script is loaded again when its files are changed.

use std::{fs, time::Instant};

use crate::stage::{PATIENCE, Stage, alone, log, logged};

async fn watched(source: &str) -> Stage {
    Stage::start_as(source, |config| config.watch = true).await
}

/// Waits until this version is loaded.
async fn version(stage: &Stage, version: u32) {
    let mut status = stage.host.status();
    let loaded = status.wait_for(|status| status.version == version);
    let loaded = tokio::time::timeout(PATIENCE, loaded).await;
    loaded
        .unwrap_or_else(|_| panic!("version {version} is not loaded: {}", log()))
        .unwrap();
}

async fn failed(stage: &Stage, text: &str) {
    let mut status = stage.host.status();
    let failed = status.wait_for(|status| {
        let error = status.last_error.as_deref();
        error.is_some_and(|error| error.contains(text))
    });
    let failed = tokio::time::timeout(PATIENCE, failed).await;
    failed
        .unwrap_or_else(|_| panic!("no failure with {text}: {}", log()))
        .unwrap();
}

fn count(text: &str) -> usize {
    log().matches(text).count()
}

#[test]
fn what_is_changed_is_loaded_and_what_is_only_touched_is_not() {
    alone(|| async {
        let stage = watched("raise SystemExit").await;
        logged("the script's files are watched").await;
        stage.write_file("rules.py", "price = 1\n");
        stage.write("import ffext, rules\n");
        version(&stage, 1).await;
        // As editors do: to the same file, and as a new one in its place.
        stage.write_file("rules.py", "price = 2\n");
        version(&stage, 2).await;
        logged("rules, main").await;
        stage.write("import ffext, rules\nlater = True\n");
        version(&stage, 3).await;
        // Times alone are no change.
        let now = fs::File::open(stage.folder().join("rules.py")).unwrap();
        now.set_modified(std::time::SystemTime::now()).unwrap();
        stage.write_file("rules.py", "price = 3\n");
        version(&stage, 4).await;
        assert_eq!(count("script loaded"), 4, "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_load_that_fails_is_told_once_and_tried_again_with_the_next_change() {
    alone(|| async {
        let stage = watched("import ffext").await;
        stage.write("def broken(:");
        failed(&stage, "SyntaxError").await;
        // A look or two later it has not been told again.
        stage.write_file("notes.txt", "nothing to do with it");
        stage.write("import missing");
        failed(&stage, "No module named 'missing'").await;
        // The file that was missing is all that is written.
        stage.write_file("missing.py", "1 / 0\n");
        failed(&stage, "ZeroDivisionError").await;
        stage.write_file("missing.py", "there = True\n");
        version(&stage, 2).await;
        assert_eq!(stage.host.status().borrow().last_error, None);
        assert_eq!(count("script not loaded"), 3, "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_file_that_is_written_bit_by_bit_is_loaded_when_it_is_whole() {
    alone(|| async {
        let stage = watched("import ffext").await;
        let source = "import ffext\ndef f():\n    return {\n        'a': 1,\n    }\n";
        let begun = Instant::now();
        let path = stage.folder().join("main.py");
        for length in 1..=source.len() {
            fs::write(&path, &source[..length]).unwrap();
        }
        println!("written in {:?}", begun.elapsed());
        version(&stage, 2).await;
        assert_eq!(count("script not loaded"), 0, "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn without_the_key_nothing_is_watched() {
    alone(|| async {
        let stage = Stage::start("import ffext").await;
        assert_eq!(count("are watched"), 0);
        assert!(stage.stop().await);
    });
}
