//! `redrabbit COMMAND`

use std::process::ExitCode;

use redrabbit::cli;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli) => cli::run(cli).into(),
        Err(exit) => exit.into(),
    }
}
