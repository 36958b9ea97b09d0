//! The files in `configs/` are valid, and `local.toml` shows every key there is.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use topology::{Presence, Topology, keys};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn local() -> PathBuf {
    configs().join("local.toml")
}

#[test]
fn every_file_in_configs_loads() {
    let mut count = 0;
    for entry in fs::read_dir(configs()).unwrap() {
        let path = entry.unwrap().path();
        if let Err(error) = Topology::load(&path, &[]) {
            panic!("{error}");
        }
        count += 1;
    }
    assert!(count > 0);
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

/// Section and key of every line that gives a key or shows one in a comment.
fn shown(text: &str) -> BTreeMap<(String, String), String> {
    let mut section = String::new();
    let mut shown = BTreeMap::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(heading) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = heading.to_owned();
        } else if let Some((key, value)) = line.split_once(" = ")
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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.toml");
    let text: String = fs::read_to_string(local())
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with("# secret_file"))
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if shown(rest).len() == 1 => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(&path, text).unwrap();

    let topology = Topology::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));

    assert_eq!(
        topology.limits,
        Topology::load(&local(), &[]).unwrap().limits
    );
    assert!(!topology.security.secret.is_empty());
    assert!(topology.master.http.is_some());
}
