//! Two ends of a pair and whatever a network can do to them: everything that is
//! accepted arrives, once and in order, in every schedule.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

#[path = "../support/end.rs"]
mod end;
mod network;
mod step;

use std::time::Duration;

use network::{Broken, How, Network};
use proptest::prelude::*;
use step::steps;

/// How long a fair network may take to bring everything: a back-off of 2 s that
/// has just begun, on each of two routes in vain.
const FAIR: Duration = Duration::from_secs(6);

/// And if one way through one broker is broken for good: until it is found out,
/// the acknowledgements' way perhaps after the messages'.
const BROKEN: Duration = Duration::from_secs(12);

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_accepted_arrives_once_and_in_order(steps in steps()) {
        let mut network = Network::new();
        for step in &steps {
            network.take(step);
        }
        network.settle(None, FAIR);
    }

    #[test]
    fn a_way_that_is_broken_for_good_is_found_and_left(
        steps in steps(),
        end in 0..2_usize,
        broker in 0..3_usize,
        how in prop_oneof![
            Just(How::Loses),
            Just(How::TakesNothing),
            Just(How::HasNoRoom),
            Just(How::HasNoRoute),
        ],
    ) {
        let mut network = Network::new();
        for step in &steps {
            network.take(step);
        }
        network.settle(Some(Broken { end, broker, how }), BROKEN);
    }
}
