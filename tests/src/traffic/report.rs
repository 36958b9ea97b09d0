//! What has become of all that was said.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, Pair};
use crate::Histogram;

/// What one node has to tell at the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// Who it is now; 0 for nobody.
    pub(crate) id: u64,
    /// How many messages it has sent, for each pair that it has been part of.
    pub(crate) sent: Vec<(Pair, u64)>,
    pub(crate) ledger: Ledger,
    /// How its calls have ended.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Notifies that were not taken, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) latency: Histogram,
    pub(crate) longest: Duration,
}

/// All of the traffic, at its end.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How calls have ended: `ok`, or the kind of their error.
    pub calls: BTreeMap<String, u64>,
    /// Notifies that were not taken when they were offered, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Messages, notifies and requests together, that were taken.
    pub sent: u64,
    /// Messages that never arrived, though both nodes live.
    pub lost: u64,
    /// Messages that arrived again.
    pub repeated: u64,
    /// Messages that arrived after later ones.
    pub reordered: u64,
    /// Messages of nodes that the directory had no more.
    pub after_gone: u64,
    /// The latencies of calls that were answered.
    pub latency: Histogram,
    /// The longest that a call took, however it ended.
    pub longest: Duration,
}

impl Report {
    pub(crate) fn of(parts: &[Part]) -> Report {
        let mut report = Report::default();
        let mut sent = BTreeMap::new();
        for part in parts {
            add(&mut report.calls, &part.calls);
            add(&mut report.refused, &part.refused);
            report.latency.add(&part.latency);
            report.longest = report.longest.max(part.longest);
            report.after_gone += part.ledger.after_gone;
            sent.extend(part.sent.iter().copied());
        }
        report.sent = sent.values().sum();
        let lives = |id: u64| parts.iter().any(|part| part.id == id);
        for part in parts {
            let of_others = sent.keys().filter(|pair| pair.1 == part.id).copied();
            let pairs: std::collections::BTreeSet<Pair> =
                part.ledger.pairs().chain(of_others).collect();
            for pair in pairs {
                let both_live = lives(pair.0) && part.id == pair.1;
                let count = sent.get(&pair).copied().filter(|_| both_live);
                let fate = part.ledger.fate(pair, count);
                report.lost += fate.lost;
                report.repeated += fate.repeated;
                report.reordered += fate.reordered;
            }
        }
        report
    }

    /// Calls that were answered.
    pub fn answered(&self) -> u64 {
        self.calls.get("ok").copied().unwrap_or_default()
    }

    /// Calls that ended otherwise.
    pub fn failed(&self) -> u64 {
        self.calls.values().sum::<u64>() - self.answered()
    }

    /// Nothing was lost, repeated or reordered.
    pub fn is_exact(&self) {
        let damage = [self.lost, self.repeated, self.reordered, self.after_gone];
        assert_eq!(damage, [0; 4], "{self}");
    }

    /// As [`is_exact`](Self::is_exact), and everything was taken and answered.
    pub fn is_whole(&self) {
        println!("{self}");
        self.is_exact();
        assert_eq!(self.failed(), 0, "{self}");
        assert!(self.refused.is_empty(), "{self}");
        assert!(self.answered() > 0, "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |quantile| self.latency.microseconds(quantile) / 1000.0;
        write!(
            f,
            "{} messages: {} lost, {} repeated, {} reordered, {} after their node's end; calls {:?}, \
             notifies refused {:?}; p50 {:.2} ms, p99 {:.2} ms, longest {:.1} ms",
            self.sent,
            self.lost,
            self.repeated,
            self.reordered,
            self.after_gone,
            self.calls,
            self.refused,
            milliseconds(0.5),
            milliseconds(0.99),
            self.longest.as_secs_f64() * 1000.0,
        )
    }
}

fn add(own: &mut BTreeMap<String, u64>, other: &BTreeMap<String, u64>) {
    for (name, count) in other {
        *own.entry(name.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: u64, sent: &[(Pair, u64)], arrived: &[(Pair, u64)]) -> Part {
        let mut ledger = Ledger::default();
        for (pair, number) in arrived {
            ledger.arrived(*pair, *number);
        }
        Part {
            id,
            sent: sent.to_vec(),
            ledger,
            ..Part::default()
        }
    }

    #[test]
    fn what_never_arrived_is_lost_unless_its_source_or_destination_is_gone() {
        let parts = [
            part(1, &[((1, 2), 3), ((1, 9), 5), ((8, 2), 5)], &[]),
            part(2, &[((2, 1), 2)], &[((1, 2), 1), ((8, 2), 1)]),
        ];
        assert_eq!(Report::of(&parts).lost, 2 + 2);
    }
}
