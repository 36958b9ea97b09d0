//! A bot's account of what it has sent and what came back, without I/O.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Range,
};

/// What one bot has sent and heard. `T` says when a message was sent.
///
/// Numbers go on over connections, so that an answer to what an earlier
/// connection has asked is known as such.
#[derive(Clone, Debug)]
pub(super) struct Ledger<T> {
    /// The first number of this connection.
    first: u64,
    /// When those were sent that are still out, from the oldest.
    out: VecDeque<T>,
    /// The number of the oldest.
    oldest: u64,
    /// Passed over by answers to later ones.
    missing: BTreeSet<u64>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer<T> {
    /// To the next message, or to one after `skipped` that are lost then.
    Forward {
        /// When it was sent.
        sent: T,
        /// How many messages it has passed over.
        skipped: u64,
    },
    /// To one that was thought to be lost: it is out of order.
    OutOfOrder,
    /// To one that had been answered.
    Repeated,
    /// To one of an earlier connection.
    Belated,
    /// To one that was never sent.
    Unasked,
}

/// As many passed over messages are remembered; those before stay lost.
const REMEMBERED: usize = 65_536;

impl<T: Copy> Ledger<T> {
    pub(super) fn new() -> Self {
        Ledger {
            first: 0,
            out: VecDeque::new(),
            oldest: 0,
            missing: BTreeSet::new(),
        }
    }

    /// How many are out.
    pub(super) fn out(&self) -> usize {
        self.out.len()
    }

    /// Notes a message; gives its number.
    pub(super) fn sent(&mut self, when: T) -> u64 {
        self.out.push_back(when);
        self.next() - 1
    }

    /// Notes an answer.
    pub(super) fn answered(&mut self, number: u64) -> Answer<T> {
        if number >= self.next() {
            return Answer::Unasked;
        }
        if number < self.first {
            return Answer::Belated;
        }
        if number < self.oldest {
            return match self.missing.remove(&number) {
                true => Answer::OutOfOrder,
                false => Answer::Repeated,
            };
        }
        let skipped = number - self.oldest;
        self.miss(self.oldest..number);
        self.out.drain(..skipped as usize);
        self.oldest = number + 1;
        let sent = self.out.pop_front().expect("it is below the next number");
        Answer::Forward { sent, skipped }
    }

    /// The connection is over: gives how many were out. What comes of them later
    /// is belated.
    pub(super) fn begin_anew(&mut self) -> u64 {
        let out = self.out.len() as u64;
        self.first = self.next();
        self.oldest = self.first;
        self.out.clear();
        self.missing.clear();
        out
    }

    fn next(&self) -> u64 {
        self.oldest + self.out.len() as u64
    }

    fn miss(&mut self, numbers: Range<u64>) {
        for number in numbers {
            self.missing.insert(number);
            if self.missing.len() > REMEMBERED {
                self.missing.pop_first();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(count: u64) -> Ledger<u64> {
        let mut ledger = Ledger::new();
        for number in 0..count {
            assert_eq!(ledger.sent(number), number);
        }
        ledger
    }

    fn forward(sent: u64, skipped: u64) -> Answer<u64> {
        Answer::Forward { sent, skipped }
    }

    #[test]
    fn a_gap_is_lost_until_it_comes_out_of_order() {
        let mut ledger = sent(5);
        assert_eq!(ledger.answered(0), forward(0, 0));
        assert_eq!(ledger.answered(3), forward(3, 2));
        assert_eq!(ledger.answered(1), Answer::OutOfOrder);
        assert_eq!(ledger.answered(1), Answer::Repeated);
        assert_eq!(ledger.answered(3), Answer::Repeated);
        assert_eq!(ledger.answered(5), Answer::Unasked);
        assert_eq!(ledger.out(), 1);
        assert_eq!(ledger.answered(4), forward(4, 0));
    }

    #[test]
    fn what_was_out_when_the_connection_ended_is_belated() {
        let mut ledger = sent(3);
        assert_eq!(ledger.answered(0), forward(0, 0));
        assert_eq!(ledger.begin_anew(), 2);
        assert_eq!(ledger.sent(9), 3);
        for early in 0..3 {
            assert_eq!(ledger.answered(early), Answer::Belated);
        }
        assert_eq!(ledger.answered(3), forward(9, 0));
        assert_eq!(ledger.begin_anew(), 0);
    }

    proptest! {
        /// Whatever comes back, each message is counted once, and only what came
        /// in the order in which it was sent is fine.
        #[test]
        fn the_account_balances(answers in prop::collection::vec(0u64..40, 0..120)) {
            let mut ledger = sent(30);
            let (mut fine, mut lost, mut late) = (0, 0, 0);
            let mut seen = BTreeSet::new();
            for answer in answers {
                match ledger.answered(answer) {
                    Answer::Forward { sent, skipped } => {
                        prop_assert_eq!(sent, answer);
                        prop_assert!(seen.iter().all(|earlier| *earlier < answer));
                        prop_assert!(seen.insert(answer));
                        fine += 1;
                        lost += skipped;
                    }
                    Answer::OutOfOrder => {
                        prop_assert!(seen.insert(answer));
                        lost -= 1;
                        late += 1;
                    }
                    Answer::Repeated => prop_assert!(seen.contains(&answer)),
                    Answer::Unasked => prop_assert!(answer >= 30),
                    Answer::Belated => prop_assert!(false, "there is one connection"),
                }
            }
            prop_assert_eq!(fine + late, seen.len() as u64);
            prop_assert_eq!(fine + late + lost + ledger.out() as u64, 30);
        }
    }
}
