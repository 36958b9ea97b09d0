//! Whether nodes can listen where they are to.

use std::{io, net::TcpListener};

use super::{
    Finding, Here,
    finding::counted,
    here::Listens,
    processes::{self, Process},
    sockets,
};

const CHECK: &str = "ports";

/// How it is with a port.
enum Port {
    Free,
    /// The node itself listens there.
    Held,
    Found(Finding),
}

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut free, mut held) = (0, 0);
    // On port 0 the system chooses one that is free.
    let listens = here.listens().into_iter();
    for listens in listens.filter(|listens| listens.address.port() != 0) {
        match look(here, &listens) {
            Port::Free => free += 1,
            Port::Held => held += 1,
            Port::Found(finding) => findings.push(finding),
        }
    }
    let good = [
        (free, format!("{} free", counted(free, "port"))),
        (
            held,
            format!("{} held by this machine's nodes", counted(held, "port")),
        ),
    ];
    let good = good.into_iter().filter(|(count, _)| *count > 0);
    let good: Vec<String> = good.map(|(_, words)| words).collect();
    if !good.is_empty() {
        findings.insert(0, Finding::ok(CHECK, good.join(", ")));
    }
    findings
}

fn look(here: &Here, listens: &Listens) -> Port {
    let Listens { node, key, address } = listens;
    let Err(error) = TcpListener::bind(address) else {
        return Port::Free;
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => in_use(here, listens),
        // That is the matter of another check.
        io::ErrorKind::AddrNotAvailable => Port::Free,
        io::ErrorKind::PermissionDenied if here.place.systemd => Port::Free,
        io::ErrorKind::PermissionDenied => Port::Found(Finding::warn(
            CHECK,
            format!("{node} may not listen on {address}: ports below 1024 are for root"),
            format!("give {key} a port from 1024, or have systemd run {node}"),
        )),
        _ => Port::Found(Finding::fail(
            CHECK,
            format!("{node} cannot listen on {address}: {error}"),
            format!("change {key}"),
        )),
    }
}

fn in_use(here: &Here, listens: &Listens) -> Port {
    let Listens { node, key, address } = listens;
    let holders = sockets::holders(*address);
    let own = |process: &Process| process.node == *node && holders.contains(&process.pid);
    if here.processes.iter().any(own) {
        return Port::Held;
    }
    let Some(pid) = holders.first() else {
        // Of another user, whose files we do not see.
        return match here.runs(node) {
            true => Port::Held,
            false => Port::Found(Finding::fail(
                CHECK,
                format!("somebody listens on {address} of {node}, which does not run"),
                format!("ask as root who it is; then stop it, or change {key}"),
            )),
        };
    };
    let program = processes::program(*pid).unwrap_or_else(|| "a program".to_owned());
    Port::Found(Finding::fail(
        CHECK,
        format!("{program} (process {pid}) listens on {address} of {node}"),
        format!("stop it, or change {key}"),
    ))
}
