//! `redrabbit COMMAND`

use std::process::ExitCode;

use redrabbit::cli::{self, Cli};

fn main() -> ExitCode {
    match daemon::parse::<Cli>() {
        Ok(cli) => cli::run(cli).into(),
        Err(exit) => exit.into(),
    }
}
