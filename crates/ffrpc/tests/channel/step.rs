//! What can happen to a pair, in any order.

use proptest::prelude::*;
use protocol::{envelope::EnvelopeKind, v1::RefusalReason};

use crate::network::LIMIT;

/// What happens next. `end` is the end that it happens to, `broker` the way.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send {
        end: usize,
        kind: EnvelopeKind,
        body: usize,
    },
    Cancel {
        end: usize,
        back: u64,
    },
    /// What is on its way from `end` arrives, so much of it.
    Deliver {
        end: usize,
        broker: usize,
        count: usize,
    },
    /// It is lost.
    Lose {
        end: usize,
        broker: usize,
        count: usize,
    },
    /// It arrives and is on its way still.
    Repeat {
        end: usize,
        broker: usize,
        count: usize,
    },
    /// The broker refuses the first with a number, and drops so many more.
    Refuse {
        end: usize,
        broker: usize,
        reason: RefusalReason,
        count: usize,
    },
    /// A broker's word comes late, or makes no sense.
    Nonsense {
        end: usize,
        broker: usize,
        reason: RefusalReason,
        sequence: u64,
    },
    /// An acknowledgement of what was never given.
    FalseAck {
        end: usize,
        beyond: u64,
    },
    /// Which brokers `end` may use.
    Routes {
        end: usize,
        mask: u8,
    },
    LinkEnded {
        end: usize,
        broker: usize,
        with_all: bool,
    },
    /// The links of `end` take so many envelopes more.
    Room {
        end: usize,
        envelopes: usize,
    },
    Tick {
        ms: u64,
    },
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (end, broker) = (0..2_usize, 0..3_usize);
    let way = (end.clone(), broker.clone(), 1..12_usize);
    let kind = prop_oneof![
        Just(EnvelopeKind::Notify),
        Just(EnvelopeKind::Request),
        Just(EnvelopeKind::Control),
    ];
    let body = prop_oneof![8 => 0..600_usize, 1 => Just(LIMIT + 1), 1 => Just(3000_usize)];
    let reason = prop_oneof![Just(RefusalReason::NoRoom), Just(RefusalReason::NoRoute)];
    let step = prop_oneof![
        12 => (end.clone(), kind, body).prop_map(|(end, kind, body)| Step::Send { end, kind, body }),
        2 => (end.clone(), 0..20_u64).prop_map(|(end, back)| Step::Cancel { end, back }),
        9 => way.clone().prop_map(|(end, broker, count)| Step::Deliver { end, broker, count }),
        3 => way.clone().prop_map(|(end, broker, count)| Step::Lose { end, broker, count }),
        2 => way.clone().prop_map(|(end, broker, count)| Step::Repeat { end, broker, count }),
        3 => (way, reason.clone()).prop_map(|((end, broker, count), reason)| Step::Refuse { end, broker, reason, count }),
        1 => (end.clone(), broker.clone(), reason, 0..60_u64).prop_map(|(end, broker, reason, sequence)| Step::Nonsense { end, broker, reason, sequence }),
        1 => (end.clone(), prop_oneof![0..4_u64, 0..u64::MAX / 2]).prop_map(|(end, beyond)| Step::FalseAck { end, beyond }),
        2 => (end.clone(), 0..8_u8).prop_map(|(end, mask)| Step::Routes { end, mask }),
        1 => (end.clone(), broker, any::<bool>()).prop_map(|(end, broker, with_all)| Step::LinkEnded { end, broker, with_all }),
        1 => (end, prop_oneof![Just(0_usize), 1..9_usize, Just(usize::MAX)]).prop_map(|(end, envelopes)| Step::Room { end, envelopes }),
        6 => prop_oneof![6 => 1..30_u64, 1 => 100..3000_u64].prop_map(|ms| Step::Tick { ms }),
    ];
    prop::collection::vec(step, 0..160)
}
