//! A broker that only routes, over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use broker::{Links, link_services};
use bytes::{Bytes, BytesMut};
use protocol::{
    Envelope, NodeId, Secret, batch,
    envelope::{EnvelopeKind, MAX_BYTES},
    link::{LinkClient, MAX_BATCH_BYTES},
    tls::PeerNames,
    token,
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, sync::DropGuard, task::TaskTracker};
use tonic::{
    Code, Request, Status, Streaming,
    metadata::MetadataValue,
    service::InterceptorLayer,
    transport::{Endpoint, Server, server::TcpIncoming},
};

const A: NodeId = NodeId::new(7, 1);
const B: NodeId = NodeId::new(7, 2);

struct Slave {
    links: Arc<Links>,
    address: SocketAddr,
    _stop: DropGuard,
}

impl Slave {
    async fn start(outbox_bytes: usize) -> Slave {
        Slave::shown(None, outbox_bytes).await
    }

    /// One that finds this name in the certificate of whoever comes.
    async fn shown(certificate: Option<&'static str>, outbox_bytes: usize) -> Slave {
        let group = "GroupA".parse().unwrap();
        let links = Links::new(group, Secret::default(), outbox_bytes);
        let stop = CancellationToken::new();
        let routes = link_services(Arc::clone(&links), TaskTracker::new(), stop.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(
            Server::builder()
                .layer(InterceptorLayer::new(move |mut request: Request<()>| {
                    if let Some(name) = certificate {
                        let names = PeerNames([name.to_owned()].into());
                        request.extensions_mut().insert(names);
                    }
                    Ok(request)
                }))
                .add_routes(routes)
                .serve_with_incoming_shutdown(
                    TcpIncoming::from(listener),
                    stop.clone().cancelled_owned(),
                ),
        );
        for (node, name) in [(A, "a@0"), (B, "b@0")] {
            links.expect_as(node, &name.parse().unwrap());
        }
        Slave {
            links,
            address,
            _stop: stop.drop_guard(),
        }
    }

    async fn open(&self, node: NodeId) -> Result<Peer, Status> {
        let (batches, batches_rx) = mpsc::channel(64);
        let mut request = Request::new(ReceiverStream::new(batches_rx));
        let token = MetadataValue::from_bytes(&self.links.token(node));
        request.metadata_mut().insert_bin(token::METADATA, token);
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let incoming = LinkClient::new(endpoint.connect().await.unwrap())
            .open(request)
            .await?
            .into_inner();
        Ok(Peer {
            node,
            batches,
            incoming,
        })
    }
}

struct Peer {
    node: NodeId,
    batches: mpsc::Sender<Bytes>,
    incoming: Streaming<Bytes>,
}

impl Peer {
    async fn send(&self, to: NodeId, kind: EnvelopeKind, sequence: u64) {
        let envelope = Envelope {
            sequence,
            ..Envelope::new(to, self.node, kind)
        };
        let mut batch = BytesMut::new();
        envelope.write(&mut batch);
        self.batches.send(batch.freeze()).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<Vec<Envelope>>, Status> {
        let batch = within(self.incoming.message()).await?;
        Ok(batch.map(|batch| batch::envelopes(&batch).map(Result::unwrap).collect()))
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), work)
        .await
        .expect("nothing happened in time")
}

#[tokio::test]
async fn a_slave_answers_pings_and_routes_between_those_it_expects() {
    let slave = Slave::start(1 << 20).await;
    let mut a = slave.open(A).await.unwrap();
    let mut b = slave.open(B).await.unwrap();
    a.send(NodeId::BROKER, EnvelopeKind::Ping, 0).await;
    assert_eq!(a.next().await.unwrap().unwrap()[0].kind, EnvelopeKind::Pong);
    assert_eq!(slave.links.forwarded(), 0);
    a.send(B, EnvelopeKind::Notify, 1).await;
    assert_eq!(b.next().await.unwrap().unwrap()[0].source, A);
    assert_eq!(slave.links.forwarded(), 1);
    let refused = slave.open(NodeId::new(7, 3)).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    slave.links.forget_all();
    for peer in [&mut a, &mut b] {
        while peer.next().await.unwrap().is_some() {}
    }
}

#[tokio::test]
async fn a_token_opens_nothing_with_the_certificate_of_another_node() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let slave = Slave::shown(Some("0.a.GroupA"), 1 << 20).await;
    let mut a = slave.open(A).await.unwrap();
    let refused = slave.open(B).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(
        refused.message(),
        "the certificate is for 0.a.GroupA and not for b@0: give each node its own"
    );
    assert!(!slave.links.is_linked(B));
    a.send(NodeId::BROKER, EnvelopeKind::Ping, 0).await;
    assert_eq!(a.next().await.unwrap().unwrap()[0].kind, EnvelopeKind::Pong);
    let page = recorder.handle().render();
    let line = "redrabbit_broker_link_faults_total{reason=\"certificate\"} 1";
    assert!(page.contains(line), "{line} is not in\n{page}");
}

#[tokio::test]
async fn the_stale_link_of_a_node_that_is_gone_harms_nobody() {
    let slave = Slave::start(1 << 20).await;
    let mut gone = slave.open(A).await.unwrap();
    let mut b = slave.open(B).await.unwrap();
    slave.links.forget(A);
    // It has not noticed, and its half of the stream is open.
    for n in 1..20 {
        let _ = gone.batches.try_send(Bytes::new());
        gone.send(B, EnvelopeKind::Control, n).await;
    }
    while gone.next().await.unwrap().is_some() {}
    b.send(NodeId::BROKER, EnvelopeKind::Ping, 0).await;
    assert_eq!(b.next().await.unwrap().unwrap()[0].kind, EnvelopeKind::Pong);
    assert_eq!(slave.links.forwarded(), 0);
}

#[tokio::test]
async fn a_link_whose_node_pinged_and_fell_silent_is_closed_and_the_others_are_not() {
    let slave = Slave::start(1 << 20).await;
    let mut silent = slave.open(A).await.unwrap();
    let mut lively = slave.open(B).await.unwrap();
    silent.send(NodeId::BROKER, EnvelopeKind::Ping, 0).await;
    silent.next().await.unwrap();
    within(async {
        while slave.links.is_linked(A) {
            lively.send(NodeId::BROKER, EnvelopeKind::Ping, 0).await;
            lively.next().await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert!(silent.next().await.unwrap().is_none());
    lively.send(A, EnvelopeKind::Notify, 1).await;
    let refused = lively.next().await.unwrap().unwrap();
    assert_eq!(refused[0].kind, EnvelopeKind::Refused);
}

#[tokio::test]
async fn a_batch_over_the_limit_ends_its_link_with_an_error_of_its_own() {
    let slave = Slave::start(8 << 20).await;
    let mut a = slave.open(A).await.unwrap();
    let mut b = slave.open(B).await.unwrap();
    let large = Envelope {
        body: vec![0; MAX_BYTES - 100].into(),
        ..Envelope::new(B, A, EnvelopeKind::Notify)
    };
    let mut batch = BytesMut::new();
    while batch.len() <= MAX_BATCH_BYTES {
        large.write(&mut batch);
    }
    a.batches.send(batch.freeze()).await.unwrap();
    let fault = a.next().await.unwrap_err();
    assert_eq!(fault.code(), Code::InvalidArgument);
    assert!(fault.message().contains("a batch of more than"), "{fault}");
    b.send(NodeId::BROKER, EnvelopeKind::Ping, 0).await;
    assert!(b.next().await.unwrap().is_some());
}

#[tokio::test]
async fn a_destination_that_does_not_read_refuses_and_slows_nobody_else() {
    let slave = Slave::start(64 << 10).await;
    let mut a = slave.open(A).await.unwrap();
    let deaf = slave.open(B).await.unwrap();
    const C: NodeId = NodeId::new(7, 3);
    slave.links.expect(C);
    let mut c = slave.open(C).await.unwrap();
    // Past the outbox and whatever the transport takes.
    let large = Envelope {
        sequence: 1,
        body: vec![0; 16 << 10].into(),
        ..Envelope::new(B, A, EnvelopeKind::Request)
    };
    let mut batch = BytesMut::new();
    large.write(&mut batch);
    let batch = batch.freeze();
    let refused = async {
        loop {
            let envelopes = a.incoming.message().await.unwrap().unwrap();
            let envelope = batch::envelopes(&envelopes).next().unwrap().unwrap();
            if envelope.kind == EnvelopeKind::Refused {
                return;
            }
        }
    };
    let flood = async {
        loop {
            a.batches.send(batch.clone()).await.unwrap();
        }
    };
    within(async {
        tokio::select! {
            () = refused => {}
            () = flood => {}
        }
    })
    .await;
    a.send(C, EnvelopeKind::Request, 1).await;
    let begun = std::time::Instant::now();
    assert_eq!(c.next().await.unwrap().unwrap()[0].source, A);
    assert!(begun.elapsed() < Duration::from_secs(2), "{begun:?}");
    assert!(slave.links.is_linked(deaf.node), "its link was closed");
}
