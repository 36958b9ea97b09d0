//! The one log that `up` makes of many.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::Signal;
use support::{Stage, Up};

async fn log_of(stage: Stage) -> String {
    let up: Up = stage.up().comes_up().await;
    up.signal(Signal::TERM);
    up.ended().await.1
}

#[tokio::test]
async fn every_line_stands_behind_the_name_of_who_wrote_it() {
    let stage = Stage::new()
        .conduct("master@0", r#"{"says": ["one\ntw", "o\n"]}"#)
        .conduct("scene@0", r#"{"complains": ["three\n"]}"#);
    let log = log_of(stage).await;
    for line in ["master@0 | one\n", "master@0 | two\n", "scene@0  | three\n"] {
        assert!(log.contains(line), "{line:?} is not in\n{log}");
    }
    assert!(log.contains("up       | gate@0 is ready\n"), "{log}");
    assert!(log.lines().all(|line| line.find(" | ") == Some(8)), "{log}");
}

#[tokio::test]
async fn what_goes_to_stdout_and_stderr_keeps_its_order() {
    let conduct = r#"{"says": ["first\n"], "complains": ["second\n"]}"#;
    let log = log_of(Stage::new().conduct("gate@0", conduct)).await;
    assert!(
        log.contains("gate@0   | first\ngate@0   | second\n"),
        "{log}"
    );
}

#[tokio::test]
async fn a_line_without_an_end_is_shown_when_its_writer_ends() {
    let conduct = r#"{"says": ["last words"], "exits": 3}"#;
    let (_, log, _) = Stage::new().conduct("gate@0", conduct).up().ended().await;
    assert!(log.contains("gate@0   | last words\n"), "{log}");
}

#[tokio::test]
async fn a_line_that_is_too_long_is_cut_and_said_to_be() {
    let conduct = format!(r#"{{"says": ["{}\nnext\n"]}}"#, "x".repeat(10_000));
    let log = log_of(Stage::new().conduct("gate@0", &conduct)).await;
    assert!(log.contains(&format!("{} … (1808 bytes more)\n", "x".repeat(8192))));
    assert!(log.contains("gate@0   | next\n"));
}

#[tokio::test]
async fn without_colour_no_line_can_command_a_terminal() {
    let conduct = r#"{"says": ["\u001b[31mred\u001b[0m \u001b]0;title\u0007\u001b[2Jend\r\n"]}"#;
    let log = log_of(Stage::new().conduct("scene@0", conduct)).await;
    assert!(log.contains("scene@0  | red end\n"), "{log:?}");
}

#[tokio::test]
async fn in_colour_names_and_lines_keep_theirs_and_nothing_else_gets_through() {
    let conduct = r#"{"says": ["\u001b[31mred \u001b[2Jend\n"]}"#;
    let log = log_of(Stage::new().conduct("scene@0", conduct).in_colour()).await;
    assert!(log.contains("\u{1b}[33mscene@0  |\u{1b}[0m"), "{log:?}");
    assert!(log.contains(" \u{1b}[31mred end\u{1b}[0m\n"), "{log:?}");
}

#[tokio::test]
async fn a_flood_of_lines_arrives_whole_and_in_order() {
    let lines: String = (0..20_000)
        .map(|number| format!("line {number}\\n"))
        .collect();
    let conduct = format!(r#"{{"says": ["{lines}"]}}"#);
    let log = log_of(Stage::new().conduct("scene@0", &conduct)).await;
    let told = log
        .lines()
        .filter_map(|line| line.strip_prefix("scene@0  | line "));
    let numbers: Vec<u32> = told.map(|number| number.parse().unwrap()).collect();
    assert!(
        numbers.iter().copied().eq(0..20_000),
        "{} arrived",
        numbers.len()
    );
}
