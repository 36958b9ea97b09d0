use std::time::Instant;

use tests::{Callees, Callers, CrossLoad, Signal, WAIT_METHOD, bridge};

use super::stage::{A, B, two_groups};

#[tokio::test]
async fn a_bridge_that_is_drained_beside_another_costs_no_call() {
    let mut groups = two_groups(2).await;
    let callees = Callees::join(groups.at(B), 2).await;
    // Some are answered at once and some after half a second: longer than a bridge
    // takes to be known as draining.
    let callers = Callers::start(groups.at(A), "GroupB", CrossLoad::default()).await;
    let slow = CrossLoad {
        in_flight: 1,
        method: WAIT_METHOD,
        ..CrossLoad::default()
    };
    let slow = Callers::start_as("slow", groups.at(A), "GroupB", slow).await;
    for round in 0..4 {
        let begun = Instant::now();
        let name = bridge(round % 2);
        groups.end_bridge(&name, Signal::TERM).await;
        println!("{name} has drained after {:.1?}", begun.elapsed());
        tokio::join!(callers.flow(), slow.flow());
        groups.run_bridge(&name);
        groups.is_linked(&name).await;
        tokio::join!(callers.flow(), slow.flow());
    }
    for callers in [callers, slow] {
        let ends = callers.stop().await;
        println!("{ends}");
        ends.are_answers();
    }
    assert_eq!(callees.came().1, 0, "calls were handled twice");
}
