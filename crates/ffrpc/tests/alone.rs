//! A node whose broker is the test itself: what it says when, to the letter.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, NodeEvent, Services, Uplink};
use futures_util::{FutureExt, StreamExt, stream, stream::BoxStream};
use protocol::{
    Envelope, ErrorKind, NodeId,
    envelope::EnvelopeKind,
    link::{EnvelopeQueue, EnvelopeSink, LocalBroker, MemoryLink, Refused},
    v1::{
        Hello, JoinRequest, JoinResponse, LeastLoadedRequest, NodeRecord, NodeState, Snapshot,
        Welcome, join_request::Request, join_response::Response,
    },
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tonic::Status;

const SELF: NodeId = NodeId::new(1, 7);
const OTHER: NodeId = NodeId::new(1, 8);

/// A master that lets one node in, and a broker that takes all it says.
struct Fake {
    hellos: Mutex<Vec<Hello>>,
    heard: Mutex<Vec<Envelope>>,
    queue: Arc<EnvelopeQueue>,
    /// How often the Join stream ends after the directory was given.
    breaks: u32,
    joins: AtomicU32,
}

struct Ear(Arc<Fake>);

impl EnvelopeSink for Ear {
    fn send(&self, envelope: Envelope) -> Result<(), Refused> {
        self.0.heard.lock().unwrap().push(envelope);
        Ok(())
    }

    fn close(&self) {
        self.0.queue.close();
    }
}

/// What the node holds of the fake.
struct Door(Arc<Fake>);

impl LocalBroker for Door {
    fn join(
        &self,
        mut requests: mpsc::Receiver<JoinRequest>,
    ) -> BoxStream<'static, Result<JoinResponse, Status>> {
        let run = self.0.joins.fetch_add(1, Ordering::SeqCst) + 1;
        if let Ok(JoinRequest {
            request: Some(Request::Hello(hello)),
        }) = requests.try_recv()
        {
            self.0.hellos.lock().unwrap().push(hello);
        }
        let welcome = Response::Welcome(Welcome {
            node_id: SELF.as_u64(),
            epoch: run,
            token: Bytes::from_static(b"token"),
            lease_ms: 3000,
            ..Welcome::default()
        });
        let record = |id: NodeId, name: &str| NodeRecord {
            node_id: id.as_u64(),
            name: name.into(),
            state: NodeState::Ready.into(),
            ..NodeRecord::default()
        };
        let snapshot = Response::Snapshot(Snapshot {
            revision: u64::from(1000 - run),
            nodes: vec![record(SELF, "self@0"), record(OTHER, "other@0")],
        });
        let said = stream::iter([welcome, snapshot]).map(|response| {
            Ok(JoinResponse {
                response: Some(response),
            })
        });
        let ends = run <= self.0.breaks;
        let rest = stream::once(async move {
            if !ends {
                // It is read, so that reports find room.
                while requests.recv().await.is_some() {}
            }
            Err(Status::unavailable("over"))
        });
        said.chain(rest).boxed()
    }

    fn least_loaded(&self, _: &LeastLoadedRequest) -> Result<NodeId, Status> {
        Err(Status::unavailable("nobody is asked"))
    }

    fn open(&self, _: &[u8]) -> Result<MemoryLink, Status> {
        Ok(MemoryLink {
            sink: Arc::new(Ear(Arc::clone(&self.0))),
            queue: Arc::clone(&self.0.queue),
        })
    }
}

impl Fake {
    async fn node(breaks: u32, services: Services) -> (Arc<Fake>, Node) {
        let fake = Arc::new(Fake {
            hellos: Mutex::default(),
            heard: Mutex::default(),
            queue: EnvelopeQueue::new(1 << 20),
            breaks,
            joins: AtomicU32::new(0),
        });
        let config = NodeConfig {
            name: "self@0".parse().unwrap(),
            uplink: Uplink::Local(Arc::new(Door(Arc::clone(&fake)))),
            pair_bytes: 4 << 20,
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        timeout(Duration::from_secs(20), node.ready())
            .await
            .unwrap();
        (fake, node)
    }

    fn say(&self, envelope: Envelope) {
        self.queue.push(envelope).unwrap();
        self.queue.wake();
    }

    /// Waits until the node has said something of which `what` finds so much.
    async fn hears<T>(&self, what: impl Fn(&[Envelope]) -> Option<T>) -> T {
        let look = async {
            loop {
                if let Some(found) = what(&self.heard.lock().unwrap()) {
                    return found;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), look).await.unwrap()
    }
}

fn to_self(kind: EnvelopeKind, sequence: u64, method: &'static str) -> Envelope {
    Envelope {
        sequence,
        call_id: sequence,
        method: method.into(),
        ..Envelope::new(SELF, OTHER, kind)
    }
}

#[tokio::test]
async fn a_node_presents_the_run_and_the_revision_that_it_has_seen_together() {
    let (fake, node) = Fake::node(2, Services::new()).await;
    let third = async {
        while fake.hellos.lock().unwrap().len() < 3 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), third).await.unwrap();
    let hellos = fake.hellos.lock().unwrap().clone();
    assert_eq!(hellos[0].held, None);
    for (held, run) in hellos[1..].iter().zip(1..) {
        let held = held.held.clone().unwrap();
        assert_eq!((held.node_id, held.epoch), (SELF.as_u64(), run));
        assert_eq!(held.revision, u64::from(1000 - run));
        assert_eq!(hellos[0].incarnation, hellos[run as usize].incarnation);
    }
    assert_eq!(node.id(), Some(SELF));
}

#[tokio::test]
async fn a_call_that_has_expired_is_sent_again_as_nothing() {
    let (fake, node) = Fake::node(0, Services::new()).await;
    let call = node.call_within(OTHER, "slow", "question".into(), Duration::from_millis(60));
    assert_eq!(
        call.await.unwrap_err().kind,
        ErrorKind::DeadlineExceeded,
        "nobody answers"
    );
    let again = fake
        .hears(|heard| {
            let mut first = heard.iter().filter(|envelope| envelope.sequence == 1);
            assert_eq!(first.next()?.kind, EnvelopeKind::Request);
            first.next().cloned()
        })
        .await;
    assert_eq!(again.kind, EnvelopeKind::Ack);
    assert!(again.body.is_empty());
}

#[tokio::test]
async fn a_call_may_wait_for_ever() {
    let (_fake, node) = Fake::node(0, Services::new()).await;
    let call = node.call_within(OTHER, "slow", Bytes::new(), Duration::MAX);
    assert!(call.now_or_never().is_none());
    assert_eq!(node.pending_calls(), 0);
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_own_message_and_nothing_else() {
    let services = Services::new()
        .serve("first", |request| {
            let first = request.body[0];
            async move { Ok(vec![first].into()) }
        })
        .message("note", |_| panic!("on purpose"))
        .events(|event| {
            if matches!(event, NodeEvent::Upserted(_)) {
                panic!("on purpose");
            }
        });
    let (fake, node) = Fake::node(0, services).await;
    // Its body is empty.
    fake.say(to_self(EnvelopeKind::Request, 1, "first"));
    fake.say(to_self(EnvelopeKind::Notify, 2, "note"));
    fake.say(Envelope {
        body: "x".into(),
        ..to_self(EnvelopeKind::Request, 3, "first")
    });
    let answers = fake
        .hears(|heard| {
            let answers: Vec<_> = heard
                .iter()
                .filter(|one| one.sequence > 0 && one.call_id > 0)
                .map(|one| (one.call_id, one.kind))
                .collect();
            (answers.len() >= 2).then_some(answers)
        })
        .await;
    assert_eq!(answers[0], (1, EnvelopeKind::Error));
    assert_eq!(answers[1], (3, EnvelopeKind::Response));
    assert_eq!(node.id(), Some(SELF));
}

#[tokio::test]
async fn answers_that_are_never_acknowledged_have_a_bound() {
    const ANSWER: usize = 512 << 10;
    let services = Services::new().serve("large", async |_| Ok(vec![0; ANSWER].into()));
    let (fake, _node) = Fake::node(0, services).await;
    // 4 MiB is the pair's bound, and 8 times that what it keeps in answers.
    for sequence in 1..=200 {
        fake.say(to_self(EnvelopeKind::Request, sequence, "large"));
    }
    let kinds = fake
        .hears(|heard| {
            let first = |call: u64| heard.iter().find(|one| one.call_id == call);
            let kinds: Option<Vec<_>> = (1..=200).map(|call| Some(first(call)?.kind)).collect();
            kinds
        })
        .await;
    let answered = kinds
        .iter()
        .take_while(|kind| **kind == EnvelopeKind::Response)
        .count();
    assert!((60..=70).contains(&answered), "{answered} answers are kept");
    assert!(
        kinds[answered..]
            .iter()
            .all(|kind| *kind == EnvelopeKind::Error)
    );
}
