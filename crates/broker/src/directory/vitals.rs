//! How a member does: what it said last, and what it said before.

use std::sync::Arc;

use protocol::v1::Vitals;

/// The last vitals of a member and older ones, far enough apart for rates.
#[derive(Debug, Default)]
pub(super) struct VitalsLog {
    before: Option<Arc<Vitals>>,
    /// What comes before those that follow later enough.
    mark: Option<Arc<Vitals>>,
    now: Option<Arc<Vitals>>,
}

/// What came sooner is not measured against: a node reports each change of its state at
/// once, and where leases are short it reports several times a second.
const APART_MS: u64 = 500;

/// As many links of a broker are kept.
const MAX_LINKS: usize = 4_096;

/// As many lines of its log, of as many bytes.
const MAX_FAULTS: usize = 8;
const MAX_TEXT_BYTES: usize = 256;

impl VitalsLog {
    /// Keeps what the member says, within bounds.
    pub(super) fn take(&mut self, vitals: Vitals) {
        let vitals = Arc::new(bounded(vitals));
        let is_same = |last: &Arc<Vitals>| is_same_process(last, &vitals);
        if !self.now.as_ref().is_some_and(is_same) {
            *self = VitalsLog::default();
        }
        let mark = self.mark.get_or_insert_with(|| Arc::clone(&vitals));
        if vitals.up_ms >= mark.up_ms.saturating_add(APART_MS) {
            self.before = Some(std::mem::replace(mark, Arc::clone(&vitals)));
        }
        self.now = Some(vitals);
    }

    pub(super) fn now(&self) -> Option<Arc<Vitals>> {
        self.now.clone()
    }

    pub(super) fn before(&self) -> Option<Arc<Vitals>> {
        self.before.clone()
    }
}

fn is_same_process(last: &Vitals, vitals: &Vitals) -> bool {
    last.started_ms == vitals.started_ms && last.up_ms <= vitals.up_ms
}

fn bounded(mut vitals: Vitals) -> Vitals {
    vitals.cpu_seconds = vitals.cpu_seconds.filter(|seconds| seconds.is_finite());
    if !vitals.queue_fill.is_finite() {
        vitals.queue_fill = 0.0;
    }
    vitals.links.truncate(MAX_LINKS);
    let late = vitals.faults.len().saturating_sub(MAX_FAULTS);
    vitals.faults.drain(..late);
    for fault in &mut vitals.faults {
        for text in [&mut fault.target, &mut fault.text] {
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        }
    }
    vitals
}

#[cfg(test)]
mod tests {
    use protocol::v1::{Fault, LinkVitals};

    use super::*;

    fn at(up_ms: u64) -> Vitals {
        Vitals {
            up_ms,
            ..Vitals::default()
        }
    }

    fn ups(log: &VitalsLog) -> (Option<u64>, Option<u64>) {
        let up = |vitals: Option<Arc<Vitals>>| vitals.map(|vitals| vitals.up_ms);
        (up(log.before()), up(log.now()))
    }

    #[test]
    fn two_reports_in_a_row_do_not_make_a_rate_of_nothing() {
        let mut log = VitalsLog::default();
        log.take(at(1000));
        assert_eq!(ups(&log), (None, Some(1000)));
        log.take(at(2000));
        log.take(at(2010));
        assert_eq!(ups(&log), (Some(1000), Some(2010)));
        log.take(at(3000));
        assert_eq!(ups(&log), (Some(2000), Some(3000)));
    }

    #[test]
    fn a_node_that_reports_often_is_measured_too() {
        let mut log = VitalsLog::default();
        for up_ms in (0..=1200).step_by(300) {
            log.take(at(up_ms));
        }
        assert_eq!(ups(&log), (Some(600), Some(1200)));
        log.take(at(1500));
        assert_eq!(ups(&log), (Some(600), Some(1500)));
    }

    #[test]
    fn another_process_begins_anew() {
        let mut log = VitalsLog::default();
        log.take(at(1000));
        log.take(at(2000));
        log.take(at(10));
        assert_eq!(ups(&log), (None, Some(10)));
        log.take(Vitals {
            started_ms: 7,
            ..at(2000)
        });
        assert_eq!(ups(&log), (None, Some(2000)));
    }

    #[test]
    fn whatever_a_node_says_is_bounded() {
        let mut log = VitalsLog::default();
        log.take(Vitals {
            cpu_seconds: Some(f64::NAN),
            queue_fill: f64::INFINITY,
            links: vec![LinkVitals::default(); MAX_LINKS + 1],
            faults: (0..10)
                .map(|at_ms| Fault {
                    at_ms,
                    // A character that would be cut in two.
                    text: format!("x{}", "ü".repeat(1000)),
                    ..Fault::default()
                })
                .collect(),
            ..at(1)
        });
        let kept = log.now().unwrap();
        assert_eq!((kept.cpu_seconds, kept.queue_fill), (None, 0.0));
        assert_eq!((kept.links.len(), kept.faults.len()), (MAX_LINKS, 8));
        assert_eq!((kept.faults[0].at_ms, kept.faults[0].text.len()), (2, 255));
    }
}
