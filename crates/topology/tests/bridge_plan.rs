//! What a bridge's file turns into.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{fs, path::Path, time::Duration};

use protocol::{GroupName, NodeName};
use tempfile::TempDir;
use topology::{BridgePlan, Plan, Problem, Topology, TopologyError};

const BRIDGES: &str = r#"
[bridges."bridge@0"]
machine = "edge-1"
http = "127.0.0.1:10361"
workers = 2

[bridges."bridge@1"]

[[groups]]
name = "GroupB"
master = "10.0.0.2:10241"
secret_file = "GroupB.secret"
authority = "GroupB.pem"
certificate = "{name}.GroupB.pem"
key = "{name}.GroupB.key"

[[groups]]
name = "GroupA"
master = "10.0.0.1:10241"
secret = "long and random"
allow_plaintext = true

[[groups]]
name = "7"
master = "127.0.0.1:10241"

[limits]
pair_bytes = "2MiB"
drain_grace = "3s"
"#;

/// A folder with that file and what it names.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
    write("bridge.toml", text);
    write("GroupB.secret", "hunter2\n");
    write("GroupB.pem", "");
    folder
}

fn load(folder: &Path, set: &[&str]) -> Result<BridgePlan, TopologyError> {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    BridgePlan::load(&folder.join("bridge.toml"), &set)
}

fn node(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn group(text: &str) -> GroupName {
    text.parse().unwrap()
}

#[test]
fn every_value_of_a_bridges_file_arrives_in_its_plan() {
    let folder = folder(BRIDGES);
    let plan = load(folder.path(), &[]).unwrap_or_else(|error| panic!("{error}"));

    let bridge = &plan.bridges[&node("bridge@0")];
    assert_eq!((bridge.machine.as_str(), bridge.workers), ("edge-1", 2));
    assert_eq!(bridge.http, Some("127.0.0.1:10361".parse().unwrap()));
    let bridge = &plan.bridges[&node("bridge@1")];
    assert_eq!((bridge.machine.as_str(), bridge.workers), ("localhost", 1));
    assert_eq!(bridge.http, None);
    let names: Vec<&str> = plan.groups.keys().map(GroupName::as_str).collect();
    assert_eq!(names, ["7", "GroupA", "GroupB"]);
    let joined = &plan.groups[&group("GroupA")];
    assert_eq!(joined.master.to_string(), "10.0.0.1:10241");
    assert_eq!(joined.security.secret.expose(), "long and random");
    assert!(joined.security.allow_plaintext);
    assert_eq!(joined.security.tls_files(&node("bridge@0")), None);
    assert!(plan.groups[&group("7")].security.secret.is_empty());
    assert_eq!(plan.limits.pair_bytes, 2 << 20);
    assert_eq!(plan.limits.link_outbox_bytes, 64 << 20);
    assert_eq!(plan.limits.drain_grace, Duration::from_secs(3));
}

#[test]
fn every_group_has_a_secret_and_certificates_of_its_own() {
    let folder = folder(BRIDGES);
    let plan = load(folder.path(), &[]).unwrap();
    let joined = &plan.groups[&group("GroupB")];
    assert_eq!(joined.security.secret.expose(), "hunter2");
    assert!(!format!("{plan:?}").contains("hunter2"));
    let files = joined.security.tls_files(&node("bridge@1")).unwrap();
    assert_eq!(files.authority, folder.path().join("GroupB.pem"));
    let certificate = folder.path().join("bridge@1.GroupB.pem");
    assert_eq!(
        (files.certificate, files.key),
        (certificate, folder.path().join("bridge@1.GroupB.key"))
    );
}

#[test]
fn a_machine_runs_its_own_bridges_and_those_of_localhost() {
    let folder = folder(BRIDGES);
    let plan = load(folder.path(), &[]).unwrap();
    let on = |machine: &str| plan.bridges_on(machine);
    assert_eq!(on("EDGE-1"), [node("bridge@0"), node("bridge@1")]);
    assert_eq!(on("edge-2"), [node("bridge@1")]);
    assert_eq!(plan.machines(), ["edge-1", "localhost"]);
}

#[test]
fn what_a_single_group_is_lacking_is_said_of_that_group() {
    let folder = folder(BRIDGES);
    let set = [
        "groups.GroupA.allow_plaintext=false",
        "groups.7.master=10.0.0.7:10241",
    ];
    let error = load(folder.path(), &set).unwrap_err();
    let at: Vec<_> = error
        .mistakes()
        .iter()
        .map(|mistake| (mistake.problem, &*mistake.key))
        .collect();
    let master = "groups.7.master";
    assert_eq!(
        at,
        [
            (Problem::Exposed, "groups.GroupA.master"),
            (Problem::Exposed, master),
            (Problem::Exposed, master),
        ]
    );
}

#[test]
fn groups_can_stand_in_one_list() {
    let folder = folder(
        r#"
        groups = [
            { name = "GroupA", master = "127.0.0.1:10241" },
            { name = "GroupB", master = "127.0.0.1:11241", secret = "x" },
        ]
        bridges."bridge@0" = {}
        "#,
    );
    let plan = load(folder.path(), &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((plan.groups.len(), plan.bridges.len()), (2, 1));
}

#[test]
fn a_bridge_joins_as_many_groups_as_it_may_tell_of_and_no_more() {
    let file = |groups: usize| {
        let group = |number: usize| {
            let master = format!("127.0.0.1:{}", 10_000 + number);
            format!("[[groups]]\nname = \"G{number}\"\nmaster = \"{master}\"\n")
        };
        let groups: String = (0..groups).map(group).collect();
        format!("[bridges.\"bridge@0\"]\n{groups}")
    };
    let most = folder(&file(257));
    assert_eq!(load(most.path(), &[]).unwrap().groups.len(), 257);
    let more = folder(&file(259));
    let error = load(more.path(), &[]).unwrap_err();
    assert_eq!(error.mistakes().len(), 1, "{error}");
    assert_eq!(error.mistakes()[0].key, "groups.G257");
    assert_eq!(error.mistakes()[0].found, "259 groups");
}

#[test]
fn a_file_is_told_from_one_of_the_other_sort() {
    let folder = folder(BRIDGES);
    let bridges = folder.path().join("bridge.toml");
    let of_a_group = folder.path().join("topology.toml");
    let text = "group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:10241\"\n";
    fs::write(&of_a_group, text).unwrap();

    assert!(matches!(Plan::load(&bridges, &[]), Ok(Plan::Bridges(_))));
    assert!(matches!(Plan::load(&of_a_group, &[]), Ok(Plan::Group(_))));
    let refused = |error: TopologyError| {
        assert_eq!(error.mistakes().len(), 1, "{error}");
        error.mistakes()[0].problem
    };
    let error = Topology::load(&bridges, &[]).unwrap_err();
    assert_eq!(refused(error), Problem::WrongFile);
    let error = BridgePlan::load(&of_a_group, &[]).unwrap_err();
    assert_eq!(refused(error), Problem::WrongFile);
}
