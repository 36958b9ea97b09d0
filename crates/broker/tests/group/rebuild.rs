//! A master that comes after another one.

use protocol::v1::NodeState;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::harness::{Group, LEASE, hello};

#[tokio::test(start_paused = true)]
async fn a_new_master_rebuilds_the_same_directory_from_what_its_nodes_hold() {
    let group = Group::start(7);
    let mut nodes = Vec::new();
    for n in 0..5 {
        let node = group.member(&format!("svc@{n}")).await;
        node.report(NodeState::Ready, n).await;
        nodes.push(node);
    }
    sleep(LEASE / 10).await;
    for node in &mut nodes {
        node.take_what_waits();
    }
    let mut before = group.nodes();

    let group = group.restart();
    let began = Instant::now();
    let mut back = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        let mut one = group.welcomed(node.returning()).await.unwrap();
        assert_eq!(one.id(), node.id());
        assert_eq!(one.welcome.epoch, 8);
        one.report(NodeState::Ready, n as u64).await;
        one.epoch = 7;
        one.revision = node.revision;
        back.push(one);
    }
    assert!(began.elapsed() < LEASE / 10, "they were kept waiting");
    // Links open at once, for traffic goes on.
    let stop = CancellationToken::new();
    assert!(group.links.open_stream(back[0].id(), &stop).is_some());
    // One of them loses its stream once more before the directory is whole.
    let again = group.welcomed(back[1].returning()).await.unwrap();
    assert_eq!(again.id(), back[1].id());
    back[1] = again;

    let half = LEASE / 2;
    futures_util::future::join_all(back.iter().map(|one| one.live(half))).await;
    for one in &mut back {
        assert!(one.stream.waiting().is_none(), "told of half a directory");
    }
    futures_util::future::join_all(back.iter().map(|one| one.live(LEASE))).await;
    for one in &mut back {
        one.take_what_waits();
        assert_eq!(one.epoch, 8);
    }
    let mut after = group.nodes();
    before.remove("master@0");
    after.remove("master@0");
    for node in before.values_mut().chain(after.values_mut()) {
        node.load = 0;
    }
    assert_eq!(before, after);
    assert_eq!(back[0].replica.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn newcomers_wait_one_lease_and_a_late_claim_gets_a_new_id() {
    let group = Group::start(7);
    let late = group.member("late@0").await;
    let group = group.restart();
    let began = Instant::now();
    let mut newcomer = group.welcomed(hello("new@0")).await.unwrap();
    assert!(
        began.elapsed() >= LEASE,
        "let in after {:?}",
        began.elapsed()
    );
    assert!(began.elapsed() < LEASE + LEASE / 10);
    newcomer.read_snapshot().await;

    let back = group.welcomed(late.returning()).await.unwrap();
    assert_ne!(back.id(), late.id());
    assert_eq!((late.id().epoch(), back.id().epoch()), (7, 8));
    assert_eq!(newcomer.take_what_waits(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_claims_to_one_name_the_later_one_holds_and_the_other_is_told() {
    let group = Group::start(7);
    let frozen = group.member("svc@0").await;
    sleep(LEASE * 2).await;
    let heir = group.member("svc@0").await;
    assert_ne!(frozen.id(), heir.id());

    let group = group.restart();
    let mut woken = group.welcomed(frozen.returning()).await.unwrap();
    assert_eq!(woken.id(), frozen.id());
    let link = group
        .links
        .open_stream(woken.id(), &CancellationToken::new());
    let link = link.unwrap();
    let back = group.welcomed(heir.returning()).await.unwrap();
    assert_eq!(back.id(), heir.id());
    assert!(woken.stream.next().await.unwrap().is_none());
    assert!(link.outbox.is_closed());
    let refused = group.welcomed(frozen.returning()).await.map(|_| ());
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(refused.message().contains("newer"), "{refused}");
    back.live(LEASE * 2).await;
    assert_eq!(group.nodes()["svc@0"].node_id, heir.welcome.node_id);
}

#[tokio::test(start_paused = true)]
async fn a_master_that_stops_while_newcomers_wait_tells_them() {
    let group = Group::run(8, true);
    let mut stream = group.stream(hello("new@0"));
    let (outcome, ()) = tokio::join!(stream.next(), async {
        sleep(LEASE / 3).await;
        drop(group);
    });
    assert_eq!(outcome.unwrap_err().code(), Code::Unavailable);
}
