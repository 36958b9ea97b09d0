//! The command line of `doctor`.

use std::path::PathBuf;

/// The arguments of `doctor`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct DoctorArgs {
    /// The file that describes a group, or bridges between groups; configs/local.toml
    /// if it is there, else /etc/redrabbit/topology.toml
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Overrides a key of the file; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Which of the file's machines this is; unless given the name in
    /// /etc/redrabbit/machine, for a file beside that, or the host name
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,

    /// A file that holds the group's secret and nothing else, if the topology
    /// does not have it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// Prints JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Where the configuration of a machine is
    #[arg(long, value_name = "FOLDER", hide = true, default_value = generator::ETC)]
    pub etc: PathBuf,

    /// Takes systemd to run the nodes, whatever runs here
    #[arg(long, hide = true)]
    pub systemd: bool,
}

const HELP: &str = "\
Examples:
  redrabbit doctor
  redrabbit doctor configs/local.toml
  sudo redrabbit doctor /etc/redrabbit/topology.toml
  redrabbit doctor --json | jq '.[] | select(.status != \"ok\")'

Looks and changes nothing. What it looks at:
  topology      the file is good
  machine       this machine's name is in it
  addresses     where its nodes listen is this machine, and others can get there
  ports         they are free, or held by the nodes themselves
  limits        open files
  clock         it is synchronised, and shows what the master's shows
  certificates  they can be read, are of the right nodes and of the authority, and are
                good for 30 days at least, as the authority's own is
  secrets       nobody reads them who should not, and the daemons can
  python        scene-host starts, and scripts are there and compile
  state         the folders can be written to, and there is room
  units         the nodes that should run do, under systemd
  master        it answers, and has what runs here as ready
  twins         no other machine runs the nodes of this one

As root it sees more: whose a port is, and what the user redrabbit may read.

With --json it prints an array of objects: check (as above), status (ok, warn, fail), text,
fix (what to do; null where there is nothing).

Exit codes:
  0   nothing failed; there may be warnings
  1   something has failed
  64  the command line is wrong";
