//! What a group's file says that others may call.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::fs;

use protocol::v1;
use topology::{Export, Problem, Topology, TopologyError};

fn load(exports: &str) -> Result<Topology, TopologyError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology.toml");
    let group = r#"
        group = "GroupB"
        [master]
        listen = "127.0.0.1:10241"
        [scenes."scene@1"]
        script = "main.py"
    "#;
    fs::write(&path, format!("{group}\n{exports}")).unwrap();
    Topology::load(&path, &[])
}

#[test]
fn nothing_is_exported_unless_the_file_says_so() {
    let topology = load("").unwrap();
    assert!(topology.exports.is_empty());
    assert!(v1::Exports::from(&topology.exports).exports.is_empty());
}

#[test]
fn every_value_of_an_export_arrives_in_the_plan() {
    let topology = load(
        r#"
        [exports.chat]
        groups = ["GroupA", "GroupC"]
        services = ["scene@1", "echo"]
        cmds = [210, 200, "211-219", "215-220"]
        methods = ["echo", "stat.*"]
        directory = true
        "#,
    );
    let exports = topology.unwrap_or_else(|error| panic!("{error}")).exports;
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let chat = Export {
        groups: texts(&["GroupA", "GroupC"]),
        services: texts(&["scene@1", "echo"]),
        cmds: vec![200..=200, 210..=220],
        methods: texts(&["echo", "stat.*"]),
        directory: true,
    };
    assert_eq!(exports.entries, [("chat".to_owned(), chat)].into());
}

#[test]
fn an_export_says_who_and_what_and_need_not_say_where() {
    let exports = load("[exports.all]\ngroups = \"*\"\nmethods = \"*\"")
        .unwrap()
        .exports;
    let all = &exports.entries["all"];
    assert_eq!(
        (&*all.groups, &*all.services),
        (&["*".to_owned()][..], &["*".to_owned()][..])
    );
    assert_eq!(
        (all.methods.as_slice(), all.cmds.len()),
        (&["*".to_owned()][..], 0)
    );
    assert!(!all.directory);
    let told = v1::Exports::from(&exports);
    assert_eq!(told.exports[0].services, ["*"]);

    let error = load("[exports.all]\nmethods = [\"echo\"]").unwrap_err();
    assert_eq!(error.mistakes().len(), 1, "{error}");
    assert_eq!(error.mistakes()[0].problem, Problem::Missing);
}
