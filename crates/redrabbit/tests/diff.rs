//! `redrabbit diff` as a process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

const GROUP: &str = r#"
group = "GroupA"
[master]
listen = "127.0.0.1:10241"
[gates."gate@0"]
tcp = "127.0.0.1:10242"
[scenes."scene@0"]
script = "main.py"
[security]
secret = "one secret"
"#;

fn diff(folder: &Path, edited: &str, args: &[&str]) -> (Option<i32>, String, String) {
    fs::write(folder.join("old.toml"), GROUP).unwrap();
    fs::write(folder.join("new.toml"), edited).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_redrabbit"))
        .args(["diff", "new.toml", "--against", "old.toml"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn nothing_different_ends_with_0_and_something_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said, _) = diff(folder.path(), GROUP, &[]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "new.toml changes nothing of old.toml\n")
    );
    let edited = GROUP
        .replace("10242", "10250")
        .replace("one secret", "other secret")
        .replace(
            "[security]",
            "[slaves.\"slave@0\"]\nlisten = \"127.0.0.1:1\"\n[security]",
        );
    let (code, said, _) = diff(folder.path(), &edited, &[]);
    assert_eq!(code, Some(1), "{said}");
    let expected = "\
new.toml against old.toml

NODE     CHANGE            FROM             TO               EFFECT
slave@0  added             -                -                starts it
gate@0   gates.gate@0.tcp  127.0.0.1:10242  127.0.0.1:10250  restarts gate@0
all      security.secret   ***              ***              live

Restarted: gate@0.
";
    assert_eq!(said, expected);
}

#[test]
fn programs_are_given_an_array_of_objects() {
    let folder = tempfile::tempdir().unwrap();
    let edited = GROUP
        .replace(
            "[security]",
            "[limits]\nframe_burst = 7\npair_bytes = \"2MiB\"\n[security]",
        )
        .replace("scene@0", "scene@1");
    let edited = edited.replace(
        "[gates.\"gate@0\"]",
        "[gates.\"gate@0\"]\nverify = \"scene@1\"",
    );
    let (code, said, wrong) = diff(folder.path(), &edited, &["--json"]);
    assert_eq!(code, Some(1), "{wrong}");
    let rows: Value = serde_json::from_str(&said).unwrap();
    let expected = json!([
        {"kind": "key", "key": "gates.gate@0.verify", "old": "scene@0", "new": "scene@1",
         "node": "gate@0", "effect": "live", "restarts": []},
        {"kind": "key", "key": "limits.frame_burst", "old": "400", "new": "7",
         "node": null, "effect": "live", "restarts": []},
        {"kind": "key", "key": "limits.pair_bytes", "old": "16MiB", "new": "2MiB",
         "node": null, "effect": "group", "restarts": null},
        {"kind": "added", "key": null, "old": null, "new": null,
         "node": "scene@1", "effect": "start", "restarts": []},
        {"kind": "removed", "key": null, "old": null, "new": null,
         "node": "scene@0", "effect": "stop", "restarts": []},
    ]);
    assert_eq!(rows, expected);
}

#[test]
fn a_wrong_file_is_refused_with_its_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let edited = format!("{GROUP}\ncolour = 1\n");
    let (code, said, wrong) = diff(folder.path(), &edited, &[]);
    assert_eq!((code, said.as_str()), (Some(78), ""), "{wrong}");
    assert!(
        wrong.contains("new.toml") && wrong.contains("security.colour"),
        "{wrong}"
    );
    let bridges = "[bridges.\"bridge@0\"]\n[[groups]]\nname = \"A\"\nmaster = \"127.0.0.1:1\"\n\
                   [[groups]]\nname = \"B\"\nmaster = \"127.0.0.1:2\"\n";
    let (code, _, wrong) = diff(folder.path(), bridges, &[]);
    assert_eq!(code, Some(64), "{wrong}");
    assert!(wrong.contains("two sorts"), "{wrong}");
}
