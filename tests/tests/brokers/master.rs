use std::{collections::BTreeMap, time::Instant};

use ffrpc::{Node, Services};
use protocol::v1::NodeRecord;
use tests::{Brokers, Load, MASTER, Signal, Traffic, eventually, within};

use super::{PAUSE, seconds};

/// Everybody's id in the directory, but the master's own, which is another with
/// each run.
fn ids(nodes: &[NodeRecord]) -> BTreeMap<String, u64> {
    let nodes = nodes.iter().filter(|node| node.name != MASTER);
    nodes
        .map(|node| (node.name.clone(), node.node_id))
        .collect()
}

#[tokio::test]
async fn a_master_that_is_killed_costs_no_call_and_comes_back_with_every_node_as_it_was() {
    let mut brokers = Brokers::start(2).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    let before = ids(&brokers.nodes().await.unwrap());
    assert_eq!(before.len(), 2 + 4);
    traffic.take_stalls();
    brokers.end(MASTER, Signal::KILL).await;
    // Longer than any lease.
    seconds(4.0).await;
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("without a master: the longest call took {pause:?}");
    assert!(pause < PAUSE, "{pause:?}");

    // Whoever joins now waits.
    let newcomer = Node::join(brokers.config("newcomer@0"), Services::new());
    seconds(0.5).await;
    assert_eq!(newcomer.id(), None);

    let begun = Instant::now();
    brokers.run(MASTER);
    within("the newcomer is let in", newcomer.ready()).await;
    println!("the newcomer was let in after {:?}", begun.elapsed());
    let mut after = BTreeMap::new();
    eventually("the directory is whole", async || {
        after = ids(&brokers.nodes().await?);
        (after.len() == before.len() + 1).then_some(())
    })
    .await;
    let newcomer_id = after.remove("newcomer@0").unwrap();
    assert_eq!(after, before);
    assert!(!before.values().any(|id| *id == newcomer_id));
    traffic.flows().await;
    let pause = traffic.take_longest();
    println!("with a new master: the longest call took {pause:?}");
    assert!(pause < PAUSE, "{pause:?}");
    // What the new master says is heard: a node that leaves is known to be gone.
    let name = "newcomer@0".parse().unwrap();
    let knows = async || traffic.members()[0].node().resolve(&name);
    eventually("the newcomer is known", knows).await;
    newcomer.leave().await;
    eventually("the newcomer is gone", async || {
        knows().await.is_none().then_some(())
    })
    .await;
    traffic.stop().await.is_whole();
}

/// Its data traffic cannot go on meanwhile, and is not lost either.
#[tokio::test]
async fn a_master_without_slaves_that_is_killed_and_started_again_loses_nothing() {
    let mut brokers = Brokers::start(0).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    let before = ids(&brokers.nodes().await.unwrap());
    brokers.end(MASTER, Signal::KILL).await;
    brokers.run(MASTER);
    traffic.flows().await;
    eventually("the directory is whole", async || {
        (ids(&brokers.nodes().await?) == before).then_some(())
    })
    .await;
    let report = traffic.stop().await;
    println!("{report}");
    report.is_exact();
}
