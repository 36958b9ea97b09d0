//! What is said of a group's file.

use std::fmt::Write;

use protocol::tls::Tls;
use topology::{Export, Gate, Slave, Topology};

use super::optional;
use crate::table::Table;

/// All of it, for someone on `machine`.
pub(super) fn describe(topology: &Topology, machine: &str) -> String {
    let mut text = summary(topology);
    text.extend(exports(topology));
    for note in notes(topology, machine) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nnote: {note}");
    }
    text
}

/// What this machine lacks, a line each.
pub(super) fn notes(topology: &Topology, machine: &str) -> Vec<String> {
    let mut notes = missing_scripts(topology);
    notes.extend(useless_certificates(topology, machine));
    notes
}

/// The group, its roles, where they are and what they run.
fn summary(topology: &Topology) -> String {
    let mut table = Table::new(["NAME", "MACHINE", "LISTENS", "HTTP", "MORE"]);
    let master = &topology.master;
    table.row([
        master.name.to_string(),
        master.machine.clone(),
        master.listen.to_string(),
        optional(master.http),
        String::new(),
    ]);
    for (name, slave) in &topology.slaves {
        table.row([
            name.to_string(),
            slave.machine.clone(),
            slave.listen.to_string(),
            optional(slave.http),
            advertised(slave),
        ]);
    }
    for (name, scene) in &topology.scenes {
        table.row([
            name.to_string(),
            scene.machine.clone(),
            String::new(),
            optional(scene.http),
            format!("runs {}", scene.script.display()),
        ]);
    }
    for (name, gate) in &topology.gates {
        table.row([
            name.to_string(),
            gate.machine.clone(),
            doors(gate),
            optional(gate.http),
            path_of_a_session(gate),
        ]);
    }
    let roles = 1 + topology.slaves.len() + topology.scenes.len() + topology.gates.len();
    let group = &topology.group;
    format!("group {group} is good: {roles} roles\n\n{table}")
}

/// What other groups may call, where they may call anything.
fn exports(topology: &Topology) -> Option<String> {
    if topology.exports.is_empty() {
        return None;
    }
    let mut table = Table::new(["EXPORT", "GROUPS", "NODES", "WHAT"]);
    for (name, export) in &topology.exports.entries {
        let names = |names: &[String], all: &str| match names.iter().any(|name| name == "*") {
            true => all.to_owned(),
            false => names.join(", "),
        };
        table.row([
            name.clone(),
            names(&export.groups, "every group"),
            names(&export.services, "every node"),
            exported(export),
        ]);
    }
    Some(format!(
        "\nother groups may call, by way of a bridge:\n\n{table}"
    ))
}

/// "cmds 200, 210-219; methods echo, stat.*; who is in the group".
fn exported(export: &Export) -> String {
    let cmds = export
        .cmds
        .iter()
        .map(|range| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        });
    let cmds: Vec<String> = cmds.collect();
    let cmds = (!cmds.is_empty()).then(|| format!("cmds {}", cmds.join(", ")));
    let methods = match export.methods.iter().any(|method| method == "*") {
        true => Some("every method".to_owned()),
        false => {
            let methods = export.methods.join(", ");
            (!methods.is_empty()).then(|| format!("methods {methods}"))
        }
    };
    let directory = export.directory.then(|| "who is in the group".to_owned());
    let parts: Vec<String> = cmds.into_iter().chain(methods).chain(directory).collect();
    parts.join("; ")
}

/// Scripts that are not on this machine, which may be as it should be.
fn missing_scripts(topology: &Topology) -> Vec<String> {
    let missing = topology
        .scenes
        .iter()
        .filter(|(_, scene)| !scene.script.is_file());
    let missing = missing.map(|(name, scene)| {
        let script = scene.script.display();
        format!("{name} runs {script}, which is not on this machine")
    });
    missing.collect()
}

/// What the nodes of `machine` could not start with.
fn useless_certificates(topology: &Topology, machine: &str) -> Vec<String> {
    let nodes = topology.roles_on(machine).into_iter();
    let useless = nodes.filter_map(|name| {
        let files = topology.security.tls_files(&name)?;
        let checked = Tls::load(files).and_then(|tls| tls.require(&topology.group, &name));
        checked
            .err()
            .map(|error| format!("{name} has no TLS: {error}"))
    });
    useless.collect()
}

fn doors(gate: &Gate) -> String {
    let tcp = gate.tcp.map(|address| format!("tcp {address}"));
    let websocket = gate.websocket.map(|address| format!("websocket {address}"));
    let doors: Vec<String> = tcp.into_iter().chain(websocket).collect();
    doors.join(", ")
}

fn path_of_a_session(gate: &Gate) -> String {
    match &gate.enter {
        Some(enter) => format!("verifies at {}, enters {enter}", gate.verify),
        None => format!("verifies at {}", gate.verify),
    }
}

fn advertised(slave: &Slave) -> String {
    let address = slave.advertise.as_ref();
    address.map_or_else(String::new, |address| format!("reached at {address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_this_machine_without_its_certificate_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        std::fs::write(folder.path().join("ca.pem"), "").unwrap();
        let text = r#"
            group = "GroupA"
            [master]
            machine = "game-1"
            listen = "127.0.0.1:10241"
            [slaves."slave@0"]
            machine = "game-2"
            listen = "127.0.0.1:10251"
            [security]
            authority = "ca.pem"
            certificate = "{name}.pem"
            key = "{name}.key"
        "#;
        std::fs::write(&file, text).unwrap();
        let topology = Topology::load(&file, &[]).unwrap();
        let notes = useless_certificates(&topology, "game-2");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].starts_with("slave@0 has no TLS: "), "{notes:?}");
        assert!(useless_certificates(&topology, "game-3").is_empty());
    }

    #[test]
    fn slaves_are_listed_after_the_master_with_where_they_are_reached() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        let text = r#"
            group = "GroupA"
            [master]
            listen = "127.0.0.1:10241"
            [slaves."slave@0"]
            machine = "game-1"
            listen = "127.0.0.1:10251"
            http = "127.0.0.1:10351"
            [slaves."slave@1"]
            machine = "game-2"
            listen = "127.0.0.1:10251"
            advertise = "game-2:10251"
        "#;
        std::fs::write(&file, text).unwrap();
        let topology = Topology::load(&file, &[]).unwrap();
        assert_eq!(
            describe(&topology, "game-9"),
            "group GroupA is good: 3 roles\n\
             \n\
             NAME      MACHINE    LISTENS          HTTP             MORE\n\
             master@0  localhost  127.0.0.1:10241  -                -\n\
             slave@0   game-1     127.0.0.1:10251  127.0.0.1:10351  -\n\
             slave@1   game-2     127.0.0.1:10251  -                reached at game-2:10251\n"
        );
    }

    #[test]
    fn what_others_may_call_is_listed_below_the_roles() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        let text = r#"
            group = "GroupA"
            [master]
            listen = "127.0.0.1:10241"
            [exports.chat]
            groups = ["GroupB", "GroupC"]
            services = ["echo", "stat@1"]
            cmds = [200, "210-219"]
            methods = ["echo", "stat.*"]
            directory = true
            [exports.open]
            groups = "*"
            methods = "*"
        "#;
        std::fs::write(&file, text).unwrap();
        let topology = Topology::load(&file, &[]).unwrap();
        assert_eq!(
            exports(&topology).unwrap(),
            "\nother groups may call, by way of a bridge:\n\
             \n\
             EXPORT  GROUPS          NODES         WHAT\n\
             chat    GroupB, GroupC  echo, stat@1  cmds 200, 210-219; methods echo, stat.*; \
             who is in the group\n\
             open    every group     every node    every method\n"
        );
    }
}
