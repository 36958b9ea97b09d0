//! The files in `configs/` are valid, and `local.toml` shows every key there is.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use protocol::NodeName;
use tempfile::TempDir;
use topology::{Presence, Topology, keys};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn local() -> PathBuf {
    configs().join("local.toml")
}

/// The configs as they lie on a machine: with the files beside them that they
/// name and that belong to nobody but the group.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(configs()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    fs::write(folder.path().join("secret"), "a long random text\n").unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    fs::write(folder.path().join("tls/authority.pem"), "").unwrap();
    folder
}

#[test]
fn every_file_in_configs_loads() {
    let folder = installed();
    let mut count = 0;
    for entry in fs::read_dir(configs()).unwrap() {
        let path = folder.path().join(entry.unwrap().file_name());
        if let Err(error) = Topology::load(&path, &[]) {
            panic!("{error}");
        }
        count += 1;
    }
    assert!(count >= 2);
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

/// The section that a line begins, in a comment or not.
fn heading(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ").unwrap_or(line);
    line.strip_prefix('[')?.strip_suffix(']')
}

/// Section and key of every line that gives a key or shows one in a comment.
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

#[test]
fn local_toml_shows_every_key_with_its_default() {
    let shown = shown(&fs::read_to_string(local()).unwrap());
    for key in keys() {
        let place = (key.section.path().to_owned(), key.name.to_owned());
        let value = shown
            .get(&place)
            .unwrap_or_else(|| panic!("{} is not shown", key.path()));
        if let Presence::Default(default) = key.presence {
            assert_eq!(value, default, "{}", key.path());
        }
    }
    assert_eq!(
        shown.len(),
        keys().len(),
        "keys that do not exist are shown"
    );
}

#[test]
fn what_local_toml_has_in_comments_can_be_uncommented() {
    let folder = installed();
    let path = folder.path().join("local.toml");
    let text: String = fs::read_to_string(local())
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with("# secret_file"))
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if shown(rest).len() == 1 || heading(rest).is_some() => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .map(|line| line.replace("/etc/redrabbit/", ""))
        .collect();
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
}
