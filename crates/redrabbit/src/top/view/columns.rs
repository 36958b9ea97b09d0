//! The columns of the table of nodes: what is in them, and which of them fit.

use std::time::Duration;

use broker_master::state_name;
use protocol::v1::WatchedNode;

use crate::top::numbers::{bytes, count, share, span};

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) enum Column {
    Name,
    State,
    Load,
    Cpu,
    Memory,
    In,
    Out,
    Traffic,
    Queue,
    Dropped,
    Script,
    Build,
    Up,
    Heard,
}

use Column::{
    Build, Cpu, Dropped, Heard, In, Load, Memory, Name, Out, Queue, Script, State, Traffic, Up,
};

/// From left to right.
const ALL: [Column; 14] = [
    Name, State, Load, Cpu, Memory, In, Out, Traffic, Queue, Dropped, Script, Build, Up, Heard,
];

/// Where there is no room for all, the last of these is left out first.
const BY_WORTH: [Column; 14] = [
    Name, State, Load, Cpu, In, Out, Queue, Memory, Dropped, Up, Script, Traffic, Build, Heard,
];

/// Between two columns.
pub(in crate::top) const GAP: u16 = 2;

/// Names are given so many characters, at least and at most.
const NAMES: (usize, usize) = (8, 32);

/// How wide the column of these names is.
pub(in crate::top) fn name_width<'a>(names: impl Iterator<Item = &'a str>) -> u16 {
    let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
    longest.clamp(NAMES.0, NAMES.1) as u16
}

/// The columns that fit so many characters where names take so many of them, from left to
/// right.
pub(in crate::top) fn fitting(width: u16, names: u16) -> Vec<Column> {
    // Before the first there is no gap.
    let mut left = u32::from(width) + u32::from(GAP);
    let fit = BY_WORTH.iter().take_while(|column| {
        let needed = u32::from(column.width(names) + GAP);
        let fits = left >= needed || **column == Name;
        left = left.saturating_sub(needed);
        fits
    });
    let fit: Vec<&Column> = fit.collect();
    ALL.into_iter()
        .filter(|column| fit.contains(&column))
        .collect()
}

impl Column {
    pub(in crate::top) fn title(self) -> &'static str {
        match self {
            Name => "NODE",
            State => "STATE",
            Load => "LOAD",
            Cpu => "CPU",
            Memory => "MEM",
            In => "IN/s",
            Out => "OUT/s",
            Traffic => "BYTES/s",
            Queue => "QUEUE",
            Dropped => "DROPS",
            Script => "SCRIPT",
            Build => "BUILD",
            Up => "UP",
            Heard => "HEARD",
        }
    }

    /// In characters, where names take so many. Longer texts are cut.
    pub(in crate::top) fn width(self, names: u16) -> u16 {
        match self {
            Name => names,
            State => 8,
            Load | Cpu | Memory | In | Out | Queue | Dropped | Heard => 5,
            Traffic | Up => 7,
            Script => 11,
            Build => 20,
        }
    }

    /// Numbers stand under each other.
    pub(in crate::top) fn is_number(self) -> bool {
        !matches!(self, Name | State | Script | Build)
    }

    /// What is in it for a node; `-` where the node says nothing of it.
    pub(in crate::top) fn cell(self, node: &WatchedNode) -> String {
        let vitals = node.vitals.as_ref();
        let rates = node.rates.as_ref();
        let known = match self {
            Name => Some(node.name.clone()),
            State => Some(state_name(node).to_owned()),
            Load => Some(count(node.load as f64)),
            Cpu => rates.and_then(|rates| rates.cpu).map(share),
            Memory => vitals
                .and_then(|vitals| vitals.memory_bytes)
                .map(|size| bytes(size as f64)),
            In => rates.map(|rates| count(rates.messages_in)),
            Out => rates.map(|rates| count(rates.messages_out)),
            Traffic => rates.map(|rates| bytes(rates.bytes_in + rates.bytes_out)),
            Queue => vitals.map(|vitals| format!("{:.0}%", vitals.queue_fill * 100.0)),
            Dropped => vitals.map(|vitals| count(vitals.dropped as f64)),
            Script => node.script.as_ref().map(|script| {
                let hash = script.hash.get(..7).unwrap_or(&script.hash);
                format!("{} {hash}", script.version)
            }),
            Build => Some(node.build.clone()),
            Up => vitals.map(|vitals| span(Duration::from_millis(vitals.up_ms))),
            Heard => Some(span(Duration::from_millis(node.heard_ms))),
        };
        known
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "-".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_screens_lose_the_least_worthy_columns_and_never_the_name() {
        assert_eq!(fitting(u16::MAX, 12), ALL);
        assert_eq!(fitting(0, 12), [Name]);
        let narrow = fitting(40, 12);
        assert_eq!(narrow, [Name, State, Load, Cpu]);
        for width in 12..200 {
            let columns = fitting(width, 12);
            let taken: u16 = columns.iter().map(|column| column.width(12) + GAP).sum();
            assert!(taken - GAP <= width, "{width}: {columns:?}");
        }
    }
}
