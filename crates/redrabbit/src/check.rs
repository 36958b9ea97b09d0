//! `redrabbit check`: what a topology file says, or what is wrong with it.

mod bridges;
mod group;
mod json;

use std::{net::SocketAddr, path::PathBuf};

use topology::{Plan, TopologyError, this_machine};

/// The arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct CheckArgs {
    /// The file that describes a group, or bridges between groups
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Overrides a key of the file, such as gates.gate@0.tcp=127.0.0.1:7000;
    /// may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Prints a JSON object, and what is wrong as one on stderr
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit check configs/local.toml
  redrabbit check /etc/redrabbit/topology.toml --set limits.lease=5s
  redrabbit check /etc/redrabbit/bridge.toml

Opens no socket and starts nothing. A wrong file is refused whole, with every
mistake in it.

With --json the object has: file, kind (group or bridges), group (null for bridges),
nodes (name, role, machine, here: whether it runs on this machine, addresses: key and
address, script and script_is_here: of scenes alone), joins (name and master of the groups
that bridges join), notes (what this machine lacks). The addresses' keys are those of the
file: listen, advertise, tcp, websocket, http.

Exit codes:
  0   the file is good
  64  the command line is wrong
  78  the file is wrong";

/// What to print of a good file.
///
/// # Errors
/// The mistakes of a wrong one.
pub fn run(args: &CheckArgs) -> Result<String, TopologyError> {
    let machine = this_machine();
    let plan = Plan::load(&args.file, &args.set)?;
    if args.json {
        return Ok(json::to_json(&args.file, &plan, &machine));
    }
    Ok(match plan {
        Plan::Group(topology) => group::describe(&topology, &machine),
        Plan::Bridges(plan) => bridges::describe(&plan, &machine),
    })
}

fn optional(address: Option<SocketAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
}
