//! `solo` and `demo` hand over to the program beside this one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A folder with a `redrabbit` of its own.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        env!("CARGO_BIN_EXE_redrabbit"),
        folder.path().join("redrabbit"),
    )
    .unwrap();
    folder
}

fn redrabbit(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(folder.join("redrabbit"));
    command.args(args).output().unwrap()
}

#[test]
fn everything_is_passed_on_help_included() {
    let folder = installed();
    let program = folder.path().join("redrabbit-solo");
    fs::write(&program, "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    for (args, passed) in [
        (
            &["solo", "a.toml", "--script", "b c.py"][..],
            "<solo><a.toml><--script><b c.py>",
        ),
        (&["demo", "--help"], "<demo><--help>"),
        (&["demo", "-V", "--", "x"], "<demo><-V><--><x>"),
        (&["demo"], "<demo>"),
    ] {
        let output = redrabbit(folder.path(), args);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), passed);
        assert_eq!(output.status.code(), Some(7));
    }
}

#[test]
fn where_it_is_not_built_it_is_said_how_to_build_it() {
    let folder = installed();
    let output = redrabbit(folder.path(), &["demo"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("redrabbit-solo is not in "), "{said}");
    assert!(said.contains("cargo build -p solo"), "{said}");
}
