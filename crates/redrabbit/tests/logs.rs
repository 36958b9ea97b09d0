//! `redrabbit logs` as a process: over files, and over what stands in for journalctl.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use support::Stage;
use tempfile::TempDir;

const GATE: &str = r#"{"timestamp":"2026-01-02T03:04:05.100Z","level":"INFO","message":"client let in","session_id":"Ann","call_id":"7f","target":"gate","span":{"name":"gate@0"}}
{"timestamp":"2026-01-02T03:04:05.400Z","level":"WARN","message":"client is slow","session_id":"Ann","target":"gate"}
{"timestamp":"2026-01-02T03:04:05.500Z","level":"INFO","message":"client let in","session_id":"Bob","target":"gate"}
"#;

const SCENE: &str = "\
scene@0 | 2026-01-02T03:04:05.200000Z  INFO call{call_id=7f}: scene: entered session_id=\"Ann\"
scene@0 | 2026-01-02T03:04:05.300000Z ERROR scene: script failed session_id=\"Ann\"
scene@0 | Traceback (most recent call last):
";

/// Exit code, stdout, stderr.
fn logs(folder: &TempDir, args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_redrabbit"))
        .arg("logs")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended without reading any of it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn two_machines() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.log"), GATE).unwrap();
    fs::write(folder.path().join("2.log"), SCENE).unwrap();
    folder
}

#[test]
fn one_session_is_followed_through_the_logs_of_two_machines() {
    let folder = two_machines();
    let (code, said, wrong) = logs(&folder, &["1.log", "2.log", "--session", "Ann"], "");
    assert_eq!((code, wrong.as_str()), (0, ""));
    let messages = [
        "client let in",
        "entered",
        "script failed",
        "Traceback (most recent call last):",
        "client is slow",
    ];
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), messages.len(), "{said}");
    for (line, message) in lines.iter().zip(messages) {
        assert!(line.contains(message), "{line}");
    }
}

#[test]
fn a_call_a_node_a_level_and_the_last_lines_are_chosen() {
    let folder = two_machines();
    let count = |args: &[&str]| {
        let (code, said, wrong) = logs(&folder, &[&["1.log", "2.log"], args].concat(), "");
        assert_eq!((code, wrong.as_str()), (0, ""), "{args:?}");
        said.lines().count()
    };
    assert_eq!(count(&[]), 6);
    assert_eq!(count(&["--call", "7f"]), 2);
    assert_eq!(count(&["--node", "scene@0"]), 3);
    // With what belongs to it.
    assert_eq!(count(&["--level", "error"]), 2);
    assert_eq!(count(&["--lines", "1"]), 1);
    assert_eq!(count(&["--since", "2026-01-02T04:04:05.400+01:00"]), 2);
    assert_eq!(count(&["--session", "Nobody"]), 0);
}

#[test]
fn what_is_printed_for_programs_is_read_again() {
    let folder = two_machines();
    let (_, json, _) = logs(&folder, &["1.log", "2.log", "--json"], "");
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["time"], "2026-01-02T03:04:05.100000Z");
    assert_eq!(first["level"], "info");
    assert_eq!(first["fields"]["session_id"], "Ann");
    assert!(first["machine"].is_null());
    let (_, text, _) = logs(&folder, &["1.log", "2.log"], "");
    let (code, again, _) = logs(&folder, &["-"], &json);
    assert_eq!((code, again), (0, text));
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = two_machines();
    for (args, code, words) in [
        (&["nowhere.log"][..], 1, "cannot read nowhere.log"),
        (&["."], 1, "cannot read .: is a directory"),
        (
            &["1.log", "--follow"],
            64,
            "tail -F FILE | redrabbit logs -",
        ),
        (&["--since", "soon"], 64, "expected how long ago"),
        (&["--level", "loud"], 64, "error, warn, info"),
        (&["--node", "gate"], 64, "role@index"),
        (&["--journalctl", "/nowhere"], 1, "cannot run /nowhere"),
    ] {
        let (ended, said, wrong) = logs(&folder, args, "");
        assert_eq!((ended, said.as_str()), (code, ""), "{args:?}: {wrong}");
        assert!(wrong.contains(words), "{args:?}: {wrong}");
        let (_, _, wrong) = logs(&folder, &[args, &["--json"]].concat(), "");
        let json: Value = serde_json::from_str(&wrong).unwrap();
        assert_eq!(json["exit_code"], code);
    }
}

#[test]
fn whatever_a_file_holds_it_is_shown_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let odd =
        b"\xff\xfe\x00{\n{\"timestamp\":7,\"level\":[],\"message\":{}}\n\x1b]0;title\x07\n\n{}\n";
    fs::write(folder.path().join("odd.log"), odd).unwrap();
    let (code, said, _) = logs(&folder, &["odd.log"], "");
    assert_eq!(code, 0);
    assert_eq!(said.lines().count(), 4, "{said:?}");
    assert!(
        said.chars().all(|one| one == '\n' || !one.is_control()),
        "{said:?}"
    );
}

/// A program that stands in for journalctl: it prints what is in a file beside it, and
/// writes down what it was told.
fn journal(folder: &TempDir, lines: &str, code: i32) -> PathBuf {
    let path = folder.path().join("journalctl");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {0}/told\ncat {0}/lines\necho 'No permission' >&2\nexit {code}\n",
        folder.path().display()
    );
    fs::write(folder.path().join("lines"), lines).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

const JOURNAL: &str = r#"{"__REALTIME_TIMESTAMP":"1767323045500000","_HOSTNAME":"game-1","_SYSTEMD_UNIT":"redrabbit-gate@0.service","PRIORITY":"4","MESSAGE":"session closed","TARGET":"gate","SESSION_ID":"Ann"}
{"__REALTIME_TIMESTAMP":"1767323045600000","_HOSTNAME":"game-1","_SYSTEMD_UNIT":"redrabbit-scene@0.service","PRIORITY":"6","MESSAGE":"2026-01-02T03:04:05.600000Z ERROR scene: script failed session_id=\"Bob\""}
-- No entries --
"#;

#[test]
fn the_journal_is_asked_for_the_units_of_the_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(&folder, JOURNAL, 0);
    let program = ["--journalctl", journal.to_str().unwrap()];
    let (code, said, wrong) = logs(&folder, &program, "");
    assert_eq!((code, wrong.as_str()), (0, ""));
    assert_eq!(
        said,
        "2026-01-02 03:04:05.500  game-1 gate@0  WARN   session closed session_id=Ann\n\
         2026-01-02 03:04:05.600  game-1 scene@0  ERROR  script failed session_id=Bob\n"
    );
    let (_, said, _) = logs(&folder, &[&program[..], &["--session", "Bob"]].concat(), "");
    assert_eq!(said.lines().count(), 1, "{said}");
    let args = ["--node", "gate@0", "--lines", "7"];
    logs(&folder, &[&program[..], &args].concat(), "");
    let told = fs::read_to_string(folder.path().join("told")).unwrap();
    assert_eq!(
        told.trim(),
        "--output=json --no-pager --unit=redrabbit-gate@0.service --lines=7"
    );
}

#[test]
fn a_journal_that_refuses_is_said_to_with_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(&folder, "", 1);
    let (code, said, wrong) = logs(&folder, &["--journalctl", journal.to_str().unwrap()], "");
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(wrong.contains("No permission"), "{wrong}");
    assert!(wrong.contains("systemd-journal"), "{wrong}");
}

#[tokio::test]
async fn what_up_prints_as_json_is_followed_by_node() {
    let daemon = r#"{"says": ["{\"timestamp\":\"2026-01-02T03:04:05Z\",\"level\":\"INFO\",\"message\":\"hello\",\"session_id\":\"Ann\"}\nprinted\n"], "tells_arguments": true}"#;
    let stage = Stage::new().conduct("scene@0", daemon).args(&["--json"]);
    let up = stage.up().comes_up().await;
    up.signal(Signal::TERM);
    let (_, log, _stage) = up.ended().await;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["node"].is_string(), "{line}");
    }
    assert!(log.contains("--log-format"), "{log}");
    let folder = tempfile::tempdir().unwrap();
    let (_, said, _) = logs(&folder, &["-", "--session", "Ann"], &log);
    let messages: Vec<&str> = said.lines().map(|line| &line[43..]).collect();
    assert_eq!(messages[..2], ["hello session_id=Ann", "printed"], "{said}");
    let (_, said, _) = logs(&folder, &["-", "--node", "gate@0"], &log);
    assert!(!said.contains("printed"), "{said}");
}
