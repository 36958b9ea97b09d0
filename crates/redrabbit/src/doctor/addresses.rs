//! Whether nodes listen where this machine is, and where others get to.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use super::{Finding, Here, here::Listens};

const CHECK: &str = "addresses";

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let listens = here.listens();
    let mut findings: Vec<Finding> = listens
        .iter()
        .filter(|listens| !is_ours(listens.address.ip()))
        .map(foreign)
        .collect();
    findings.extend(unreachable(here));
    if findings.is_empty() && !listens.is_empty() {
        findings.push(Finding::ok(CHECK, "every address is one of this machine"));
    }
    findings
}

fn foreign(listens: &Listens) -> Finding {
    let Listens { node, key, address } = listens;
    let text = format!(
        "{node} shall listen on {}, which is no address of this machine",
        { address.ip() }
    );
    let fix = format!(
        "give {key} one that `ip address` shows, 0.0.0.0 for all of them, or move {node} to the \
         machine that has it"
    );
    Finding::fail(CHECK, text, fix)
}

/// Brokers on loopback, where nodes of other machines are to reach them.
fn unreachable(here: &Here) -> Vec<Finding> {
    let Some(topology) = here.group() else {
        return Vec::new();
    };
    let gates = topology.gates.values().map(|gate| &gate.machine);
    let scenes = topology.scenes.values().map(|scene| &scene.machine);
    let slaves = topology.slaves.values().map(|slave| &slave.machine);
    let elsewhere = |machine: &String| {
        let is_same = machine.eq_ignore_ascii_case(&here.machine);
        !is_same && machine != "localhost"
    };
    let Some(other) = gates.chain(scenes).chain(slaves).find(|one| elsewhere(one)) else {
        return Vec::new();
    };
    let brokers = here.listens().into_iter().filter(|listens| {
        let is_broker = listens.key.ends_with(".listen");
        let advertised = topology.slaves.get(&listens.node);
        let advertised = advertised.is_some_and(|slave| slave.advertise.is_some());
        is_broker && !advertised && listens.address.ip().is_loopback()
    });
    let findings = brokers.map(|Listens { node, key, address }| {
        let text = format!("{node} listens on {address}, which nodes of {other} cannot reach");
        let fix = format!("give {key} an address of this machine's network");
        Finding::fail(CHECK, text, fix)
    });
    findings.collect()
}

/// Whether a socket can be bound there.
fn is_ours(ip: IpAddr) -> bool {
    match UdpSocket::bind(SocketAddr::new(ip, 0)) {
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
        Ok(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_ours() {
        assert!(is_ours("127.0.0.1".parse().unwrap()));
        assert!(is_ours("0.0.0.0".parse().unwrap()));
        // For documents, and nobody's.
        assert!(!is_ours("192.0.2.1".parse().unwrap()));
    }
}
