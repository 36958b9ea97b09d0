//! What an edited file changes, and who has to be restarted for it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{collections::BTreeSet, fs, path::Path};

use proptest::prelude::*;
use topology::{Changes, Document, Effect, Plan, Restarts, Section, keys};

const GROUP: &str = r#"
group = "GroupA"
[master]
listen = "127.0.0.1:10241"
[slaves."slave@0"]
listen = "127.0.0.1:10251"
[gates."gate@0"]
tcp = "127.0.0.1:10242"
certificate = "game.pem"
key = "game.key"
[gates."gate@1"]
tcp = "127.0.0.1:10243"
[scenes."scene@0"]
script = "main.py"
[scenes."scene@1"]
script = "main.py"
[exports.chat]
groups = ["GroupB"]
cmds = [200]
[security]
secret = "first secret"
authority = "authority.pem"
certificate = "{name}.pem"
key = "{name}.key"
"#;

const BRIDGES: &str = r#"
[bridges."bridge@0"]
[[groups]]
name = "GroupA"
master = "127.0.0.1:10241"
secret = "first secret"
[[groups]]
name = "GroupB"
master = "127.0.0.1:11241"
"#;

fn load(folder: &Path, text: &str, set: &[String]) -> Plan {
    fs::write(folder.join("authority.pem"), "").unwrap();
    fs::write(folder.join("secret"), "first secret").unwrap();
    let path = folder.join("topology.toml");
    fs::write(&path, text).unwrap();
    Plan::load(&path, set).unwrap_or_else(|error| panic!("{error}"))
}

/// What `--set` of these changes in `text`.
fn set(text: &str, set: &[&str]) -> Changes {
    let folder = tempfile::tempdir().unwrap();
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    let old = load(folder.path(), text, &[]);
    old.changes(&load(folder.path(), text, &set)).unwrap()
}

fn edit(text: &str, from: &str, to: &str) -> Changes {
    assert!(text.contains(from));
    let folder = tempfile::tempdir().unwrap();
    let old = load(folder.path(), text, &[]);
    let edited = text.replace(from, to);
    old.changes(&load(folder.path(), &edited, &[])).unwrap()
}

fn nodes(names: &[&str]) -> BTreeSet<protocol::NodeName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Another value of every key, in a file in which it can be given.
fn other(document: Document, section: Section, name: &str) -> &'static str {
    match (document, section, name) {
        (_, _, "group") => "GroupX",
        (_, _, "machine") => "game-9",
        (_, _, "listen" | "http" | "tcp" | "websocket" | "master") => "127.0.0.1:29999",
        (_, _, "advertise") => "game-9:10251",
        (_, _, "workers" | "session_window") => "3",
        (_, _, "state_dir" | "script" | "python_path" | "venv") => "/elsewhere",
        (_, _, "verify" | "enter") => "scene@1",
        (_, _, "mode") => "login",
        (_, _, "advertise_tcp") => "tls://game-9:443",
        (_, _, "advertise_websocket") => "wss://game-9/play",
        (_, _, "origins") => "https://game.example.net",
        (_, _, "proxies") => "10.0.0.9",
        (_, _, "watch" | "directory" | "allow_plaintext") => "true",
        (_, _, "groups") => "GroupC",
        (_, _, "services") => "scene@1",
        (_, _, "cmds") => "201",
        (_, _, "methods") => "echo",
        (_, _, "level") => "debug",
        (_, _, "format") => "json",
        (_, _, "secret") => "second secret",
        (_, _, "authority" | "certificate" | "key") => "/dev/null",
        (_, Section::Limits, "pair_bytes") => "2MiB",
        (_, Section::Limits, "link_outbox_bytes") => "32MiB",
        (_, Section::Limits, name) if name.ends_with("bytes") => "1000KiB",
        (_, Section::Limits, name) if name.ends_with("timeout") || name.ends_with("patience") => {
            "7s"
        }
        (
            _,
            Section::Limits,
            "handler_warn" | "scene_hold" | "lease" | "drain_grace" | "resume_time",
        ) => "7s",
        (_, Section::Limits, _) => "77",
        other => panic!("no other value for {other:?}"),
    }
}

/// Where the files above have that section.
fn owner(section: Section) -> String {
    match section {
        Section::Top => String::new(),
        Section::Group => "groups.GroupA.".to_owned(),
        _ => format!("{}.", section.path().replace('"', "")),
    }
}

#[test]
fn a_change_of_any_key_is_told_once_with_its_effect() {
    for (document, text) in [(Document::Group, GROUP), (Document::Bridge, BRIDGES)] {
        for key in keys(document) {
            // A group's name is not to be overridden, and a file stands for a secret.
            if key.name == "secret_file" || (key.section, key.name) == (Section::Group, "name") {
                continue;
            }
            let path = format!("{}{}", owner(key.section), key.name);
            let turned_on = document == Document::Bridge
                && matches!(key.name, "authority" | "certificate" | "key");
            if turned_on {
                continue;
            }
            let changes = set(
                text,
                &[&format!(
                    "{path}={}",
                    other(document, key.section, key.name)
                )],
            );
            let [change] = changes.keys.as_slice() else {
                panic!("{path}: {changes:?}");
            };
            assert_eq!(
                (&change.path, change.effect),
                (&path, key.effect),
                "{change:?}"
            );
            assert!(change.old != change.new || change.old.as_deref() == Some("***"));
            let restarts = changes.restarts();
            match key.effect {
                Effect::Live => assert!(restarts.is_empty(), "{path}"),
                Effect::Group => assert_eq!(restarts, Restarts::All, "{path}"),
                Effect::Node => {
                    let Restarts::Nodes(nodes) = restarts else {
                        panic!("{path}: everybody");
                    };
                    assert_eq!(nodes.len(), 1, "{path}");
                }
            }
        }
    }
}

#[test]
fn a_file_that_says_the_same_in_other_words_changes_nothing() {
    let text = format!("# other words\n{GROUP}").replace(
        "[security]",
        "[limits]\nframe_bytes = 65536\nlease = \"3000ms\"\n[security]",
    );
    let folder = tempfile::tempdir().unwrap();
    let old = load(folder.path(), GROUP, &[]);
    assert!(
        old.changes(&load(folder.path(), &text, &[]))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_secret_is_compared_and_never_shown() {
    let changes = edit(GROUP, "first secret", "second secret");
    assert_eq!(changes.keys.len(), 1);
    assert_eq!(changes.keys[0].to_string(), "security.secret: *** to ***");
    assert!(!format!("{changes:?}").contains("second"));
    // The same secret out of a file is another way to say it.
    let changes = edit(
        GROUP,
        "secret = \"first secret\"",
        "secret_file = \"secret\"",
    );
    let paths: Vec<&str> = changes.keys.iter().map(|key| key.path.as_str()).collect();
    assert_eq!(paths, ["security.secret_file"]);
}

#[test]
fn nodes_that_come_or_go_are_told_as_such_and_restart_nobody() {
    let changes = edit(GROUP, "slaves.\"slave@0\"", "slaves.\"slave@7\"");
    assert_eq!(changes.added, nodes(&["slave@7"]));
    assert_eq!(changes.removed, nodes(&["slave@0"]));
    assert!(changes.keys.is_empty() && changes.restarts().is_empty());
}

#[test]
fn only_the_node_of_a_section_is_restarted_for_it_and_the_master_for_the_lease() {
    let changes = set(
        GROUP,
        &[
            "gates.gate@1.workers=2",
            "limits.lease=2s",
            "limits.frame_burst=7",
        ],
    );
    assert_eq!(
        changes.restarts(),
        Restarts::Nodes(nodes(&["gate@1", "master@0"]))
    );
    assert!(changes.restart(&"gate@1".parse().unwrap()));
    assert!(!changes.restart(&"gate@0".parse().unwrap()));
}

#[test]
fn tls_is_turned_on_for_everybody_or_nobody_and_moved_live() {
    let moved = set(GROUP, &["security.authority=/dev/null"]);
    assert!(moved.restarts().is_empty());
    let (certificates, _) = GROUP.split_once("authority").unwrap();
    let changes = edit(GROUP, GROUP, certificates);
    assert_eq!(changes.keys.len(), 3);
    assert_eq!(changes.restarts(), Restarts::All);
}

#[test]
fn exports_come_and_go_live() {
    let more = "[exports.more]\ngroups = [\"*\"]\nmethods = [\"stat\"]\n[security]";
    let changes = edit(GROUP, "[security]", more);
    assert!(changes.keys.iter().all(|key| key.old.is_none()));
    assert!(
        changes
            .keys
            .iter()
            .any(|key| key.path == "exports.more.methods")
    );
    assert!(changes.restarts().is_empty());
}

#[test]
fn a_file_that_is_moved_is_read_as_if_it_lay_there_already() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    fs::create_dir(&here).unwrap();
    fs::create_dir(&there).unwrap();
    let old = load(&there, GROUP, &[]);
    let file = here.join("edited.toml");
    fs::write(&file, GROUP).unwrap();
    let new = Plan::load_for(&file, &there.join("topology.toml"), &[]).unwrap();
    assert!(old.changes(&new).unwrap().is_empty());
}

#[test]
fn a_groups_file_and_a_bridges_cannot_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let group = load(folder.path(), GROUP, &[]);
    assert_eq!(group.changes(&load(folder.path(), BRIDGES, &[])), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Back is the same as there with its sides changed, and there and back is nothing.
    #[test]
    fn what_changes_there_changes_back(picked in prop::collection::vec(0..keys(Document::Group).len(), 0..6)) {
        let all = keys(Document::Group);
        let set: BTreeSet<String> = picked
            .iter()
            .map(|index| all[*index])
            // One address for two nodes is a mistake.
            .filter(|key| key.name != "secret_file" && key.kind() != "address")
            .map(|key| {
                let at = owner(key.section);
                format!("{at}{}={}", key.name, other(Document::Group, key.section, key.name))
            })
            .collect();
        let set: Vec<String> = set.into_iter().collect();
        let folder = tempfile::tempdir().unwrap();
        let old = load(folder.path(), GROUP, &[]);
        let new = load(folder.path(), GROUP, &set);
        let (there, back) = (old.changes(&new).unwrap(), new.changes(&old).unwrap());
        prop_assert_eq!(there.keys.len(), set.len());
        prop_assert_eq!(there.is_empty(), old == new);
        prop_assert_eq!(there.restarts(), back.restarts());
        for (one, other) in there.keys.iter().zip(&back.keys) {
            prop_assert_eq!((&one.path, &one.old, &one.new), (&other.path, &other.new, &other.old));
        }
        prop_assert!(new.changes(&new.clone()).unwrap().is_empty());
    }
}
