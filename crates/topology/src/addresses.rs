//! Whether the addresses of a plan can be listened on, reached, and left open.

use std::net::{IpAddr, SocketAddr};

use crate::{
    credentials,
    findings::Findings,
    kind::Kind,
    layer::KeyPath,
    mistake::{Place, Problem},
    plan::may_meet,
    reference::keys_of,
    section::Section,
    settings::Settings,
};

/// Notes what is wrong with where nodes listen.
pub(crate) fn check(settings: &Settings, findings: &mut Findings) {
    clashes(settings, findings);
    exposure(settings, findings);
    reach(settings, findings);
}

/// An address that a node listens on.
struct Listener<'a> {
    path: KeyPath,
    machine: String,
    address: SocketAddr,
    place: &'a Place,
}

/// Two listeners that the system would not let be bound at the same time.
pub(crate) fn clashes(settings: &Settings, findings: &mut Findings) {
    let mut listeners = listeners(settings, findings);
    // The later of two in the file is the one that is told off.
    listeners.sort_by(|a, b| a.place.order(b.place).then_with(|| a.path.cmp(&b.path)));
    for (index, later) in listeners.iter().enumerate() {
        let earlier = listeners[..index].iter().find(|earlier| {
            may_meet(&earlier.machine, &later.machine) && overlap(earlier.address, later.address)
        });
        if let Some(earlier) = earlier {
            let found = format!(
                "{}, taken by {} = {} ({})",
                later.address,
                earlier.path,
                earlier.address,
                earlier.place.briefly(),
            );
            let expected = "an address or a port that is free on that machine";
            findings.note(Problem::Clash, later.place, &later.path, found, expected);
        }
    }
}

/// Every listener whose machine is known: one with a mistake in its machine
/// could be anywhere.
fn listeners<'a>(settings: &'a Settings, findings: &Findings) -> Vec<Listener<'a>> {
    let mut listeners = Vec::new();
    let document = settings.document();
    for section in document.sections().iter().copied() {
        let nodes = match section.is_named() {
            false => vec![KeyPath::new([section.top()])],
            true => settings.nodes(section),
        };
        for node in nodes {
            let machine = node.child("machine");
            if findings.is_faulty(&machine) {
                continue;
            }
            let machine: String = settings.text(&machine).unwrap_or_default();
            let addresses = keys_of(document, section).filter(|key| key.kind == Kind::Address);
            for key in addresses {
                let path = node.child(key.name);
                if let (Some(address), Some(place)) = (settings.text(&path), settings.place(&path))
                {
                    listeners.push(Listener {
                        path,
                        machine: machine.clone(),
                        address,
                        place,
                    });
                }
            }
        }
    }
    listeners
}

/// Whether two addresses of one machine exclude each other. Port 0 is a port
/// of the system's choice. `[::]` takes IPv4 as well, as Linux has it.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let covers = |wide: IpAddr, narrow: IpAddr| {
        wide.is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    one.port() != 0 && one.port() == other.port() && (a == b || covers(a, b) || covers(b, a))
}

/// A broker's `listen` and what it says.
struct Broker {
    path: KeyPath,
    address: SocketAddr,
    place: Place,
}

/// The brokers in the order of the file.
fn brokers(settings: &Settings) -> Vec<Broker> {
    let master = KeyPath::new([Section::Master.top()]);
    let nodes = std::iter::once(master).chain(settings.nodes(Section::Slave));
    let mut brokers: Vec<Broker> = nodes
        .filter_map(|node| {
            let path = node.child("listen");
            Some(Broker {
                address: settings.text(&path)?,
                place: settings.place(&path)?.clone(),
                path,
            })
        })
        .collect();
    brokers.sort_by(|a, b| a.place.order(&b.place).then_with(|| a.path.cmp(&b.path)));
    brokers
}

/// A broker that other machines can reach, and that asks for no secret, or
/// speaks so that others can read it. The first one stands for all: what is
/// missing is the same.
fn exposure(settings: &Settings, findings: &mut Findings) {
    let brokers = brokers(settings);
    let is_open = |broker: &&Broker| !broker.address.ip().to_canonical().is_loopback();
    let Some(first) = brokers.iter().find(is_open) else {
        return;
    };
    let Broker {
        path,
        address,
        place,
    } = first;
    let found = format!("{address}, which other machines can reach");
    let security = KeyPath::new([Section::Security.top()]);
    let at = (path, place, found.as_str());
    credentials::check_exposure(settings, &security, "in [security]", at, findings);
}

/// A master on "every address" is none that another machine could dial, and a
/// slave is dialled where its record says.
fn reach(settings: &Settings, findings: &mut Findings) {
    let master = KeyPath::new([Section::Master.top()]);
    let home: String = settings.text(&master.child("machine")).unwrap_or_default();
    for broker in brokers(settings) {
        let Broker {
            path,
            address,
            place,
        } = &broker;
        if !address.ip().is_unspecified() {
            continue;
        }
        let (found, expected) = if *path == master.child("listen") {
            let Some((node, machine)) = away_from(&home, settings) else {
                continue;
            };
            (
                format!("{address}, which {node} on {machine} cannot connect to"),
                "the address of the master's machine, which nodes connect to",
            )
        } else {
            let advertise = path.parents().next().unwrap_or_default().child("advertise");
            if settings.text::<String>(&advertise).is_some() || findings.touches(&advertise) {
                continue;
            }
            (
                format!(
                    "{address} and no advertise, and nodes cannot connect to {}",
                    address.ip()
                ),
                "the address of the slave's machine, or advertise beside it: a host and a port \
                 where nodes reach it",
            )
        };
        findings.note(Problem::WrongValue, place, path, found, expected);
    }
}

/// The first of the nodes that are not on the machine `home`.
fn away_from(home: &str, settings: &Settings) -> Option<(KeyPath, String)> {
    let sections = [Section::Slave, Section::Gate, Section::Scene];
    sections
        .into_iter()
        .flat_map(|section| settings.nodes(section))
        .filter_map(|node| {
            let machine: String = settings.text(&node.child("machine"))?;
            Some((node, machine))
        })
        .filter(|(_, machine)| !may_meet(home, machine))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(one: &str, other: &str) -> bool {
        let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
        assert_eq!(overlap(one, other), overlap(other, one));
        overlap(one, other)
    }

    #[test]
    fn every_address_overlaps_each_single_one() {
        assert!(meet("127.0.0.1:1", "127.0.0.1:1"));
        assert!(meet("0.0.0.0:1", "127.0.0.1:1"));
        assert!(meet("[::]:1", "127.0.0.1:1"));
        assert!(meet("[::]:1", "0.0.0.0:1"));
        assert!(meet("[::]:1", "[::1]:1"));
        assert!(meet("[::ffff:127.0.0.1]:1", "127.0.0.1:1"));
    }

    #[test]
    fn other_ports_other_addresses_and_port_zero_do_not() {
        assert!(!meet("127.0.0.1:1", "127.0.0.1:2"));
        assert!(!meet("127.0.0.1:1", "127.0.0.2:1"));
        assert!(!meet("0.0.0.0:1", "[::1]:1"));
        assert!(!meet("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!meet("0.0.0.0:0", "[::]:0"));
    }
}
