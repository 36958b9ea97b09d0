use tests::{Brokers, Load, MASTER, Signal, Traffic, eventually};

use super::{PAUSE, seconds};

async fn frozen_for(time: f64) {
    let brokers = Brokers::start(2).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    let ids = traffic.ids();
    let nodes = brokers.nodes().await.unwrap();
    traffic.take_stalls();
    brokers.signal(MASTER, Signal::STOP);
    seconds(time).await;
    brokers.signal(MASTER, Signal::CONT);
    // Longer than a lease: whom it would take for gone it has by then.
    seconds(3.5).await;
    eventually("the directory is as it was", async || {
        let now = brokers.nodes().await?;
        let same = |(one, other): (&_, &_)| same(one, other);
        (now.len() == nodes.len() && now.iter().zip(&nodes).all(same)).then_some(())
    })
    .await;
    assert_eq!(traffic.ids(), ids);
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("frozen for {time} s: the longest call took {pause:?}");
    assert!(pause < PAUSE, "{pause:?}");
    traffic.stop().await.is_whole();
}

fn same(one: &protocol::v1::NodeRecord, other: &protocol::v1::NodeRecord) -> bool {
    (one.node_id, &one.name, one.state) == (other.node_id, &other.name, other.state)
}

#[tokio::test]
async fn a_master_that_is_frozen_for_two_seconds_is_not_missed() {
    frozen_for(2.0).await;
}

#[tokio::test]
async fn a_master_that_is_frozen_for_ten_seconds_takes_nobody_for_gone() {
    frozen_for(10.0).await;
}
