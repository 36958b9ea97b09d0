//! What a broker brings to a node.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, Services, Uplink};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use protocol::{
    CallError, Envelope, ErrorKind, NodeId,
    batch::envelopes,
    envelope::EnvelopeKind,
    link::{EnvelopeQueue, EnvelopeSink, LocalBroker, MemoryLink, Refused},
    v1::{
        JoinRequest, JoinResponse, LeastLoadedRequest, NodeRecord, NodeState, Role, Snapshot,
        Welcome, join_response::Response,
    },
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, mpsc},
    time::timeout,
};
use tonic::Status;

use super::{ALICE, BOB, CAROL};

/// Asked last: whatever came before, the node still answers. Never the number
/// of a call that the fuzzer finds.
const LAST_CALL: u64 = u64::MAX - 7;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets can be made");
}

/// Carol, a node with two methods and a way to other groups, takes the batch as it is; afterwards she
/// still answers, and what she has sent is in her own name, in turn, and no
/// more answers than there were requests.
pub fn check(bytes: &[u8]) {
    let batch = Bytes::copy_from_slice(bytes);
    let arrived: Vec<_> = envelopes(&batch).filter_map(Result::ok).collect();
    RUNTIME.with(|runtime| runtime.block_on(plays(arrived)));
}

async fn plays(arrived: Vec<Envelope>) {
    let broker = Arc::new(Broker {
        queue: EnvelopeQueue::new(1 << 20),
        sent: Arc::default(),
    });
    let config = NodeConfig {
        name: "carol@0".parse().expect("the literal is a name"),
        role: Role::Service,
        uplink: Uplink::Local(Arc::clone(&broker) as Arc<dyn LocalBroker>),
        max_requests: 2,
        pair_bytes: 512,
        ..NodeConfig::default()
    };
    let services = Services::new()
        .serve("echo", async |request| Ok(request.body))
        .serve("fail", async |_| {
            Err(CallError::new(ErrorKind::Handler, "on purpose"))
        })
        .serve("wait", async |_| std::future::pending().await)
        .message("tell", |_| {})
        .bridge(|transit, responder| {
            // What is not answered is dropped, which is an answer too.
            if transit.method.as_str() == "echo" {
                responder.respond(Ok(transit.body));
            }
        });
    let node = Node::join(config, services);
    node.ready().await;
    // A call of Carol's own, that the fuzzer may answer.
    let call = tokio::spawn({
        let node = node.clone();
        async move { node.call(ALICE, "echo", Bytes::from_static(b"?")).await }
    });
    broker.sent.any().await;

    let requests = arrived
        .iter()
        .filter(|envelope| envelope.kind == EnvelopeKind::Request)
        .count();
    for envelope in arrived {
        // No broker brings a node what is for another.
        let envelope = Envelope {
            destination: CAROL,
            ..envelope
        };
        broker.put(envelope);
    }
    broker.put(Envelope {
        call_id: LAST_CALL,
        method: "tell me".into(),
        ..Envelope::new(CAROL, BOB, EnvelopeKind::Request)
    });
    let answered = timeout(Duration::from_secs(60), broker.sent.answer(LAST_CALL)).await;
    answered.expect("a node that has heard nonsense still answers");
    broker.sent.check(requests + 1);
    call.abort();
    broker.queue.close();
    node.leave().await;
}

/// A broker that is a queue each way.
struct Broker {
    queue: Arc<EnvelopeQueue>,
    sent: Arc<Sent>,
}

/// What the node has sent.
#[derive(Default)]
struct Sent {
    envelopes: Mutex<Vec<Envelope>>,
    more: Notify,
}

impl Broker {
    fn put(&self, envelope: Envelope) {
        // What finds no room is lost, as at any broker.
        let _ = self.queue.offer(envelope);
        self.queue.wake();
    }
}

impl LocalBroker for Broker {
    fn join(
        &self,
        requests: mpsc::Receiver<JoinRequest>,
    ) -> BoxStream<'static, Result<JoinResponse, Status>> {
        let node = |id: NodeId, name: &str, role: Role| NodeRecord {
            node_id: id.as_u64(),
            name: name.into(),
            role: role.into(),
            state: NodeState::Ready.into(),
            ..NodeRecord::default()
        };
        let welcome = Welcome {
            node_id: CAROL.as_u64(),
            epoch: 1,
            token: Bytes::from_static(b"token"),
            lease_ms: 3_600_000,
            ..Welcome::default()
        };
        let snapshot = Snapshot {
            revision: 1,
            nodes: vec![
                node(NodeId::new(1, 1), "master@0", Role::Master),
                node(ALICE, "alice@0", Role::Bridge),
                node(BOB, "bob@0", Role::Service),
                node(CAROL, "carol@0", Role::Service),
            ],
        };
        let says = [Response::Welcome(welcome), Response::Snapshot(snapshot)];
        let says = says.map(|response| {
            Ok(JoinResponse {
                response: Some(response),
            })
        });
        // The stream lives as long as the node reads what it says, and ends
        // when the node has left.
        let rest = stream::unfold(requests, async |mut requests| {
            while requests.recv().await.is_some() {}
            None
        });
        stream::iter(says).chain(rest).boxed()
    }

    fn least_loaded(&self, _: &LeastLoadedRequest) -> Result<NodeId, Status> {
        Ok(ALICE)
    }

    fn open(&self, _: &[u8]) -> Result<MemoryLink, Status> {
        Ok(MemoryLink {
            sink: Arc::clone(&self.sent) as Arc<dyn EnvelopeSink>,
            queue: Arc::clone(&self.queue),
        })
    }
}

impl EnvelopeSink for Sent {
    fn send(&self, envelope: Envelope) -> Result<(), Refused> {
        let mut envelopes = self
            .envelopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        envelopes.push(envelope);
        self.more.notify_waiters();
        Ok(())
    }

    fn close(&self) {}
}

impl Sent {
    async fn any(&self) {
        self.until(|_| true).await;
    }

    async fn answer(&self, call_id: u64) {
        self.until(|envelope| envelope.kind == EnvelopeKind::Error && envelope.call_id == call_id)
            .await;
    }

    async fn until(&self, wanted: impl Fn(&Envelope) -> bool) {
        loop {
            let more = self.more.notified();
            let seen = {
                let envelopes = self
                    .envelopes
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                envelopes.iter().any(&wanted)
            };
            if seen {
                return;
            }
            more.await;
        }
    }

    fn check(&self, requests: usize) {
        let envelopes = self
            .envelopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut answers = 0;
        for node in [ALICE, BOB] {
            let mut highest = 0;
            for envelope in envelopes.iter().filter(|one| one.destination == node) {
                assert_eq!(envelope.source, CAROL);
                if envelope.sequence > highest {
                    assert_eq!(envelope.sequence, highest + 1, "a number was left out");
                    highest = envelope.sequence;
                    let kind = envelope.kind;
                    let is_answer = matches!(kind, EnvelopeKind::Response | EnvelopeKind::Error);
                    answers += usize::from(is_answer);
                }
            }
        }
        assert!(
            answers <= requests,
            "{answers} answers to {requests} requests"
        );
    }
}
