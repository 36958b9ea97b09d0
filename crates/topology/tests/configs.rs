//! The files in `configs/` are valid; `local.toml` shows every key of a group's file,
//! and `bridge.toml` every key of a bridge's.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use protocol::NodeName;
use tempfile::TempDir;
use topology::{BridgePlan, Document, Plan, Presence, Topology, keys};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn local() -> PathBuf {
    configs().join("local.toml")
}

fn bridge() -> PathBuf {
    configs().join("bridge.toml")
}

/// The configs as they lie on a machine: with the files beside them that they
/// name and that belong to nobody but the group.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(configs()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    for secret in ["secret", "cluster.secret", "arena.secret"] {
        fs::write(folder.path().join(secret), "a long random text\n").unwrap();
    }
    for group in ["tls", "tls/cluster", "tls/arena"] {
        let group = folder.path().join(group);
        fs::create_dir(&group).unwrap();
        fs::write(group.join("authority.pem"), "").unwrap();
    }
    folder
}

#[test]
fn every_file_in_configs_loads() {
    let folder = installed();
    let mut count = 0;
    for entry in fs::read_dir(configs()).unwrap() {
        let path = folder.path().join(entry.unwrap().file_name());
        if path.extension().is_none_or(|kind| kind != "toml") {
            continue;
        }
        if let Err(error) = Plan::load(&path, &[]) {
            panic!("{error}");
        }
        count += 1;
    }
    assert!(count >= 3);
}

#[test]
fn cluster_toml_is_a_group_whose_machines_have_different_roles() {
    let folder = installed();
    let topology = Topology::load(&folder.path().join("cluster.toml"), &[]).unwrap();
    let roles = |machine| {
        let names = topology.roles_on(machine);
        let names: Vec<&str> = names.iter().map(NodeName::as_str).collect();
        names.join(" ")
    };
    assert_eq!(roles("game-1"), "master@0 slave@0");
    assert_eq!(roles("game-2"), "slave@1 scene@0");
    assert_eq!(roles("game-3"), "scene@1");
    assert_eq!(roles("edge-1"), "gate@0");
    assert_eq!(roles("edge-2"), "gate@1");

    let gate = "gate@1".parse().unwrap();
    let tls = topology.security.tls_files(&gate).unwrap();
    assert_eq!(tls.authority, folder.path().join("tls/authority.pem"));
    assert_eq!(tls.certificate, folder.path().join("tls/gate@1.pem"));
    assert_eq!(tls.key, folder.path().join("tls/gate@1.key"));
    let slave = &topology.slaves[&"slave@1".parse().unwrap()];
    assert_eq!(slave.advertise.as_deref(), Some("game-2.example.net:10251"));
    let state = Path::new("/var/lib/redrabbit/cluster@10.0.0.1-10241.epoch");
    assert_eq!(topology.master.epoch_file, state);
}

#[test]
fn local_toml_is_a_group_on_loopback() {
    let topology = Topology::load(&local(), &[]).unwrap();
    let gate = &topology.gates[&"gate@0".parse().unwrap()];
    let scene = &topology.scenes[&"scene@0".parse().unwrap()];

    assert_eq!(topology.master.listen.to_string(), "127.0.0.1:10241");
    assert_eq!(gate.tcp.unwrap().to_string(), "127.0.0.1:10242");
    assert_eq!(gate.websocket.unwrap().to_string(), "127.0.0.1:10243");
    assert!(topology.security.secret.is_empty());
    let chat = Path::new("crates/scene-host/examples/chat/main.py");
    assert!(scene.script.is_absolute() && scene.script.ends_with(chat));
    assert!(!scene.script.to_string_lossy().contains(".."), "{scene:?}");
}

#[test]
fn cluster_toml_lets_the_other_group_of_bridge_toml_call_it() {
    let folder = installed();
    let topology = Topology::load(&folder.path().join("cluster.toml"), &[]).unwrap();
    let plan = BridgePlan::load(&folder.path().join("bridge.toml"), &[]).unwrap();
    let arena = &topology.exports.entries["arena"];
    assert_eq!(arena.groups, ["arena"]);
    let joined = &plan.groups[&topology.group];
    assert_eq!(joined.master, topology.master.listen);
    assert!(plan.groups.contains_key(&"arena".parse().unwrap()));
    let certificate = folder.path().join("tls/cluster/bridge@1.pem");
    let files = joined.security.tls_files(&"bridge@1".parse().unwrap());
    assert_eq!(files.unwrap().certificate, certificate);
}

/// The heading that a line is, in a comment or not.
fn heading(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ").unwrap_or(line);
    (line.starts_with('[') && line.ends_with(']')).then_some(line)
}

/// Heading and key of every line that gives a key or shows one in a comment.
fn shown(text: &str) -> BTreeMap<(String, String), String> {
    let mut section = String::new();
    let mut shown = BTreeMap::new();
    for line in text.lines() {
        if let Some(heading) = heading(line) {
            section = heading.to_owned();
            continue;
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some((key, value)) = line.split_once(" = ")
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            shown.insert(
                (section.clone(), key.to_owned()),
                value.trim_matches('"').to_owned(),
            );
        }
    }
    shown
}

/// Every key of `document` in `file`, which shows its default, but for those in `set`.
fn assert_shows_every_key(document: Document, file: &Path, set: &[&str]) {
    let shown = shown(&fs::read_to_string(file).unwrap());
    for key in keys(document) {
        let place = (key.section.heading(), key.name.to_owned());
        let value = shown
            .get(&place)
            .unwrap_or_else(|| panic!("{} is not shown", key.path()));
        if let Presence::Default(default) = key.presence
            && !set.contains(&key.name)
        {
            assert_eq!(value, default, "{}", key.path());
        }
    }
    let known = |(section, name): &(String, String)| {
        let mut keys = keys(document).iter();
        keys.any(|key| key.name == name && key.section.heading() == *section)
    };
    // Of bridges and the like there may be a second one.
    let second = |(section, _): &(String, String)| section.contains("@1\"");
    for place in shown.keys() {
        assert!(
            known(place) || second(place),
            "{place:?} is shown and does not exist"
        );
    }
}

#[test]
fn local_toml_shows_every_key_with_its_default() {
    assert_shows_every_key(Document::Group, &local(), &[]);
}

#[test]
fn bridge_toml_shows_every_key_and_what_it_does_not_set_with_its_default() {
    assert_shows_every_key(Document::Bridge, &bridge(), &["machine"]);
}

/// `file` without the "#" in front of keys and headings, nor the lines that begin with
/// one of `but`.
fn uncommented(file: &Path, but: &[&str]) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .filter(|line| !but.iter().any(|but| line.starts_with(but)))
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if shown(rest).len() == 1 || heading(rest).is_some() => format!("{rest}\n"),
            _ => format!("{line}\n"),
        });
    lines.collect()
}

#[test]
fn what_bridge_toml_has_in_comments_can_be_uncommented() {
    let folder = installed();
    let path = folder.path().join("bridge.toml");
    let plan = BridgePlan::load(&path, &[]).unwrap();
    fs::write(&path, uncommented(&bridge(), &["# secret = "])).unwrap();
    let uncommented = BridgePlan::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(uncommented, plan);
}

#[test]
fn what_local_toml_has_in_comments_can_be_uncommented() {
    let folder = installed();
    let path = folder.path().join("local.toml");
    let text = uncommented(&local(), &["# secret_file"]).replace("/etc/redrabbit/", "");
    fs::write(&path, text).unwrap();

    let topology = Topology::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));

    assert_eq!(
        topology.limits,
        Topology::load(&local(), &[]).unwrap().limits
    );
    assert!(!topology.security.secret.is_empty());
    assert!(topology.master.http.is_some());
    let slave = "slave@0".parse().unwrap();
    assert!(topology.slaves[&slave].http.is_some());
    assert!(topology.security.tls_files(&slave).is_some());
    let chat = &topology.exports.entries["chat"];
    assert_eq!((chat.cmds.len(), chat.methods.len()), (2, 2));
    assert!(Topology::load(&local(), &[]).unwrap().exports.is_empty());
}
