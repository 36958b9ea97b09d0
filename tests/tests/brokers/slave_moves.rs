use std::time::Instant;

use tests::{Brokers, Load, MASTER, Routes, Seed, Signal, Traffic, slave};

use super::{PAUSE, seconds};

/// Enough pairs that every slave has some.
const LOAD: fn() -> Load = || Load {
    nodes: 5,
    in_flight: 2,
    ..Load::default()
};

/// The pairs of one slave.
fn share<'a>(routes: &'a Routes, name: &str) -> Vec<&'a (protocol::NodeId, protocol::NodeId)> {
    let own = routes.iter().filter(|(_, broker)| *broker == name);
    own.map(|(pair, _)| pair).collect()
}

#[tokio::test]
async fn a_slave_that_is_added_takes_only_its_share_and_loses_nothing() {
    let mut seed = Seed::new();
    let mut brokers = Brokers::start(2).await;
    let mut traffic = Traffic::start(&brokers, LOAD()).await;
    let before = traffic.routes(&brokers).await;
    traffic.flows().await;
    traffic.take_stalls();
    seed.moment().await;
    brokers.run("slave@2");
    brokers.has_slaves(3).await;
    seconds(0.5).await;
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("added: the longest call took {pause:?}");
    assert!(pause < PAUSE, "{pause:?}");

    let after = traffic.routes(&brokers).await;
    let moved = after
        .iter()
        .filter(|(pair, broker)| before[pair] != **broker);
    for (pair, broker) in moved {
        assert_eq!(broker, "slave@2", "{pair:?} was on {}", before[pair]);
    }
    let share = share(&after, "slave@2");
    println!("{} of {} pairs moved to it", share.len(), after.len());
    assert!(!share.is_empty());
    traffic.stop().await.is_whole();
}

#[tokio::test]
async fn a_slave_that_drains_moves_only_its_own_pairs_and_loses_nothing() {
    let mut seed = Seed::new();
    let mut brokers = Brokers::start(3).await;
    let mut traffic = Traffic::start(&brokers, LOAD()).await;
    let before = traffic.routes(&brokers).await;
    traffic.flows().await;
    traffic.take_stalls();
    seed.moment().await;
    let begun = Instant::now();
    brokers.end("slave@1", Signal::TERM).await;
    println!("it ended after {:?}", begun.elapsed());
    seconds(0.5).await;
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("drained: the longest call took {pause:?}");
    assert!(pause < PAUSE, "{pause:?}");

    let after = traffic.routes(&brokers).await;
    let own = share(&before, "slave@1");
    println!("{} of {} pairs were on it", own.len(), before.len());
    assert!(!own.is_empty());
    for (pair, broker) in &after {
        let was = &before[pair];
        assert!(
            was == "slave@1" || was == broker,
            "{pair:?}: {was}, {broker}"
        );
        assert_ne!(broker, MASTER);
    }
    traffic.stop().await.is_whole();
}

#[tokio::test]
async fn the_master_carries_nothing_while_a_slave_is_ready_and_all_without_one() {
    let mut brokers = Brokers::start(1).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    // The nodes have joined and found the slave.
    traffic.flows().await;
    let before = (
        brokers.carried(MASTER).await,
        brokers.carried("slave@0").await,
    );
    seconds(1.0).await;
    traffic.flows().await;
    assert_eq!(brokers.carried(MASTER).await, before.0);
    assert!(brokers.carried("slave@0").await > before.1);

    brokers.end(&slave(0), Signal::TERM).await;
    let before = brokers.carried(MASTER).await;
    traffic.flows().await;
    let all = brokers.carried(MASTER).await - before;
    println!("the master has carried {all} envelopes");
    assert!(all > 0);

    // A slave takes all of it off the master again.
    brokers.run("slave@0");
    brokers.has_slaves(1).await;
    seconds(0.5).await;
    traffic.flows().await;
    let before = brokers.carried(MASTER).await;
    seconds(1.0).await;
    assert_eq!(brokers.carried(MASTER).await, before);
    traffic.stop().await.is_whole();
}
