//! What a node has received of what was sent to it.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// Two nodes, by their ids: who sends, and to whom.
pub(crate) type Pair = (u64, u64);

/// What has come from each source. Messages of a pair are numbered from 1, so
/// that whatever is missing, repeated or out of turn shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pairs: Vec<(Pair, Column)>,
    /// Messages of nodes that are gone from the directory, after that.
    pub(crate) after_gone: u64,
    gone: BTreeSet<u64>,
    #[serde(skip)]
    index: HashMap<Pair, usize>,
}

/// What has come of one pair.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Column {
    /// The highest number that has come.
    latest: u64,
    missing: BTreeSet<u64>,
    repeated: u64,
    reordered: u64,
}

/// How a pair has fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) reordered: u64,
}

impl Ledger {
    /// A message has arrived.
    pub(crate) fn arrived(&mut self, pair: Pair, number: u64) {
        if self.gone.contains(&pair.0) {
            self.after_gone += 1;
            return;
        }
        let index = *self.index.entry(pair).or_insert_with(|| {
            self.pairs.push((pair, Column::default()));
            self.pairs.len() - 1
        });
        self.pairs[index].1.arrived(number);
    }

    /// The directory has this node no more: nothing of it may follow.
    pub(crate) fn gone(&mut self, node: u64) {
        self.gone.insert(node);
    }

    /// How a pair has fared of which `sent` messages were sent; `None` where
    /// nobody can say how many, since one of the two is another node now.
    pub(crate) fn fate(&self, pair: Pair, sent: Option<u64>) -> Fate {
        let default = Column::default();
        let column = self.column(pair).unwrap_or(&default);
        let tail = sent.map_or(0, |sent| sent.saturating_sub(column.latest));
        Fate {
            lost: column.missing.len() as u64 + tail,
            repeated: column.repeated,
            reordered: column.reordered,
        }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.pairs.iter().map(|(pair, _)| *pair)
    }

    fn column(&self, pair: Pair) -> Option<&Column> {
        let found = self.pairs.iter().find(|(own, _)| *own == pair);
        found.map(|(_, column)| column)
    }
}

impl Column {
    fn arrived(&mut self, number: u64) {
        if number > self.latest {
            self.missing.extend(self.latest + 1..number);
            self.latest = number;
        } else if self.missing.remove(&number) {
            self.reordered += 1;
        } else {
            self.repeated += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(numbers: &[u64], sent: Option<u64>) -> Fate {
        let mut ledger = Ledger::default();
        for number in numbers {
            ledger.arrived((1, 2), *number);
        }
        ledger.fate((1, 2), sent)
    }

    #[test]
    fn what_is_whole_shows_nothing() {
        assert_eq!(fate(&[1, 2, 3], Some(3)), Fate::default());
        assert_eq!(fate(&[], Some(0)), Fate::default());
    }

    #[test]
    fn every_kind_of_damage_is_told_apart() {
        let damage = |lost, repeated, reordered| Fate {
            lost,
            repeated,
            reordered,
        };
        assert_eq!(fate(&[1, 3], Some(3)), damage(1, 0, 0));
        assert_eq!(fate(&[1, 2], Some(4)), damage(2, 0, 0));
        assert_eq!(fate(&[1, 2], None), damage(0, 0, 0));
        assert_eq!(fate(&[1, 2, 2], Some(2)), damage(0, 1, 0));
        assert_eq!(fate(&[1, 3, 2], Some(3)), damage(0, 0, 1));
    }

    #[test]
    fn a_node_that_is_gone_has_nothing_more_to_say() {
        let mut ledger = Ledger::default();
        ledger.arrived((1, 2), 1);
        ledger.gone(1);
        ledger.arrived((1, 2), 2);
        assert_eq!(ledger.after_gone, 1);
        assert_eq!(ledger.fate((1, 2), Some(1)), Fate::default());
    }
}
