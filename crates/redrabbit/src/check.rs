//! `redrabbit check`: what a topology file says, or what is wrong with it.

use std::{fmt::Write, path::PathBuf};

use topology::{Gate, Topology, TopologyError};

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
    if let Some(warning) = missing_scripts(&topology) {
        text.push_str(&warning);
    }
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
    let roles = 1 + topology.scenes.len() + topology.gates.len();
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

fn optional(address: Option<std::net::SocketAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
}
