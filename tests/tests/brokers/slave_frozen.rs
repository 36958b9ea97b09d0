use tests::{Brokers, Load, Signal, Traffic, eventually};

use super::{PAUSE, SILENCE, seconds};

#[tokio::test]
async fn a_slave_that_is_frozen_is_routed_around_and_is_harmless_when_it_wakes() {
    let brokers = Brokers::start(2).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    traffic.take_stalls();
    brokers.signal("slave@0", Signal::STOP);
    // Within this time everybody has found another way.
    seconds(SILENCE.as_secs_f64()).await;
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("frozen: the longest call took {pause:?}");
    assert!(pause < SILENCE, "{pause:?}");
    seconds(10.0 - SILENCE.as_secs_f64()).await;
    let pause = traffic.take_longest();
    assert!(pause < PAUSE, "still frozen: {pause:?}");

    let before = brokers.carried("slave@1").await;
    brokers.signal("slave@0", Signal::CONT);
    brokers.has_slaves(2).await;
    let carried = brokers.carried("slave@0").await;
    eventually("the slave carries its share again", async || {
        (brokers.carried("slave@0").await > carried + 100).then_some(())
    })
    .await;
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("awake: the longest call took {pause:?}");
    assert!(pause < PAUSE, "awake again: {pause:?}");
    assert!(brokers.carried("slave@1").await > before);
    traffic.stop().await.is_whole();
}
