use std::net::Ipv4Addr;

use tests::{Brokers, Load, MASTER, Network, Signal, Traffic, eventually, in_own_network};

use super::{PAUSE, SILENCE, seconds};

const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Cuts the link of one node and one slave in one direction, while a second
/// slave can be reached.
async fn cut(way: fn(&Network, u16)) {
    let network = Network::beside("10.77.0.1/24", "10.77.0.2/24").await;
    let mut brokers = Brokers::beyond_loopback(HERE, 2).await;
    let mut traffic = Traffic::start(&brokers, Load::default()).await;
    traffic
        .add_apart(&brokers, "remote@0", &network.prefix())
        .await;
    traffic.flows().await;
    seconds(0.5).await;
    let linked = brokers.metric("slave@0", "redrabbit_broker_links").await;
    assert_eq!(linked, 5);
    traffic.take_stalls();
    let master = brokers.carried(MASTER).await;

    way(&network, brokers.address("slave@0").port());
    seconds(SILENCE.as_secs_f64()).await;
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("cut: the longest call took {pause:?}");
    assert!(pause < SILENCE, "{pause:?}");
    seconds(2.0).await;
    let pause = traffic.take_longest();
    println!("still cut: the longest call took {pause:?}");
    // The slave has closed the link too by now, so that nobody tries that way.
    assert!(pause < PAUSE / 2, "still cut: {pause:?}");

    network.heal();
    eventually("the link is open again", async || {
        let links = brokers.metric("slave@0", "redrabbit_broker_links").await;
        (links == linked).then_some(())
    })
    .await;
    println!(
        "the master has carried {}",
        brokers.carried(MASTER).await - master
    );
    // All go that way again: there is no other slave. Pairs that were not lucky
    // there pass it over for a while yet.
    brokers.end("slave@1", Signal::KILL).await;
    seconds(1.0).await;
    traffic.flows().await;
    let mut carried = brokers.carried(MASTER).await;
    eventually("the master carries nothing any more", async || {
        seconds(0.5).await;
        let before = std::mem::replace(&mut carried, brokers.carried(MASTER).await);
        (before == carried).then_some(())
    })
    .await;
    let pause = traffic.take_longest();
    println!("healed: the longest call took {pause:?}");
    assert!(pause < PAUSE, "healed: {pause:?}");
    traffic.stop().await.is_whole();
}

#[tokio::test]
async fn a_link_that_is_cut_from_the_node_is_routed_around_and_heals() {
    if in_own_network("one_way::a_link_that_is_cut_from_the_node_is_routed_around_and_heals") {
        cut(Network::cut_from_there).await;
    }
}

#[tokio::test]
async fn a_link_that_is_cut_to_the_node_is_routed_around_and_heals() {
    if in_own_network("one_way::a_link_that_is_cut_to_the_node_is_routed_around_and_heals") {
        cut(Network::cut_to_there).await;
    }
}
