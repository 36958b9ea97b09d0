//! Which loads have changed, for bridges that hear of them from time to time.

use std::collections::{BTreeMap, HashMap};

use protocol::NodeId;

/// Up to where somebody has been told of loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadMark(u64);

/// The nodes whose loads have changed, each at its latest change.
///
/// To tell somebody what is new costs no more than what is new, however many there
/// are who hear of it and whenever each of them did. While nobody reads, nothing is
/// written.
#[derive(Debug, Default)]
pub(super) struct LoadLog {
    readers: usize,
    latest: u64,
    /// Whoever was told before this has to hear everything: changes were not written.
    begun: u64,
    changes: BTreeMap<u64, NodeId>,
    places: HashMap<NodeId, u64>,
}

impl LoadLog {
    /// There is one more who reads: from the first on, changes are written.
    pub(super) fn reader_came(&mut self) {
        if self.readers == 0 {
            self.latest += 1;
            self.begun = self.latest;
        }
        self.readers += 1;
    }

    /// There is one less who reads.
    pub(super) fn reader_went(&mut self) {
        self.readers = self.readers.saturating_sub(1);
        if self.readers == 0 {
            self.changes = BTreeMap::new();
            self.places = HashMap::new();
        }
    }

    /// The load of the node is another one.
    pub(super) fn changed(&mut self, node: NodeId) {
        if self.readers == 0 {
            return;
        }
        self.latest += 1;
        if let Some(place) = self.places.insert(node, self.latest) {
            self.changes.remove(&place);
        }
        self.changes.insert(self.latest, node);
    }

    /// The node is gone.
    pub(super) fn forget(&mut self, node: NodeId) {
        if let Some(place) = self.places.remove(&node) {
            self.changes.remove(&place);
        }
    }

    /// Whose loads have changed since; `None` where only all of them will do.
    pub(super) fn since(&self, told: LoadMark) -> Option<impl Iterator<Item = NodeId>> {
        let known = self.readers > 0 && told.0 >= self.begun;
        known.then(|| {
            let news = self.changes.range(told.0.saturating_add(1)..);
            news.map(|(_, node)| *node)
        })
    }

    /// How many read.
    pub(super) fn readers(&self) -> usize {
        self.readers
    }

    /// Up to where somebody is told who is told now.
    pub(super) fn mark(&self) -> LoadMark {
        LoadMark(self.latest)
    }

    /// Whose changes are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Vec<NodeId> {
        assert_eq!(self.changes.len(), self.places.len());
        self.changes.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId::new(1, 1);
    const TWO: NodeId = NodeId::new(1, 2);

    fn since(log: &LoadLog, told: LoadMark) -> Option<Vec<NodeId>> {
        log.since(told).map(Iterator::collect)
    }

    #[test]
    fn each_reader_hears_what_is_new_to_it_and_each_node_once() {
        let mut log = LoadLog::default();
        log.reader_came();
        let early = log.mark();
        for _ in 0..100 {
            log.changed(ONE);
        }
        let late = log.mark();
        log.changed(TWO);
        log.changed(TWO);
        assert_eq!(since(&log, early), Some(vec![ONE, TWO]));
        assert_eq!(since(&log, late), Some(vec![TWO]));
        assert_eq!(since(&log, log.mark()), Some(vec![]));
        log.changed(ONE);
        assert_eq!(since(&log, early), Some(vec![TWO, ONE]));
        assert_eq!(log.kept(), [TWO, ONE]);
        log.forget(TWO);
        assert_eq!(since(&log, early), Some(vec![ONE]));
    }

    #[test]
    fn nothing_is_written_while_nobody_reads_and_the_next_reader_hears_everything() {
        let mut log = LoadLog::default();
        log.changed(ONE);
        assert_eq!((log.kept(), since(&log, log.mark())), (vec![], None));
        log.reader_came();
        let told = log.mark();
        log.changed(ONE);
        log.reader_came();
        log.reader_went();
        assert_eq!(since(&log, told), Some(vec![ONE]));
        log.reader_went();
        assert_eq!((log.kept(), since(&log, told)), (vec![], None));
        log.changed(ONE);
        log.reader_came();
        assert_eq!(since(&log, told), None);
        assert_eq!(since(&log, log.mark()), Some(vec![]));
    }
}
