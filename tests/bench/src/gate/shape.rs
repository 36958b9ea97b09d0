//! The loads that there are.

use std::{fmt, str::FromStr};

use super::{broadcast::Broadcast, echo::Echo, idle, measured, slow};

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Messages that come back.
    Echo(Echo),
    /// One message for everybody.
    Broadcast(Broadcast),
    /// So many who come.
    Login(usize),
    /// So many who do nothing.
    Idle(usize),
    /// One who does not read.
    Slow,
}

/// Which table a load's row stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Messages,
    Idle,
    Slow,
}

/// So many who come, or do nothing, unless a number is given.
const MANY: usize = 10_000;
/// So many hear a broadcast unless a number is given.
const AUDIENCE: usize = 1000;
/// So many messages leave together in the second broadcast.
const TOGETHER: u32 = 64;
/// As many parts a broadcast has at most.
const MOST_TOGETHER: u32 = 1024;

/// What is measured unless something is asked for.
pub(crate) const USUAL: [Shape; 11] = [
    echo(1, 1),
    echo(50, 1),
    echo(1000, 1),
    echo(1, 16),
    echo(50, 16),
    echo(1000, 16),
    broadcast(AUDIENCE, 1),
    broadcast(AUDIENCE, TOGETHER),
    Shape::Login(MANY),
    Shape::Idle(MANY),
    Shape::Slow,
];

/// One of each kind, to see that the tool works.
pub(crate) const QUICK: [Shape; 5] = [
    echo(5, 4),
    broadcast(10, 4),
    Shape::Login(100),
    Shape::Idle(100),
    Shape::Slow,
];

const fn echo(clients: usize, in_flight: usize) -> Shape {
    Shape::Echo(Echo { clients, in_flight })
}

const fn broadcast(clients: usize, together: u32) -> Shape {
    Shape::Broadcast(Broadcast { clients, together })
}

impl Shape {
    pub(crate) fn table(self) -> Table {
        match self {
            Shape::Echo(_) | Shape::Broadcast(_) | Shape::Login(_) => Table::Messages,
            Shape::Idle(_) => Table::Idle,
            Shape::Slow => Table::Slow,
        }
    }

    /// Prints the head of its table.
    pub(crate) fn head(self) {
        match self.table() {
            Table::Messages => measured::head(),
            Table::Idle => idle::head(),
            Table::Slow => slow::head(),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    /// `50x16`, `broadcast-64`, `broadcast-1000x64`, `login-10000`, `idle`,
    /// `slow`.
    fn from_str(name: &str) -> Result<Self, String> {
        read(name).ok_or_else(|| {
            "expected a load such as 50x16 (clients by messages in flight), broadcast, \
             broadcast-64, broadcast-200x64, login, login-500, idle, idle-500 or slow"
                .into()
        })
    }
}

fn read(name: &str) -> Option<Shape> {
    let some = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let together = |text| some(text).and_then(|number| u32::try_from(number).ok());
    let (kind, number) = match name.split_once('-') {
        Some((kind, number)) => (kind, Some(number)),
        None => (name, None),
    };
    Some(match (kind, number) {
        ("broadcast", None) => broadcast(AUDIENCE, 1),
        ("broadcast", Some(number)) => {
            let (clients, messages) = match number.split_once('x') {
                Some((clients, messages)) => (some(clients)?, together(messages)?),
                None => (AUDIENCE, together(number)?),
            };
            broadcast(clients, messages.min(MOST_TOGETHER))
        }
        ("login", None) => Shape::Login(MANY),
        ("login", Some(number)) => Shape::Login(some(number)?),
        ("idle", None) => Shape::Idle(MANY),
        ("idle", Some(number)) => Shape::Idle(some(number)?),
        ("slow", None) => Shape::Slow,
        (_, None) => {
            let (clients, in_flight) = name.split_once('x')?;
            echo(some(clients)?, some(in_flight)?)
        }
        _ => return None,
    })
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Echo(load) => write!(f, "{}x{}", load.clients, load.in_flight),
            Shape::Broadcast(load) => write!(f, "broadcast-{}x{}", load.clients, load.together),
            Shape::Login(clients) => write!(f, "login-{clients}"),
            Shape::Idle(clients) => write!(f, "idle-{clients}"),
            Shape::Slow => f.write_str("slow"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_is_found_by_its_name() {
        for shape in USUAL.into_iter().chain(QUICK) {
            assert_eq!(shape.to_string().parse(), Ok(shape));
        }
        assert_eq!("broadcast-64".parse(), Ok(broadcast(1000, 64)));
        for name in ["", "1x", "0x1", "login-x", "slow-3", "broadcast-"] {
            assert!(name.parse::<Shape>().is_err(), "{name}");
        }
    }
}
