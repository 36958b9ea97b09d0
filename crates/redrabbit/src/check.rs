//! `redrabbit check`: what a topology file says, or what is wrong with it.

mod bridges;
mod group;

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
}

const HELP: &str = "\
Examples:
  redrabbit check configs/local.toml
  redrabbit check /etc/redrabbit/topology.toml --set limits.lease=5s
  redrabbit check /etc/redrabbit/bridge.toml

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
    let machine = this_machine();
    Ok(match Plan::load(&args.file, &args.set)? {
        Plan::Group(topology) => group::describe(&topology, &machine),
        Plan::Bridges(plan) => bridges::describe(&plan, &machine),
    })
}

fn optional(address: Option<SocketAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
}
