//! `redrabbit` and each of its commands: pages of section 1, and completions.

use std::{fs::File, io, path::Path};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use redrabbit::cli::Cli;

use crate::{MANUAL, Page, source};

/// `redrabbit.1`, and `redrabbit-up.1` and so on.
pub(crate) fn pages() -> io::Result<Vec<Page>> {
    let mut command = Cli::command();
    // Whatever is passed on from here is explained by the command itself.
    command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = vec![page(&command, "redrabbit")?];
    for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        pages.push(page(
            subcommand,
            &format!("redrabbit-{}", subcommand.get_name()),
        )?);
    }
    Ok(pages)
}

fn page(command: &Command, name: &str) -> io::Result<Page> {
    let mut command = command.clone().display_name(name);
    if command.is_disable_help_flag_set() {
        let help = format!(
            "Everything is passed on to redrabbit-solo, the program that has Python in it: \
             `redrabbit {} --help` says what there is.",
            command.get_name()
        );
        command = command.after_help(help);
    }
    let mut text = Vec::new();
    Man::new(command)
        .title(name.to_uppercase())
        .section("1")
        .manual(MANUAL)
        .source(source())
        .render(&mut text)?;
    Ok(Page {
        name: format!("{name}.1"),
        text,
    })
}

/// `redrabbit.bash`, `_redrabbit` and `redrabbit.fish`.
pub(crate) fn write_completions(folder: &Path) -> io::Result<()> {
    for (shell, name) in [
        (Shell::Bash, "redrabbit.bash"),
        (Shell::Zsh, "_redrabbit"),
        (Shell::Fish, "redrabbit.fish"),
    ] {
        let mut file = File::create(folder.join(name))?;
        clap_complete::generate(shell, &mut Cli::command(), "redrabbit", &mut file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page() {
        let pages = pages().unwrap();
        for command in Cli::command().get_subcommands() {
            let name = format!("redrabbit-{}.1", command.get_name());
            let is_there = pages.iter().any(|page| page.name == name);
            assert_eq!(is_there, !command.is_hide_set(), "{name}");
        }
    }
}
