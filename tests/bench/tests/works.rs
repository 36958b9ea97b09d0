//! The tool itself, on a small load. What it measures is nobody's business here.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::process::Command;

/// What the tool prints, if it has nothing to complain of: the rows of its
/// table.
fn rows(arguments: &[&str]) -> Vec<Vec<String>> {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(arguments)
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}{complaints}");
    assert_eq!(complaints, "", "something failed");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn a_quick_run_measures_calls_and_fan_out() {
    let rows = rows(&["broker", "--quick", "--peer", "link"]);
    let loads: Vec<_> = rows
        .iter()
        .map(|row| (row[0].as_str(), row[2].as_str()))
        .collect();
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

#[test]
fn a_quick_run_kills_and_drains_a_slave_and_no_call_fails() {
    let rows = rows(&["faults", "--quick", "--nodes", "3", "--slaves", "2"]);
    let faults: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(faults, ["kill", "drain"]);
    for row in &rows {
        assert!(row[7].parse::<u64>().unwrap() > 0, "{row:?}");
        assert_eq!((row[8].as_str(), row[9].as_str()), ("0", "0, 0, 0"));
    }
}

#[test]
fn a_quick_run_comes_through_tls_and_a_login_gate_and_comes_back() {
    let rows = rows(&["front", "--quick"]);
    let ways: Vec<_> = rows
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    assert_eq!(ways.len(), 4 + 8 + 2 + 2, "{ways:?}");
    assert!(ways.contains(&("login-50", "a login gate")));
    assert!(ways.contains(&("resume-10", "TLS")));
    for row in &rows {
        let rate: f64 = row[3].parse().unwrap();
        assert!(rate > 0.0, "{row:?}");
    }
}

#[test]
fn a_quick_run_compares_memory_with_sockets() {
    let rows = rows(&["memory", "--quick"]);
    let links: Vec<_> = rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(links, ["memory", "sockets", "**memory / sockets**"]);
}

#[test]
fn a_quick_run_compares_calls_between_groups_with_calls_inside_one() {
    let rows = rows(&["across", "--quick"]);
    let calls: Vec<_> = rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(calls, ["inside", "across", "**across / inside**, goal 2.2"]);
    for row in &rows[..2] {
        let rate: f64 = row[3].parse().unwrap();
        assert!(rate > 0.0, "{row:?}");
    }
}

#[test]
fn a_quick_run_puts_every_load_on_a_group() {
    let rows = rows(&["gate", "--quick", "--over", "tcp,websocket"]);
    // The heads of the second and the third table are rows to `rows`.
    let is_data = |row: &&Vec<String>| row.len() > 2 && row[2] == "ours";
    let loads: Vec<_> = rows
        .iter()
        .filter(is_data)
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    let mut expected = Vec::new();
    for load in ["5x4", "broadcast-10x4", "login-100", "100"] {
        expected.extend([(load, "TCP"), (load, "WebSocket")]);
    }
    for over in ["TCP", "WebSocket"] {
        expected.extend([("reads", over), ("never reads", over)]);
    }
    assert_eq!(loads, expected);
    for row in rows.iter().filter(is_data).take(6) {
        let rate: f64 = row[3].parse().unwrap();
        assert!(rate > 0.0, "{row:?}");
    }
}

#[test]
fn a_quick_run_puts_a_script_to_work() {
    let rows = rows(&["scene", "--quick"]);
    let loads: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    for load in [
        "nothing", "raw", "json", "async", "waits", "service", "timers", "sqlite",
    ] {
        assert!(loads.contains(&load), "{load} was not measured: {rows:?}");
    }
}
