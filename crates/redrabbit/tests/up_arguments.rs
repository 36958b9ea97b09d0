//! What `up` tells its children, and what it refuses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{fs, process::Command};

use rustix::process::Signal;
use support::Stage;

/// The exit code of `redrabbit ARGS`, and what it wrote to stderr.
fn redrabbit(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
    let output = command.args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), stderr)
}

#[tokio::test]
async fn children_are_told_the_topology_and_what_overrides_it() {
    let stage = Stage::new().conduct("scene@0", r#"{"tells_arguments": true}"#);
    stage.write("other.py", "");
    let script = stage.path("other.py").canonicalize().unwrap();
    let given = format!("{}/./other.py", script.parent().unwrap().display());
    let set = "limits.lease=5s";
    let mut up = stage.args(&["--set", set, "--script", &given]).up();
    let told = up.says("arguments").await;
    let script = format!("'--set', 'scenes.scene@0.script={}'", script.display());
    for part in ["'--name', 'scene@0'", "'--set', 'limits.lease=5s'", &script] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let up = up.comes_up().await;
    up.signal(Signal::TERM);
    up.ended().await;
}

#[tokio::test]
async fn children_hear_nothing_of_our_own_service_manager() {
    let stage = Stage::new().conduct("gate@0", r#"{"tells_environment": true}"#);
    let stage = stage
        .variable("WATCHDOG_USEC", "1000000")
        .variable("LISTEN_FDS", "1");
    let mut up = stage.up();
    let told = up.says("environment").await;
    assert!(told.contains("'NOTIFY_SOCKET'"), "{told}");
    assert!(
        !told.contains("WATCHDOG") && !told.contains("LISTEN"),
        "{told}"
    );
    up.signal(Signal::TERM);
    up.ended().await;
}

#[tokio::test]
async fn a_missing_program_is_named_before_anything_starts() {
    let stage = Stage::new();
    fs::remove_file(stage.path("gate")).unwrap();
    let file = stage.path("topology.toml");
    let folder = file.parent().unwrap().to_str().unwrap();
    let (code, said) = redrabbit(&["up", file.to_str().unwrap(), "--bin-dir", folder]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("gate is not in "), "{said}");
    assert!(said.contains("cargo build -p gate"), "{said}");
    assert!(stage.events().is_empty());
}

#[tokio::test]
async fn a_machine_without_roles_is_told_which_there_are() {
    let stage = Stage::new();
    let file = stage.path("topology.toml");
    let text = fs::read_to_string(&file).unwrap();
    let placed = text
        .replace("[master]", "[master]\nmachine = \"game-1\"")
        .replace("\"gate@0\"]", "\"gate@0\"]\nmachine = \"edge-1\"")
        .replace("\"scene@0\"]", "\"scene@0\"]\nmachine = \"game-1\"");
    fs::write(&file, placed).unwrap();
    let (code, said) = redrabbit(&["up", file.to_str().unwrap(), "--machine", "game-9"]);
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("places no role on machine game-9"), "{said}");
    assert!(said.contains("edge-1, game-1"), "{said}");
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_78() {
    let stage = Stage::new();
    stage.write("topology.toml", "group = 7");
    let (code, said) = redrabbit(&["up", stage.path("topology.toml").to_str().unwrap()]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("group"), "{said}");
}

#[tokio::test]
async fn a_script_that_is_not_there_is_refused() {
    let stage = Stage::new();
    let file = stage.path("topology.toml");
    let (code, said) = redrabbit(&["up", file.to_str().unwrap(), "--script", "nowhere.py"]);
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("cannot read the script nowhere.py"), "{said}");
}
