use std::{collections::BTreeSet, time::Duration};

use tests::{Callees, Callers, CrossLoad, Ends, Groups, Signal, bridge};

use super::stage::{A, B, PAUSE, bridge_of, finds, two_groups};

const LOAD: CrossLoad = CrossLoad {
    nodes: 12,
    in_flight: 2,
    pause: Duration::from_millis(3),
    retries: true,
    method: tests::ECHO_METHOD,
};

const ROUNDS: u16 = 4;

/// The callers whose calls go to this bridge now.
fn callers_of(callers: &Callers, name: &str) -> BTreeSet<String> {
    let nodes = callers.nodes().iter();
    let own = nodes.filter(|node| bridge_of(node, "GroupB").as_deref() == Some(name));
    own.map(|node| node.name().to_string()).collect()
}

/// The callers that a call failed for.
fn hit(ends: &Ends) -> BTreeSet<String> {
    let bodies = ends.failed.iter().map(|body| String::from_utf8_lossy(body));
    bodies
        .map(|body| body.split(' ').next().unwrap().to_owned())
        .collect()
}

async fn start() -> (Groups, Callees, Callers) {
    let groups = two_groups(2).await;
    let callees = Callees::join(groups.at(B), 2).await;
    let callers = Callers::start(groups.at(A), "GroupB", LOAD).await;
    (groups, callees, callers)
}

#[tokio::test]
async fn a_bridge_that_is_killed_ends_its_calls_and_the_rest_flow_on() {
    let (mut groups, callees, callers) = start().await;
    let mut stalls = Vec::new();
    let mut unavailable = 0;
    for round in 0..ROUNDS {
        let victim = bridge(round % 2);
        let own = callers_of(&callers, &victim);
        assert!(
            !own.is_empty() && own.len() < callers.nodes().len(),
            "{own:?}"
        );
        callers.flow().await;
        callers.take();
        groups.end_bridge(&victim, Signal::KILL).await;
        callers.flow().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let ends = callers.take();
        println!("{victim} killed, {} callers had it: {ends}", own.len());
        ends.are_answers_or(&["unavailable"]);
        unavailable += ends.of("unavailable");
        // Those of the other bridge have not noticed.
        assert!(hit(&ends).is_subset(&own), "{:?} of {own:?}", hit(&ends));
        if let Some(said) = ends.words.get("unavailable") {
            assert!(said.contains("may or may not have been done"), "{said}");
        }
        stalls.extend(own.iter().map(|caller| ends.stalls[caller]));

        groups.run_bridge(&victim);
        groups.is_linked(&victim).await;
        for node in callers.nodes() {
            finds(node, "GroupB").await;
        }
    }
    stalls.sort();
    let (p50, p99) = (
        stalls[stalls.len() / 2],
        stalls[(stalls.len() * 99).div_ceil(100) - 1],
    );
    println!(
        "retrying callers of {ROUNDS} bridges that were killed: {} stalls, p50 {p50:.1?}, p99 {p99:.1?}, goal 100 ms",
        stalls.len()
    );
    assert!(
        unavailable > 0,
        "no bridge was killed with a call under way"
    );
    assert!(p99 < PAUSE, "{p99:?}");
    callers.stop().await.are_answers();
    // A call that failed may have been done: but not twice.
    assert_eq!(callees.came().1, 0, "calls were handled twice");
}
