//! The command line: which command it is, and what becomes of it.

use std::{
    ffi::OsString,
    io::{Write, stdout},
};

use clap::{Parser, Subcommand};
use daemon::Exit;

use crate::{
    apply::{self, ApplyArgs},
    bots::{self, BotsArgs},
    check::{self, CheckArgs},
    diff::{self, DiffArgs},
    drain::{self, DrainArgs},
    nodes::{self, NodesArgs},
    reload::{self, ReloadArgs},
    solo::become_solo,
    up::{self, UpArgs},
};

/// RedRabbit: game and session servers whose Python changes while players are
/// online.
#[derive(Clone, Debug, Parser)]
#[command(name = "redrabbit", version = daemon::build_version(), after_help = HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Starts every role of this machine and shows their logs as one
    Up(UpArgs),
    /// Reads a topology file: says what it describes, or what is wrong with it
    Check(CheckArgs),
    /// Says what an edited topology file changes, and who is restarted for it
    Diff(DiffArgs),
    /// Brings an edited topology file into force on this machine
    Apply(ApplyArgs),
    /// Prints who is in a group, as its master sees it
    Nodes(NodesArgs),
    /// Has a scene, or every one, load its script again under its sessions
    Reload(ReloadArgs),
    /// Asks a gate or a scene to finish what it has, and waits for its end
    Drain(DrainArgs),
    /// Lets clients loose on a group: what is lost, repeated, late, and by how much
    Bots(BotsArgs),
    /// Runs a whole group in one process (redrabbit-solo)
    #[command(disable_help_flag = true)]
    Solo(PassedOn),
    /// The playground: a chat beside the script that runs it (redrabbit-solo)
    #[command(disable_help_flag = true)]
    Demo(PassedOn),
}

/// What another program is told, as it was written, `--help` included.
#[derive(Clone, Debug, clap::Args)]
pub struct PassedOn {
    /// See --help
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub args: Vec<OsString>,
}

const HELP: &str = "\
Examples:
  redrabbit demo                          chat and script side by side, in a browser
  redrabbit demo cross-group              two groups, a bridge, and players who cross it
  redrabbit check configs/local.toml
  redrabbit up configs/local.toml --script my_game.py
  redrabbit nodes
  redrabbit reload scene@0
  redrabbit drain scene@0 --to scene@1
  redrabbit bots --count 1000

Exit codes are at the end of each command's --help: 0 is good, 64 a wrong
command line, 78 a wrong topology file, 1 anything else.";

/// Does what the command line says. What goes wrong is explained on stderr.
///
/// `up` starts children that die with this thread: call it on the main one.
pub fn run(cli: Cli) -> Exit {
    match cli.command {
        Command::Up(args) => match up::run(&args) {
            Ok(exit) => exit,
            Err(error) => fail(&error, error.exit()),
        },
        Command::Check(args) => match check::run(&args) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, Exit::Config),
        },
        Command::Diff(args) => match diff::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit()),
        },
        Command::Apply(args) => match apply::run(&args) {
            Ok(exit) => exit,
            Err(error) => fail(&error, error.exit()),
        },
        Command::Nodes(args) => match nodes::run(&args) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, error.exit()),
        },
        Command::Reload(args) => match reload::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit()),
        },
        Command::Drain(args) => match drain::run(&args) {
            Ok(()) => Exit::Ok,
            Err(error) => fail(&error, error.exit()),
        },
        Command::Bots(args) => match bots::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit()),
        },
        Command::Solo(PassedOn { args }) => fail(&become_solo("solo", &args), Exit::Failure),
        Command::Demo(PassedOn { args }) => fail(&become_solo("demo", &args), Exit::Failure),
    }
}

/// A reader that has gone away has seen enough.
fn print(text: &str) -> Exit {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Ok
}

fn fail(error: &dyn std::error::Error, exit: Exit) -> Exit {
    eprintln!("{error}");
    exit
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_passed_on_is_not_read() {
        let line = [
            "redrabbit",
            "solo",
            "--help",
            "a.toml",
            "-x",
            "--",
            "--set",
            "y=1",
        ];
        let Command::Solo(passed) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not solo");
        };
        assert_eq!(passed.args, line[2..]);
    }
}
