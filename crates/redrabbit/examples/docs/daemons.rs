//! The five daemons: pages of section 8, under the names of their units, since
//! their own are too common (`bridge` is a page of another package).

use std::io;

use clap::{Args as _, Command};
use clap_mangen::Man;
use daemon::{Args, EXIT_CODES};

use crate::{MANUAL, Page, source};

/// Its unit, its program, what it is, and how it is described.
const DAEMONS: [(&str, &str, &str, &str); 5] = [
    (
        "master",
        "broker-master",
        "keeps the directory of a group and routes between its nodes",
        "It is the first that the others look for: who is in the group, where, and in \
         which state. A group has one; while it is away the others go on with what they know.",
    ),
    (
        "slave",
        "broker-slave",
        "routes between the nodes of a group, in its master's place",
        "A group may have any number; each can be lost without a call failing.",
    ),
    (
        "gate",
        "gate",
        "holds the clients of a group: their sockets, their sessions, their limits",
        "It is where clients connect, by TCP and by WebSocket. They lose their connection \
         when it ends.",
    ),
    (
        "scene",
        "scene-host",
        "runs a group's sessions in Python",
        "SIGHUP loads its script again, under the sessions that it has. Told to stop, it \
         hands its sessions back to the gates, which hold them for its return.",
    ),
    (
        "bridge",
        "bridge",
        "carries calls between groups",
        "It is a node of several groups at once, and reads bridge.toml in the place of a \
         group's topology.",
    ),
];

/// `redrabbit-gate.8` and so on.
pub(crate) fn pages() -> io::Result<Vec<Page>> {
    let pages = DAEMONS
        .into_iter()
        .map(|(unit, program, about, description)| {
            let name = format!("redrabbit-{unit}");
            let mut text = Vec::new();
            let command = Args::augment_args(Command::new(program))
                .display_name(&name)
                .bin_name(format!("/usr/lib/redrabbit/{program}"))
                .about(about)
                .long_about(description)
                .after_help(after_help(unit));
            Man::new(command)
                .title(name.to_uppercase())
                .section("8")
                .manual(MANUAL)
                .source(source())
                .render(&mut text)?;
            Ok(Page {
                name: format!("{name}.8"),
                text,
            })
        });
    pages.collect()
}

fn after_help(unit: &str) -> String {
    format!(
        "As a service it is redrabbit-{unit}@INDEX.service, which redrabbit.target wants on \
         the machine that the topology names for it; redrabbit-topology(5) has the keys.\n\n\
         {EXIT_CODES}"
    )
}
