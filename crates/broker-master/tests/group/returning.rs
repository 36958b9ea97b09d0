//! Nodes that lose their master, and masters that lose their nodes.

use ffrpc::{NodeEvent, Services};
use protocol::NodeId;

use crate::{
    harness::{
        By, LEASE, echo, eventually, lasting_master, listening, master, master_at, node, resolved,
        try_master, within,
    },
    stock::Stock,
};

#[tokio::test]
async fn a_stream_that_broke_is_replaced_by_one_of_the_same_node() {
    let master = master("").await;
    let watcher = node(&master, By::Socket, "watcher@0", echo()).await;
    let stock = Stock::join(&master, "stock@0").await;
    let (batches, mut incoming) = stock.open(&stock.token).await.unwrap();
    let id = NodeId::from_u64(stock.id);
    eventually(|| watcher.record(id)).await;

    let mut back = stock.rejoin(&master).await.unwrap();
    assert_eq!((back.id, &back.token), (stock.id, &stock.token));
    assert_eq!(back.snapshot().await.nodes.len(), 3);
    drop(stock);
    // Its link has not felt anything.
    let ping = protocol::v1::Envelope {
        source: back.id,
        kind: protocol::v1::EnvelopeKind::Ping.into(),
        ..Default::default()
    };
    let envelopes = vec![ping];
    batches
        .send(protocol::v1::Batch { envelopes })
        .await
        .unwrap();
    let pong = within(incoming.message()).await.unwrap().unwrap();
    assert_eq!(pong.envelopes[0].kind(), protocol::v1::EnvelopeKind::Pong);
    assert!(watcher.record(id).is_some());
}

#[tokio::test]
async fn a_master_that_died_finds_its_nodes_again_under_their_ids() {
    // A loopback address of its own: no other test may take the port meanwhile.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group.epoch");
    let first = lasting_master(([127, 0, 0, 78], 0).into(), &file).await;
    let address = first.address();
    let (services, mut events) = listening(Services::new());
    let caller = node(&first, By::Socket, "caller@0", services).await;
    let service = node(&first, By::Socket, "echo@0", echo()).await;
    let echo = resolved(&caller, "echo@0").await;
    let before = (caller.id().unwrap(), service.id().unwrap());
    let mut stock = Stock::join(&first, "stock@0").await;
    stock.snapshot().await;
    within(first.shutdown()).await;

    let second = lasting_master(address, &file).await;
    let back = within(stock.rejoin(&second)).await.unwrap();
    assert_eq!(back.id, stock.id);
    assert!(back.epoch > stock.epoch);
    // A newcomer comes in when the directory is whole.
    let begun = std::time::Instant::now();
    let newcomer = node(&second, By::Socket, "new@0", Services::new()).await;
    assert!(begun.elapsed() > LEASE / 2, "{:?}", begun.elapsed());
    let ids = (caller.id().unwrap(), service.id().unwrap());
    assert_eq!(ids, before);
    within(caller.call(echo, "echo", Default::default()))
        .await
        .unwrap();
    assert_eq!(resolved(&newcomer, "echo@0").await, echo);
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, NodeEvent::Lost), "the caller lost its id");
    }
}

#[tokio::test]
async fn a_master_that_knows_of_no_earlier_run_gives_new_ids() {
    let first = master_at(([127, 0, 0, 77], 0).into(), "").await;
    let address = first.address();
    let (services, mut events) = listening(Services::new());
    let caller = node(&first, By::Socket, "caller@0", services).await;
    let _service = node(&first, By::Socket, "echo@0", echo()).await;
    resolved(&caller, "echo@0").await;
    let before = caller.id();
    within(first.shutdown()).await;

    let _second = master_at(address, "").await;
    within(async { while !matches!(events.recv().await, Some(NodeEvent::Lost)) {} }).await;
    within(caller.ready()).await;
    assert_ne!(caller.id(), before);
    within(async {
        loop {
            let echo = resolved(&caller, "echo@0").await;
            if caller.call(echo, "echo", Default::default()).await.is_ok() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_master_that_stops_with_nobody_left_leaves_word_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group.epoch");
    let word = || std::fs::read_to_string(&file).unwrap();
    let loopback = ([127, 0, 0, 1], 0).into();
    let first = lasting_master(loopback, &file).await;
    let only = node(&first, By::Socket, "svc@0", echo()).await;
    assert!(word().contains(" running "));
    within(only.leave()).await;
    within(first.shutdown()).await;
    assert!(word().contains(" empty "));
    // So that the next one's nodes need not wait.
    let second = lasting_master(loopback, &file).await;
    let begun = std::time::Instant::now();
    let _node = node(&second, By::Socket, "svc@0", echo()).await;
    assert!(begun.elapsed() < LEASE, "{:?}", begun.elapsed());
    within(second.shutdown()).await;
    assert!(word().contains(" running "));
}

#[tokio::test]
async fn a_master_does_not_start_on_an_epoch_file_that_it_cannot_trust() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group.epoch");
    std::fs::write(&file, "what is this\n").unwrap();
    let refused = try_master(([127, 0, 0, 1], 0).into(), &file).await;
    let refused = refused.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("says `what is this`"), "{refused}");
    assert!(refused.contains("delete it"), "{refused}");
}

#[tokio::test]
async fn without_any_broker_calls_end_as_unavailable_after_a_second() {
    let master = master("").await;
    let caller = node(&master, By::Socket, "caller@0", Services::new()).await;
    let _service = node(&master, By::Socket, "echo@0", echo()).await;
    let to = resolved(&caller, "echo@0").await;
    within(master.shutdown()).await;
    within(async {
        loop {
            let wait = std::time::Duration::from_millis(100);
            let error = caller.call_within(to, "echo", "".into(), wait).await;
            if error.unwrap_err().kind == protocol::ErrorKind::Unavailable {
                return;
            }
        }
    })
    .await;
    // It has lost no more than the way: it is still who it was.
    assert!(caller.id().is_some());
}
