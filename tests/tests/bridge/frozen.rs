use std::time::{Duration, Instant};

use tests::{Callees, Callers, CrossLoad, Groups, Signal, bridge, eventually};

use super::stage::{A, B, EXPORTS, PAUSE, SILENCE, master_alone};

const FROZEN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_bridge_that_is_frozen_is_passed_over_after_a_second_and_comes_back() {
    // With a lease longer than a second it is not the directory that says so.
    let groups = [
        ("GroupA", master_alone("")),
        ("GroupB", master_alone(EXPORTS)),
    ];
    let groups = Groups::start(&groups, 2).await;
    let callees = Callees::join(groups.at(B), 2).await;
    let load = CrossLoad {
        retries: true,
        ..CrossLoad::default()
    };
    let callers = Callers::start(groups.at(A), "GroupB", load).await;
    callers.take();
    let victim = bridge(0);
    groups.bridges().signal(&victim, Signal::STOP);
    let begun = Instant::now();
    // Within this time everybody has found the other one.
    tokio::time::sleep(SILENCE).await;
    callers.flow().await;
    let ends = callers.take();
    println!("frozen: {ends}");
    ends.are_answers_or(&["unavailable"]);
    assert!(ends.of("unavailable") > 0, "{ends}");
    assert!(ends.longest() < SILENCE, "{ends}");
    // Those of the other have not noticed: calls went on all the time.
    tokio::time::sleep(FROZEN.saturating_sub(begun.elapsed())).await;
    let ends = callers.take();
    println!("still frozen: {ends}");
    ends.are_answers();
    assert!(ends.longest() < PAUSE, "{ends}");

    groups.bridges().signal(&victim, Signal::CONT);
    groups.is_linked(&victim).await;
    let metric = "redrabbit_bridge_calls_total";
    let before = groups.bridges().metric(&victim, metric).await;
    eventually("the bridge carries its share again", async || {
        (groups.bridges().metric(&victim, metric).await > before + 100).then_some(())
    })
    .await;
    callers.flow().await;
    let ends = callers.take();
    println!("awake: {ends}");
    ends.are_answers_or(&["unavailable"]);
    assert!(ends.longest() < PAUSE, "{ends}");
    callers.stop().await.are_answers();
    assert_eq!(callees.came().1, 0, "calls were handled twice");
}
