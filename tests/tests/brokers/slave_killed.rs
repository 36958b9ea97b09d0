use tests::{Brokers, Load, Seed, Signal, Traffic, slave};

use super::{PAUSE, seconds};

#[tokio::test]
async fn a_slave_that_is_killed_costs_no_call_and_a_short_pause() {
    let mut seed = Seed::new();
    let mut brokers = Brokers::start(3).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    traffic.take_stalls();
    for round in 0..3 {
        let victim = slave(round);
        seed.moment().await;
        brokers.end(&victim, Signal::KILL).await;
        seconds(1.0).await;
        traffic.flows().await;
        let pause = traffic.take_longest();
        println!("{victim} killed: the longest call took {pause:?}");
        assert!(pause < PAUSE, "{pause:?}");
        // On the same address, as another node: it gets its share.
        brokers.run(&victim);
        brokers.has_slaves(3).await;
    }
    traffic.flows().await;
    traffic.stop().await.is_whole();
    for index in 0..3 {
        assert!(brokers.carried(&slave(index)).await > 0);
    }
}
