//! A test that runs once more, in surroundings of its own.

use std::{
    env::current_exe,
    ffi::OsStr,
    process::{Command, Output},
};

/// Set in a test that is where it wants to be.
const MARK: &str = "REDRABBIT_AGAIN";

/// Whether the test `name` is in these surroundings already. If it is not it runs once
/// more, by `prefix` and with these variables, and what comes of that is its end. Where
/// the system refuses the prefix this is said, and the test is passed over.
pub(crate) fn is_within(name: &str, prefix: &[&str], variables: &[(&str, &OsStr)]) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    if !is_possible(prefix) {
        return false;
    }
    let output = by(prefix)
        .arg(current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .envs(variables.iter().copied())
        .env(MARK, "1")
        .output()
        .unwrap();
    let said = text(&output);
    println!("{said}");
    assert!(output.status.success(), "it failed where it was run");
    assert!(said.contains("1 passed"), "there is no test {name}");
    false
}

/// Whether the system runs something by this prefix.
pub(crate) fn is_possible(prefix: &[&str]) -> bool {
    match by(prefix).arg("true").output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => passed_over(&format!("{prefix:?} says {}", text(&output))),
        Err(error) => passed_over(&format!("setpriv cannot be run: {error}")),
    }
}

/// What runs something by this prefix; it ends with this process, however that does.
pub(crate) fn by(prefix: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).args(prefix);
    command
}

pub(crate) fn passed_over(why: &str) -> bool {
    println!("passed over: {why}");
    false
}

fn text(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&said).into_owned()
}
