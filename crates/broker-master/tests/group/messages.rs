//! Messages of one source are handled in order, and none when it is gone.

use std::sync::{Arc, Mutex};

use ffrpc::{NodeEvent, Services};
use prost::Message as _;
use protocol::{
    NodeId,
    v1::{Batch, Envelope, EnvelopeKind, Offline},
};
use tokio::sync::mpsc;

use crate::{
    harness::{By, Shared, eventually, listening, master, node, resolved, within},
    stock::Stock,
};

const MESSAGES: u64 = 20_000;

#[tokio::test]
async fn messages_of_one_source_arrive_in_order_and_all_of_them() {
    for (from_by, to_by) in [
        (By::Socket, By::Socket),
        (By::Memory, By::Memory),
        (By::Socket, By::Memory),
        (By::Memory, By::Socket),
    ] {
        let master = master("").await;
        let seen: Shared<Vec<u64>> = Arc::default();
        let services = Services::new().message("count", {
            let seen = Arc::clone(&seen);
            move |message| {
                let number = Offline::decode(message.body).unwrap().login;
                seen.lock().unwrap().push(number);
            }
        });
        let _receiver = node(&master, to_by, "receiver@0", services).await;
        let sender = node(&master, from_by, "sender@0", Services::new()).await;
        let to = resolved(&sender, "receiver@0").await;
        for login in 0..MESSAGES {
            sender
                .control_message(to, "count", &Offline { login, holding: 1 })
                .unwrap();
        }
        eventually(|| (seen.lock().unwrap().len() as u64 == MESSAGES).then_some(())).await;
        let seen = seen.lock().unwrap();
        assert!(seen.iter().copied().eq(0..MESSAGES), "out of order");
    }
}

#[tokio::test]
async fn nothing_of_a_node_is_handled_after_its_end_was_told() {
    let master = master("").await;
    let log: Shared<Vec<&str>> = Arc::new(Mutex::default());
    let services = Services::new()
        .message("word", {
            let log = Arc::clone(&log);
            move |_| log.lock().unwrap().push("word")
        })
        .events({
            let log = Arc::clone(&log);
            move |event| {
                if let NodeEvent::Removed(_) = event {
                    log.lock().unwrap().push("gone");
                }
            }
        });
    let _receiver = node(&master, By::Socket, "receiver@0", services).await;
    for round in 0..20 {
        let sender = node(
            &master,
            By::Socket,
            &format!("sender@{round}"),
            Services::new(),
        )
        .await;
        let to = resolved(&sender, "receiver@0").await;
        for login in 0..500 {
            sender
                .control_message(to, "word", &Offline { login, holding: 1 })
                .unwrap();
        }
        within(sender.leave()).await;
        eventually(|| (log.lock().unwrap().last() == Some(&"gone")).then_some(())).await;
    }
    let log = log.lock().unwrap();
    let gone = log.iter().filter(|word| **word == "gone").count();
    // Leaving lets the link run dry first, so that every word came before.
    assert_eq!((gone, log.len()), (20, 20 * 501));
}

#[tokio::test]
async fn node_without_a_link_is_out_of_reach_until_it_acknowledges() {
    let master = master("").await;
    let (services, mut events) = listening(Services::new());
    let sender = node(&master, By::Socket, "sender@0", services).await;
    let stock = Stock::join(&master, "stock@0").await;
    let id = NodeId::from_u64(stock.id);
    eventually(|| sender.record(id)).await;
    let say = |login| sender.control_message(id, "word", &Offline { login, holding: 1 });
    say(1).unwrap();
    let hears = async |events: &mut mpsc::Receiver<NodeEvent>, reachable: bool| loop {
        match events.recv().await.unwrap() {
            NodeEvent::Unreachable(node) => assert!(node == id && !reachable, "{node}"),
            NodeEvent::Reachable(node) => assert!(node == id && reachable, "{node}"),
            _ => continue,
        }
        return;
    };
    within(hears(&mut events, false)).await;
    // It has a link now, and gets what was sent before.
    let (batches, mut incoming) = stock.open(&stock.token).await.unwrap();
    let batch = within(incoming.message()).await.unwrap().unwrap();
    let sequence = batch.envelopes[0].sequence;
    let acknowledgement = Envelope {
        destination: sender.id().unwrap().as_u64(),
        source: stock.id,
        kind: EnvelopeKind::Ack.into(),
        acknowledged: sequence,
        ..Envelope::default()
    };
    let envelopes = vec![acknowledgement];
    batches.send(Batch { envelopes }).await.unwrap();
    within(hears(&mut events, true)).await;
    // And once more.
    drop((batches, incoming));
    within(async {
        while !matches!(events.try_recv(), Ok(NodeEvent::Unreachable(_))) {
            say(2).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}
