//! `redrabbit-solo solo FILE` and `redrabbit-solo demo`

use std::process::ExitCode;

fn main() -> ExitCode {
    match daemon::parse::<solo::cli::Cli>() {
        Ok(cli) => cli.run(),
        Err(exit) => exit.into(),
    }
}
