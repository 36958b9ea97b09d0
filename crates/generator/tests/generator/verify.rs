//! The units of `deploy/systemd`: what systemd says of them, and that they are alike.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use topology::{BridgePlan, Topology};

use crate::support::{BRIDGES, GROUP, Machine};

const ROLES: [&str; 5] = ["master", "slave", "scene", "gate", "bridge"];

/// Where units may differ in what they let a daemon do: the reason stands beside it.
const OWN: [&str; 1] = ["ProcSubset"];

fn units_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd")
}

fn unit(role: &str) -> String {
    fs::read_to_string(units_folder().join(format!("redrabbit-{role}@.service"))).unwrap()
}

/// The settings of a unit, several of one name in their order.
fn settings(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut settings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        settings.entry(key).or_default().push(value);
    }
    settings
}

#[test]
fn systemd_has_nothing_to_say_against_the_units_and_what_is_made_for_them() {
    let output = Command::new(units_folder().join("check"))
        .arg(env!("CARGO_BIN_EXE_redrabbit-generator"))
        .output()
        .unwrap();
    let (said, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    eprintln!("{said}");
    assert!(output.status.success(), "{failed}");
}

#[test]
fn every_node_of_a_topology_has_a_template() {
    let machine = Machine::named("game-1");
    machine
        .file("topology.toml", GROUP)
        .file("bridge.toml", BRIDGES);
    let group = Topology::load_layout(&machine.etc().join("topology.toml")).unwrap();
    let bridges = BridgePlan::load_layout(&machine.etc().join("bridge.toml")).unwrap();
    let units = generator::units(Some(&group), Some(&bridges), "game-1");
    assert_eq!(units.len(), ROLES.len());
    for unit in units {
        let template = units_folder().join(unit.template());
        assert!(template.is_file(), "{}", template.display());
        assert_eq!(unit.name(), format!("redrabbit-{}.service", unit.node));
    }
}

#[test]
fn units_are_told_their_own_node_and_file() {
    for role in ROLES {
        let text = unit(role);
        let start = settings(&text)["ExecStart"][0];
        let file = match role {
            "bridge" => "bridge",
            _ => "topology",
        };
        let told = format!(" --topology /etc/redrabbit/{file}.toml --name {role}@%i");
        assert!(start.ends_with(&told), "{start}");
    }
}

#[test]
fn all_units_are_shut_in_alike_but_where_they_say_why_not() {
    let all = ROLES.map(unit);
    let shut_in = |text: &'_ str| {
        let (_, rest) = text.split_once("# What it may do.").unwrap();
        let mut settings: BTreeMap<String, Vec<String>> = settings(rest)
            .into_iter()
            .map(|(key, values)| {
                (
                    key.to_owned(),
                    values.into_iter().map(str::to_owned).collect(),
                )
            })
            .collect();
        settings.retain(|key, _| !OWN.contains(&key.as_str()));
        settings
    };
    let first = shut_in(&all[0]);
    assert!(first.len() > 20);
    for (role, text) in ROLES.iter().zip(&all) {
        assert_eq!(shut_in(text), first, "{role}");
    }
}

#[test]
fn codes_for_which_a_restart_does_not_help_are_those_of_the_daemons() {
    // `daemon::Exit::is_worth_a_retry` says the same; that crate is not for this one to see.
    for role in ROLES {
        let text = unit(role);
        let settings = settings(&text);
        assert_eq!(settings["RestartPreventExitStatus"], ["64 78"], "{role}");
        assert_eq!(settings["Restart"], ["on-failure"], "{role}");
        assert_eq!(settings["Type"], ["notify"], "{role}");
    }
}
