//! The command line: which command it is, and what becomes of it.

use std::{
    ffi::OsString,
    io::{Write, stdout},
};

use clap::{Parser, Subcommand};
use daemon::{ALL_EXIT_CODES, Exit};

use crate::{
    apply::{self, ApplyArgs},
    bots::{self, BotsArgs},
    call::{self, CallArgs},
    check::{self, CheckArgs},
    console::{self, ConsoleArgs},
    diff::{self, DiffArgs},
    doctor::{self, DoctorArgs},
    drain::{self, DrainArgs},
    failure::{self, tell as fail},
    logs::{self, LogsArgs},
    nodes::{self, NodesArgs},
    reload::{self, ReloadArgs},
    solo::become_solo,
    top::{self, TopArgs},
    up::{self, UpArgs},
};

/// RedRabbit: game and session servers whose Python changes while players are
/// online.
#[derive(Clone, Debug, Parser)]
#[command(name = "redrabbit", version = daemon::build_version(), after_help = help())]
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
    /// Looks at this machine: what would keep its nodes from running well
    Doctor(DoctorArgs),
    /// Prints who is in a group, as its master sees it
    Nodes(NodesArgs),
    /// Shows a group as it lives, in this terminal: nodes, loads, rates, alarms
    Top(TopArgs),
    /// Prints the address of a group's console, with the token that opens it
    Console(ConsoleArgs),
    /// Calls a method of a node, or a service of a scene's script
    Call(CallArgs),
    /// Has a scene, or every one, load its script again under its sessions
    Reload(ReloadArgs),
    /// Asks a gate or a scene to finish what it has, and waits for its end
    Drain(DrainArgs),
    /// Prints what nodes have logged: of a node, a session, a call
    Logs(LogsArgs),
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
  redrabbit doctor
  redrabbit nodes
  redrabbit top
  redrabbit console
  redrabbit call scene@0 200 '{\"name\": \"Ann\"}'
  redrabbit logs --session Ann
  redrabbit reload scene@0
  redrabbit drain scene@0 --to scene@1
  redrabbit bots --count 1000

With --json a command prints JSON on stdout, whose fields its --help explains, and on
stderr an object for what went wrong: error (the text), kind (failure, usage, config, or
how a call ended), exit_code, and from check, for a wrong file, mistakes (place, key,
found, expected, nearest).";

/// What is at the end of `--help`.
fn help() -> String {
    format!("{HELP}\n\n{ALL_EXIT_CODES}")
}

/// Reads the command line. A wrong one is explained on stderr, as a JSON object if it
/// has `--json` in it.
///
/// # Errors
/// How the program ends: there is nothing to do.
pub fn parse() -> Result<Cli, Exit> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let error = match Cli::try_parse_from(&arguments) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    match (error.use_stderr(), wants_json) {
        (true, true) => {
            let text = error.render().to_string();
            eprintln!("{}", failure::text_to_json(&text, Exit::Usage));
        }
        // Nobody is left to be told when even the terminal is gone.
        _ => drop(error.print()),
    }
    match error.use_stderr() {
        true => Err(Exit::Usage),
        false => Err(Exit::Ok),
    }
}

/// Does what the command line says. What goes wrong is explained on stderr.
///
/// `up` starts children that die with this thread: call it on the main one.
pub fn run(cli: Cli) -> Exit {
    match cli.command {
        Command::Up(args) => match up::run(&args) {
            Ok(exit) => exit,
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Check(args) => match check::run(&args) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, Exit::Config, args.json),
        },
        Command::Diff(args) => match diff::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Apply(args) => match apply::run(&args) {
            Ok(exit) => exit,
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Doctor(args) => match doctor::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Nodes(args) => match nodes::run(&args) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Top(args) => match top::run(&args) {
            Ok(()) => Exit::Ok,
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Console(args) => match console::run(&args) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Call(args) => match call::run(&args) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Reload(args) => match reload::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Drain(args) => match drain::run(&args) {
            Ok(()) => Exit::Ok,
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Logs(args) => match logs::run(&args) {
            Ok(exit) => exit,
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Bots(args) => match bots::run(&args) {
            Ok((text, exit)) => {
                print(&text);
                exit
            }
            Err(error) => fail(&error, error.exit(), args.json),
        },
        Command::Solo(PassedOn { args }) => fail(&become_solo("solo", &args), Exit::Failure, false),
        Command::Demo(PassedOn { args }) => fail(&become_solo("demo", &args), Exit::Failure, false),
    }
}

/// A reader that has gone away has seen enough.
fn print(text: &str) -> Exit {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Ok
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
    fn every_command_says_how_it_can_end_in_codes_of_the_one_table() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            if ["solo", "demo"].contains(&name) {
                continue;
            }
            let help = command.get_after_help().unwrap().to_string();
            let (_, codes) = help
                .split_once("Exit codes:\n")
                .unwrap_or_else(|| panic!("{name}"));
            let codes = codes
                .lines()
                .filter_map(|line| line.split_whitespace().next()?.parse::<u8>().ok());
            let codes: Vec<u8> = codes.collect();
            assert!(
                codes.contains(&0) && codes.contains(&64),
                "{name}: {codes:?}"
            );
            for code in codes {
                let line = format!("\n  {code:<4} ");
                assert!(ALL_EXIT_CODES.contains(&line), "{name}: {code}");
            }
        }
    }

    #[test]
    fn every_command_that_prints_does_so_for_programs_too() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            if ["solo", "demo"].contains(&name) {
                continue;
            }
            let has_json = command.get_arguments().any(|one| one.get_id() == "json");
            assert!(has_json, "{name} has no --json");
            let help = command.get_after_help().unwrap().to_string();
            assert!(
                help.contains("With --json"),
                "{name} does not explain --json"
            );
        }
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
