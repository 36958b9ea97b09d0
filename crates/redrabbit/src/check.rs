//! `redrabbit check`: what a topology file says, or what is wrong with it.

use std::{fmt::Write, path::PathBuf};

use protocol::tls::Tls;
use topology::{Gate, Slave, Topology, TopologyError, this_machine};

use crate::table::Table;

/// The arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct CheckArgs {
    /// The file that describes the group
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Overrides a key of the file, such as gates.gate@0.tcp=127.0.0.1:7000;
    /// may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

const HELP: &str = "\
Examples:
  redrabbit check configs/local.toml
  redrabbit check /etc/redrabbit/topology.toml --set limits.lease=5s

Opens no socket and starts nothing. A wrong file is refused whole, with every
mistake in it.

Exit codes:
  0   the file is good
  64  the command line is wrong
  78  the file is wrong";

/// What to print of a good file.
///
/// # Errors
/// The mistakes of a wrong one.
pub fn run(args: &CheckArgs) -> Result<String, TopologyError> {
    let topology = Topology::load(&args.file, &args.set)?;
    let mut text = summary(&topology);
    text.extend(missing_scripts(&topology));
    text.extend(useless_certificates(&topology, &this_machine()));
    Ok(text)
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

/// Scripts that are not on this machine, which may be as it should be.
fn missing_scripts(topology: &Topology) -> Option<String> {
    let mut text = String::new();
    for (name, scene) in &topology.scenes {
        if !scene.script.is_file() {
            let script = scene.script.display();
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "\nnote: {name} runs {script}, which is not on this machine"
            );
        }
    }
    (!text.is_empty()).then_some(text)
}

/// What the nodes of `machine` could not start with.
fn useless_certificates(topology: &Topology, machine: &str) -> Option<String> {
    let mut text = String::new();
    for name in topology.roles_on(machine) {
        let files = topology.security.tls_files(&name)?;
        let checked = Tls::load(files).and_then(|tls| tls.require(&topology.group, &name));
        if let Err(error) = checked {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\nnote: {name} has no TLS: {error}");
        }
    }
    (!text.is_empty()).then_some(text)
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

fn optional(address: Option<std::net::SocketAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
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
        let note = useless_certificates(&topology, "game-2").unwrap();
        assert!(note.starts_with("\nnote: slave@0 has no TLS: "), "{note}");
        assert_eq!(note.lines().count(), 2, "{note}");
        assert_eq!(useless_certificates(&topology, "game-3"), None);
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
        let set = Vec::new();
        assert_eq!(
            run(&CheckArgs { file, set }).unwrap(),
            "group GroupA is good: 3 roles\n\
             \n\
             NAME      MACHINE    LISTENS          HTTP             MORE\n\
             master@0  localhost  127.0.0.1:10241  -                -\n\
             slave@0   game-1     127.0.0.1:10251  127.0.0.1:10351  -\n\
             slave@1   game-2     127.0.0.1:10251  -                reached at game-2:10251\n"
        );
    }
}
