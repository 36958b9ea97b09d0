//! The calls that wait for their end.
//!
//! A state machine without I/O. Whoever ends a call takes its waiter out of the
//! table, so that nobody else can end it again: that is the whole of "exactly
//! once", and every way to an end goes through here. Deadlines are looked at
//! together, now and then: a timer for each call would cost as much as the call.

use foldhash::HashMap;
use protocol::NodeId;
use tokio::time::Instant;

/// Names a call at its caller. Never used twice in the life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub u64);

/// Calls under way, each with a waiter `W` that is told of the end.
#[derive(Debug)]
pub struct Calls<W> {
    next: u64,
    pending: HashMap<CallId, Pending<W>>,
    /// No call ends before then.
    earliest: Option<Instant>,
}

/// A call that has ended without an answer.
#[derive(Debug)]
pub struct Ended<W> {
    /// Which.
    pub id: CallId,
    /// Who was called.
    pub destination: NodeId,
    /// Who is to be told.
    pub waiter: W,
}

#[derive(Debug)]
struct Pending<W> {
    destination: NodeId,
    deadline: Instant,
    waiter: W,
}

impl<W> Default for Calls<W> {
    fn default() -> Self {
        Calls {
            next: 1,
            pending: HashMap::default(),
            earliest: None,
        }
    }
}

impl<W> Calls<W> {
    /// A call to `destination` begins. It ends at `deadline` if nothing else
    /// ends it.
    pub fn begin(&mut self, destination: NodeId, deadline: Instant, waiter: W) -> CallId {
        let id = CallId(self.next);
        self.next += 1;
        self.pending.insert(
            id,
            Pending {
                destination,
                deadline,
                waiter,
            },
        );
        if self.earliest.is_none_or(|earliest| deadline < earliest) {
            self.earliest = Some(deadline);
        }
        id
    }

    /// Looks at the time: every call whose deadline has passed.
    pub fn expired(&mut self, now: Instant) -> Vec<Ended<W>> {
        if self.earliest.is_none_or(|earliest| now < earliest) {
            return Vec::new();
        }
        let expired = self
            .pending
            .extract_if(|_, pending| pending.deadline <= now)
            .map(ended)
            .collect();
        self.earliest = self.pending.values().map(|pending| pending.deadline).min();
        expired
    }

    /// An answer has come from `source`: the waiter to give it to, unless the
    /// call has ended already. Only the called node can answer, and the broker
    /// in its stead.
    pub fn answered(&mut self, id: CallId, source: NodeId) -> Option<W> {
        let pending = self.pending.get(&id)?;
        if source != pending.destination && source != NodeId::BROKER {
            return None;
        }
        self.end(id)
    }

    /// The call ends here, by its deadline, its caller's leave or a refusal.
    pub fn end(&mut self, id: CallId) -> Option<W> {
        self.pending.remove(&id).map(|pending| pending.waiter)
    }

    /// The node is gone, or does not answer any more: every call to it.
    pub fn gone(&mut self, node: NodeId) -> Vec<Ended<W>> {
        self.pending
            .extract_if(|_, pending| pending.destination == node)
            .map(ended)
            .collect()
    }

    /// The group is lost: every call.
    pub fn lost(&mut self) -> Vec<Ended<W>> {
        self.pending.drain().map(ended).collect()
    }

    /// Whether calls to this node are under way.
    pub fn wait_for(&self, node: NodeId) -> bool {
        let mut pending = self.pending.values();
        pending.any(|pending| pending.destination == node)
    }

    /// How many calls are under way.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether no call is under way.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

fn ended<W>((id, pending): (CallId, Pending<W>)) -> Ended<W> {
    Ended {
        id,
        destination: pending.destination,
        waiter: pending.waiter,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn node(serial: u8) -> NodeId {
        NodeId::new(1, u32::from(serial) + 1)
    }

    /// What may happen to a call, in any order and as often as it likes.
    #[derive(Clone, Debug)]
    enum Step {
        Begin(u8),
        Answer { call: u8, source: u8 },
        BrokerAnswer { call: u8 },
        GivenUp { call: u8 },
        Wait(u8),
        Gone(u8),
        Lost,
    }

    fn waiters(ended: Vec<Ended<usize>>) -> Vec<usize> {
        ended.into_iter().map(|ended| ended.waiter).collect()
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..4u8).prop_map(Step::Begin),
            4 => (0..40u8, 0..4u8).prop_map(|(call, source)| Step::Answer { call, source }),
            1 => (0..40u8).prop_map(|call| Step::BrokerAnswer { call }),
            2 => (0..40u8).prop_map(|call| Step::GivenUp { call }),
            1 => (0..40u8).prop_map(Step::Wait),
            1 => (0..4u8).prop_map(Step::Gone),
            1 => Just(Step::Lost),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn a_call_ends_exactly_once(steps in steps()) {
            let mut calls = Calls::default();
            let mut begun: Vec<(CallId, NodeId)> = Vec::new();
            let mut ended: Vec<usize> = Vec::new();
            let mut now = Instant::now();
            let mut deadlines: Vec<Instant> = Vec::new();
            for step in steps.into_iter().chain([Step::Lost]) {
                let call = |index: u8| CallId(u64::from(index) + 1);
                match step {
                    Step::Begin(to) => {
                        // Deadlines in no order: 7, 14, 21, 5, 12, ... ms.
                        let wait = (begun.len() as u64 * 7 + 7) % 23;
                        deadlines.push(now + Duration::from_millis(wait));
                        let id = calls.begin(node(to), now + Duration::from_millis(wait), begun.len());
                        prop_assert!(begun.iter().all(|(other, _)| *other != id));
                        begun.push((id, node(to)));
                    }
                    Step::Answer { call: index, source } => {
                        let waiter = calls.answered(call(index), node(source));
                        if let Some(waiter) = waiter {
                            prop_assert_eq!(begun[waiter].1, node(source), "answered by a stranger");
                        }
                        ended.extend(waiter);
                    }
                    Step::BrokerAnswer { call: index } => {
                        ended.extend(calls.answered(call(index), NodeId::BROKER));
                    }
                    Step::GivenUp { call: index } => ended.extend(calls.end(call(index))),
                    Step::Wait(ms) => {
                        now += Duration::from_millis(ms.into());
                        let expired = waiters(calls.expired(now));
                        for waiter in &expired {
                            prop_assert!(deadlines[*waiter] <= now, "ended early");
                        }
                        ended.extend(expired);
                        let late = (0..begun.len())
                            .filter(|waiter| deadlines[*waiter] <= now)
                            .all(|waiter| ended.contains(&waiter));
                        prop_assert!(late, "a call outlived its deadline");
                    }
                    Step::Gone(who) => {
                        ended.extend(waiters(calls.gone(node(who))));
                        let left = (0..begun.len())
                            .filter(|waiter| begun[*waiter].1 == node(who))
                            .all(|waiter| ended.contains(&waiter));
                        prop_assert!(left, "a call outlived its destination");
                    }
                    Step::Lost => ended.extend(waiters(calls.lost())),
                }
            }
            // Lost came last, so every call has ended, and none of them twice.
            prop_assert!(calls.is_empty());
            ended.sort_unstable();
            prop_assert_eq!(ended, (0..begun.len()).collect::<Vec<_>>());
        }
    }
}
