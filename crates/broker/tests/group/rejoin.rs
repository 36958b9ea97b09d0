//! A node that loses its stream, and nothing else.

use protocol::v1::{NodeState, join_request::Request};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::harness::{Group, LEASE};

#[tokio::test(start_paused = true)]
async fn a_node_whose_stream_broke_comes_back_as_who_it_was_and_nobody_notices() {
    let group = Group::start(7);
    let node = group.member("svc@0").await;
    node.report(NodeState::Ready, 5).await;
    sleep(LEASE / 10).await;
    let mut watcher = group.member("watcher@0").await;
    let link = group
        .links
        .open_stream(node.id(), &CancellationToken::new())
        .unwrap();

    let hello = node.returning();
    let (id, token) = (node.id(), node.welcome.token.clone());
    drop(node);
    sleep(LEASE / 2).await;
    let mut back = group.welcomed(hello).await.unwrap();
    back.read_snapshot().await;
    assert_eq!((back.id(), &back.welcome.token), (id, &token));
    assert_eq!(back.replica[&id.as_u64()].state(), NodeState::Ready);
    tokio::join!(back.live(LEASE * 2), watcher.live(LEASE * 2));
    // The watcher itself has become ready.
    assert_eq!(watcher.take_what_waits(), 1);
    assert!(!link.outbox.is_closed() && group.links.is_linked(id));
}

#[tokio::test(start_paused = true)]
async fn the_late_end_of_an_older_stream_does_not_make_its_node_suspect() {
    let group = Group::start(7);
    let mut older = group.member("svc@0").await;
    // The master has not noticed yet that the stream is broken.
    let mut back = group.welcomed(older.returning()).await.unwrap();
    back.read_snapshot().await;
    assert_eq!(back.id(), older.id());
    while older.stream.next().await.unwrap().is_some() {}
    // What the older stream says does not count either.
    let _ = older.stream.requests.try_send(protocol::v1::JoinRequest {
        request: Some(Request::Leave(protocol::v1::Leave {})),
    });
    drop(older);
    back.live(LEASE * 2).await;
    assert_eq!(group.nodes()["svc@0"].node_id, back.welcome.node_id);
    // Had it become suspect, this one would have its name now.
    let other = protocol::v1::Hello {
        incarnation: 2,
        held: None,
        ..back.hello.clone()
    };
    let refused = group.welcomed(other).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_after_its_lease_is_a_new_node_and_its_old_link_is_over() {
    let group = Group::start(7);
    let node = group.member("svc@0").await;
    let link = group
        .links
        .open_stream(node.id(), &CancellationToken::new())
        .unwrap();
    // It was frozen: its stream is open, and it says nothing.
    sleep(LEASE * 2).await;
    assert!(!group.nodes().contains_key("svc@0"));
    assert!(link.outbox.is_closed());
    let back = group.welcomed(node.returning()).await.unwrap();
    assert_ne!(back.id(), node.id());
    let refused = group
        .links
        .open_stream(node.id(), &CancellationToken::new());
    assert!(refused.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_member_that_asks_again_gets_the_whole_directory() {
    let group = Group::start(7);
    let mut node = group.member("svc@0").await;
    let _other = group.member("svc@1").await;
    assert_eq!(node.take_what_waits(), 1);
    node.replica.clear();
    node.stream
        .say(Request::Resync(protocol::v1::Resync {}))
        .await;
    node.read_snapshot().await;
    assert_eq!(node.replica.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_asks_again_and_again_gets_the_directory_once_a_tick() {
    let group = Group::start(7);
    let mut node = group.member("svc@0").await;
    for _ in 0..50 {
        let resync = Request::Resync(protocol::v1::Resync {});
        node.stream.say(resync).await;
    }
    sleep(LEASE / 10).await;
    assert_eq!(node.take_what_waits(), 1);
}
