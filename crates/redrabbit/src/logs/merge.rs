//! The lines of several files in the order of time.

use super::{LogsError, record::Record};

/// A line and the number of the source that it is from.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) source: usize,
    pub(super) record: Record,
}

/// Where lines come from, one after the other.
pub(super) trait Lines {
    /// The next one. One that has no time has that of the one before it.
    fn next(&mut self) -> Option<Record>;

    /// What went wrong, if that is why there is no next one.
    fn complaint(&mut self) -> Option<LogsError>;
}

/// Takes of all sources the earliest line, again and again. Each source is taken to be in
/// the order of time; where it is not, its lines stay in their own order.
pub(super) struct Merged<L> {
    sources: Vec<L>,
    heads: Vec<Option<Record>>,
}

impl<L: Lines> Merged<L> {
    pub(super) fn new(mut sources: Vec<L>) -> Merged<L> {
        // The only one is not read ahead: whoever follows it wants each line at once.
        let heads = match sources.as_mut_slice() {
            [_] => Vec::new(),
            sources => sources.iter_mut().map(Lines::next).collect(),
        };
        Merged { sources, heads }
    }

    /// What went wrong with one of them.
    pub(super) fn complaint(&mut self) -> Option<LogsError> {
        self.sources.iter_mut().find_map(Lines::complaint)
    }
}

impl<L: Lines> Iterator for Merged<L> {
    type Item = Placed;

    fn next(&mut self) -> Option<Placed> {
        if let [only] = self.sources.as_mut_slice() {
            let record = only.next()?;
            return Some(Placed { source: 0, record });
        }
        let there = self.heads.iter().enumerate();
        let there = there.filter_map(|(source, head)| Some((head.as_ref()?.time, source)));
        let (_, source) = there.min()?;
        let next = self.sources.get_mut(source)?.next();
        let record = std::mem::replace(self.heads.get_mut(source)?, next)?;
        Some(Placed { source, record })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Lines for std::vec::IntoIter<Record> {
        fn next(&mut self) -> Option<Record> {
            Iterator::next(self)
        }

        fn complaint(&mut self) -> Option<LogsError> {
            None
        }
    }

    fn source(times: &[i64]) -> std::vec::IntoIter<Record> {
        let records = times.iter().map(|time| Record {
            time: Some(*time),
            ..Record::default()
        });
        records.collect::<Vec<_>>().into_iter()
    }

    proptest! {
        #[test]
        fn all_lines_come_once_and_in_the_order_of_time(
            mut times in prop::collection::vec(prop::collection::vec(0..50_i64, 0..20), 0..5),
        ) {
            times.iter_mut().for_each(|times| times.sort_unstable());
            let merged = Merged::new(times.iter().map(|times| source(times)).collect());
            let merged: Vec<i64> = merged.filter_map(|placed| placed.record.time).collect();
            let mut all = times.concat();
            all.sort_unstable();
            prop_assert_eq!(merged, all);
        }
    }

    #[test]
    fn a_source_out_of_order_keeps_its_own() {
        let merged = Merged::new(vec![source(&[5, 1]), source(&[2, 6])]);
        let order: Vec<_> = merged
            .map(|placed| (placed.source, placed.record.time))
            .collect();
        assert_eq!(
            order,
            [(1, Some(2)), (0, Some(5)), (0, Some(1)), (1, Some(6))]
        );
    }
}
