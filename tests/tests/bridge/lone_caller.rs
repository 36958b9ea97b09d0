use std::time::Duration;

use tests::{Callees, Callers, CrossLoad, Signal};

use super::stage::{A, B, PAUSE, bridge_of, two_groups};

/// There is nobody else whose calls could show that the bridge is gone.
#[tokio::test]
async fn a_lone_caller_notices_that_its_bridge_was_killed() {
    let mut groups = two_groups(2).await;
    let callees = Callees::join(groups.at(B), 1).await;
    // Its one call is under way when the bridge is killed: it takes half a second.
    let load = CrossLoad {
        nodes: 1,
        in_flight: 1,
        pause: Duration::ZERO,
        retries: true,
        method: tests::WAIT_METHOD,
    };
    let callers = Callers::start(groups.at(A), "GroupB", load).await;
    let node = callers.nodes()[0].clone();
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        callers.flow().await;
        callers.take();
        let came = callees.came().0;
        tests::eventually("a call is under way", async || {
            (callees.came().0 > came).then_some(())
        })
        .await;
        let victim = bridge_of(&node, "GroupB").unwrap();
        groups.end_bridge(&victim, Signal::KILL).await;
        callers.flow().await;
        let ends = callers.take();
        // Beside the half second that the answer takes.
        let stall = ends.longest().saturating_sub(Duration::from_millis(500));
        println!("{victim} killed: {stall:.1?} more than a call takes; {ends}");
        ends.are_answers_or(&["unavailable"]);
        assert_eq!(ends.of("unavailable"), 1, "{ends}");
        longest = longest.max(stall);
        groups.run_bridge(&victim);
        groups.is_linked(&victim).await;
    }
    println!("a lone caller waited {longest:.1?} at most for another attempt, goal 100 ms");
    assert!(longest < PAUSE, "{longest:?}");
    callers.stop().await.are_answers();
    assert_eq!(callees.came().1, 0, "calls were handled twice");
}
