//! The loads that there are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A load and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
}

/// What goes over the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Load {
    /// Requesters call one responder, each with so many calls in flight all
    /// the time.
    Calls { requesters: usize, in_flight: usize },
    /// One source sends to every receiver, with so many rounds outstanding all
    /// the time. A round is over when everybody has it.
    FanOut {
        receivers: usize,
        outstanding: usize,
    },
}

const ALL: [Shape; 9] = [
    calls("1", 1, 1),
    calls("64", 1, 64),
    calls("1024", 1, 1024),
    calls("32x32", 32, 32),
    calls("256x1", 256, 1),
    calls(THOUSAND, 1000, 1),
    fan_out("fan-out-1", 200, 1),
    fan_out("fan-out-8", 200, 8),
    fan_out("fan-out-64", 200, 64),
];

/// Runs only when it is asked for: a thousand nodes take their time to join.
const THOUSAND: &str = "1000x1";

/// One of each kind, to see that the tool works.
pub(crate) const QUICK: [Shape; 2] = [calls("2x16", 2, 16), fan_out("fan-out-to-10", 10, 4)];

impl Shape {
    /// What is measured unless something is asked for.
    pub(crate) fn usual() -> impl Iterator<Item = Shape> {
        ALL.into_iter().filter(|shape| shape.name != THOUSAND)
    }
}

const fn calls(name: &'static str, requesters: usize, in_flight: usize) -> Shape {
    let load = Load::Calls {
        requesters,
        in_flight,
    };
    Shape { name, load }
}

const fn fan_out(name: &'static str, receivers: usize, outstanding: usize) -> Shape {
    let load = Load::FanOut {
        receivers,
        outstanding,
    };
    Shape { name, load }
}

impl Load {
    /// How many messages arrive for each thing that ends: a call counts as one,
    /// a round as one for each receiver.
    pub(crate) fn deliveries(self) -> u64 {
        match self {
            Load::Calls { .. } => 1,
            Load::FanOut { receivers, .. } => receivers as u64,
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        ALL.into_iter()
            .find(|shape| shape.name == name)
            .ok_or_else(|| {
                let names = ALL.map(|shape| shape.name).join(", ");
                format!("there is no such load, but {names}")
            })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_is_found_by_its_name() {
        for shape in ALL {
            assert_eq!(shape.name.parse(), Ok(shape));
        }
        assert!("2x2".parse::<Shape>().unwrap_err().contains("32x32"));
    }
}
