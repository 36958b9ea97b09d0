//! Writes the man pages and the shells' completions, as a package has them:
//!
//! ```text
//! cargo run -p redrabbit --example docs -- FOLDER
//! ```
//!
//! Everything is made from what the programs themselves go by: the command line of
//! `redrabbit`, the arguments of daemons, the keys of topologies.

mod commands;
mod daemons;
mod topologies;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

/// Writes man pages to FOLDER/man and completions to FOLDER/completions.
#[derive(Debug, Parser)]
struct Arguments {
    /// Made if it is not there
    folder: PathBuf,
}

fn main() -> ExitCode {
    let folder = Arguments::parse().folder;
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder)?;
    }
    let mut pages = commands::pages()?;
    pages.extend(daemons::pages()?);
    pages.push(topologies::page());
    for page in pages {
        fs::write(man.join(page.name), page.text)?;
    }
    commands::write_completions(&completions)
}

/// A man page: its file's name, such as `redrabbit.1`, and its roff.
struct Page {
    name: String,
    text: Vec<u8>,
}

/// What every page has at its foot.
fn source() -> String {
    format!("RedRabbit {}", env!("CARGO_PKG_VERSION"))
}

/// What every page has at its head.
const MANUAL: &str = "RedRabbit";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_promised_is_written() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        for name in [
            "man/redrabbit.1",
            "man/redrabbit-bots.1",
            "man/redrabbit-scene.8",
            "man/redrabbit-topology.5",
            "completions/redrabbit.bash",
            "completions/_redrabbit",
            "completions/redrabbit.fish",
        ] {
            let file = fs::metadata(folder.path().join(name)).unwrap();
            assert!(file.len() > 200, "{name}");
        }
    }
}
