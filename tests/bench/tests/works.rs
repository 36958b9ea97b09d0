//! The tool itself, on a small load. What it measures is nobody's business here.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::process::Command;

#[test]
fn a_quick_run_measures_calls_and_fan_out() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["broker", "--quick", "--peer", "link"])
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}{complaints}");
    assert_eq!(complaints, "", "something failed");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(2)
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let loads: Vec<_> = rows.iter().map(|row| (row[0], row[2])).collect();
    assert_eq!(
        loads,
        [
            ("2x16", "ours"),
            ("2x16", "link"),
            ("fan-out-to-10", "ours"),
            ("fan-out-to-10", "link"),
        ]
    );
    for row in &rows {
        let rate: f64 = row[3].parse().unwrap();
        assert!(rate > 0.0, "{row:?}");
    }
}
