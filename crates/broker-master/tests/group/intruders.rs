//! Peers that do not keep to the protocol.

use std::time::Duration;

use prost::Message;
use protocol::{
    NodeId,
    v1::{
        Batch, Envelope, EnvelopeKind, Report, join_request::Request,
        registry_client::RegistryClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::{
    harness::{By, LEASE, echo, eventually, master, narrow_master, node, resolved, within},
    stock::{Stock, send},
};

#[tokio::test]
async fn a_stock_grpc_client_joins_and_calls() {
    let master = master("").await;
    let service = node(&master, By::Memory, "echo@0", echo()).await;
    let stock = Stock::join(&master, "stock@0").await;
    let (batches, mut incoming) = stock.open(&stock.token).await.unwrap();
    let request = Envelope {
        destination: service.id().unwrap().as_u64(),
        source: stock.id,
        kind: EnvelopeKind::Request.into(),
        call_id: 5,
        method: "echo".into(),
        body: "hello".into(),
        ..Envelope::default()
    };
    batches
        .send(Batch {
            envelopes: vec![request],
        })
        .await
        .unwrap();
    let answer = within(incoming.message()).await.unwrap().unwrap();
    let answer = &answer.envelopes[0];
    assert_eq!(answer.kind(), EnvelopeKind::Response);
    assert_eq!((answer.call_id, &answer.body[..]), (5, &b"hello"[..]));
}

#[tokio::test]
async fn a_link_without_a_valid_token_is_refused() {
    let master = master("").await;
    let stock = Stock::join(&master, "stock@0").await;
    let mut forged = stock.token.clone();
    forged[0] ^= 1; // the id of somebody else
    for token in [&b""[..], &forged] {
        let refused = stock.open(token).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn who_speaks_in_anothers_name_loses_the_link_and_nobody_else_does() {
    let master = master("").await;
    let victim = node(&master, By::Socket, "victim@0", echo()).await;
    let caller = node(&master, By::Socket, "caller@0", echo()).await;
    let to = resolved(&caller, "victim@0").await;
    let stock = Stock::join(&master, "stock@0").await;
    let (batches, mut incoming) = stock.open(&stock.token).await.unwrap();
    let forged = Envelope {
        destination: to.as_u64(),
        source: caller.id().unwrap().as_u64(),
        kind: EnvelopeKind::Notify.into(),
        ..Envelope::default()
    };
    batches
        .send(Batch {
            envelopes: vec![forged],
        })
        .await
        .unwrap();
    let fault = within(incoming.message()).await.unwrap_err();
    assert_eq!(fault.code(), Code::InvalidArgument);
    assert!(fault.message().contains("in the name of"), "{fault}");
    within(caller.call(to, "echo", Default::default()))
        .await
        .unwrap();
    assert!(victim.id().is_some());
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_ends_its_link() {
    let master = master("").await;
    let stock = Stock::join(&master, "stock@0").await;
    let (batches, mut incoming) = stock.open(&stock.token).await.unwrap();
    // Kind 99 is none that the protocol knows.
    let garbage = Envelope {
        source: stock.id,
        kind: 99,
        ..Envelope::default()
    };
    assert!(garbage.encoded_len() > 0);
    batches
        .send(Batch {
            envelopes: vec![garbage],
        })
        .await
        .unwrap();
    let fault = within(incoming.message()).await.unwrap_err();
    assert_eq!(fault.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_first_word_that_is_no_hello_is_refused() {
    let master = master("").await;
    let mut registry = RegistryClient::connect(format!("http://{}", master.address()))
        .await
        .unwrap();
    let (requests, requests_rx) = mpsc::channel(8);
    send(&requests, Request::Report(Report::default())).await;
    let refused = within(registry.join(ReceiverStream::new(requests_rx)))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_node_that_falls_silent_is_gone_after_its_lease_and_its_token_with_it() {
    let master = master("").await;
    let watcher = node(&master, By::Socket, "watcher@0", echo()).await;
    let mut stock = Stock::join(&master, "stock@0").await;
    let id = NodeId::from_u64(stock.id);
    // Alive for as long as it reports, and for longer than one lease.
    for _ in 0..4 {
        tokio::time::sleep(LEASE / 2).await;
        send(&stock.requests, Request::Report(Report::default())).await;
    }
    eventually(|| watcher.record(id)).await;
    eventually(|| watcher.record(id).is_none().then_some(())).await;
    let ended = async { while let Ok(Some(_)) = stock.responses.message().await {} };
    within(ended).await;
    let refused = stock.open(&stock.token).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_its_node_suspect_for_one_lease() {
    let master = master("").await;
    let watcher = node(&master, By::Socket, "watcher@0", echo()).await;
    let stock = Stock::join(&master, "stock@0").await;
    let id = NodeId::from_u64(stock.id);
    eventually(|| watcher.record(id)).await;
    let broken = std::time::Instant::now();
    drop(stock);
    eventually(|| watcher.record(id).is_none().then_some(())).await;
    assert!(
        broken.elapsed() > LEASE / 2,
        "gone after {:?}",
        broken.elapsed()
    );
    assert!(broken.elapsed() < LEASE * 4 + Duration::from_secs(2));
}

#[tokio::test]
async fn nobody_ends_anothers_link_with_what_is_too_much_for_it() {
    let master = narrow_master(1 << 10).await;
    let victim = Stock::join(&master, "victim@0").await;
    let (_batches, mut incoming) = victim.open(&victim.token).await.unwrap();
    let stock = Stock::join(&master, "stock@0").await;
    let (batches, _incoming) = stock.open(&stock.token).await.unwrap();
    let words = |method: &str, bytes| Envelope {
        destination: victim.id,
        source: stock.id,
        kind: EnvelopeKind::Control.into(),
        method: method.into(),
        body: vec![0; bytes].into(),
        ..Envelope::default()
    };
    let envelopes = vec![words("heavy", 16 << 10), words("light", 0)];
    batches.send(Batch { envelopes }).await.unwrap();
    let heard = within(incoming.message()).await.unwrap();
    let heard = heard.expect("its link was ended").envelopes;
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].method, "light");
}
