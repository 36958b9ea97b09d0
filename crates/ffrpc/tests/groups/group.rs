//! A group in memory: a master that lets everybody in, and a broker whose links end,
//! freeze and come back as a test says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, Services, Uplink};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use prost::Message;
use protocol::{
    Envelope, NodeId,
    envelope::EnvelopeKind,
    link::{EnvelopeQueue, EnvelopeSink, LocalBroker, MemoryLink, Refused},
    v1::{
        Delta, Hello, JoinRequest, JoinResponse, LeastLoadedRequest, NodeRecord, NodeState,
        Refusal, RefusalReason, Report, Role, Snapshot, Welcome, delta::Change,
        join_request::Request, join_response::Response,
    },
};
use tokio::{
    sync::mpsc::{self, Sender},
    time::{sleep, timeout},
};
use tonic::Status;

pub(crate) struct Group {
    pub(crate) name: &'static str,
    identity: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    serials: u32,
    revision: u64,
    members: BTreeMap<NodeId, Member>,
    /// Nobody has a link, and nobody gets one.
    is_down: bool,
    /// What was sent over the broker.
    sent: Vec<Envelope>,
}

struct Member {
    record: NodeRecord,
    responses: Sender<Result<JoinResponse, Status>>,
    queue: Option<Arc<EnvelopeQueue>>,
    link: Link,
    /// What waits for a link that is frozen.
    held: Vec<Envelope>,
}

/// How a node's link to the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// What is for the node waits, and so does what comes from it.
    Frozen,
    /// The broker has no link to the node, and hears nothing of it.
    Cut,
}

/// What a node holds of the group.
struct Door(Arc<Group>);

/// Where a node sends.
struct Sink {
    group: Arc<Group>,
    node: NodeId,
}

impl Group {
    pub(crate) fn new(name: &'static str, identity: u64) -> Arc<Group> {
        let state = Mutex::default();
        Arc::new(Group {
            name,
            identity,
            state,
        })
    }

    /// A node that is in the group.
    pub(crate) async fn join(self: &Arc<Self>, config: NodeConfig, services: Services) -> Node {
        let config = NodeConfig {
            uplink: Uplink::Local(Arc::new(Door(Arc::clone(self)))),
            ..config
        };
        let node = Node::join(config, services);
        timeout(Duration::from_secs(20), node.ready())
            .await
            .unwrap();
        node
    }

    /// A service of this name.
    pub(crate) async fn service(self: &Arc<Self>, name: &str, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            ..NodeConfig::default()
        };
        self.join(config, services).await
    }

    /// A node's link is so from now on; what was held up arrives if it is up.
    pub(crate) fn set_link(&self, node: NodeId, link: Link) {
        let mut state = self.lock();
        let member = state.members.get_mut(&node).unwrap();
        member.link = link;
        let held = std::mem::take(&mut member.held);
        match link {
            Link::Up => held.into_iter().for_each(|envelope| state.route(envelope)),
            Link::Cut => {}
            Link::Frozen => state.members.get_mut(&node).unwrap().held = held,
        }
    }

    /// Every link ends, and none is given, until it is up again.
    pub(crate) fn set_down(&self, is_down: bool) {
        let mut state = self.lock();
        state.is_down = is_down;
        for member in state.members.values_mut() {
            if let Some(queue) = member.queue.take() {
                queue.close();
            }
        }
    }

    /// A node's lease has run out; if it comes back it is a new one.
    pub(crate) fn expire(&self, node: NodeId) {
        self.lock().remove(node);
    }

    /// The master says this to a node.
    pub(crate) fn tell(&self, node: NodeId, response: Response) {
        self.lock().members[&node].say(response);
    }

    /// The calls of envelopes of this kind that have gone from one node to another.
    pub(crate) fn sent(&self, source: NodeId, to: NodeId, kind: EnvelopeKind) -> Vec<u64> {
        let state = self.lock();
        let sent = state.sent.iter();
        sent.filter(|one| one.source == source && one.destination == to && one.kind == kind)
            .map(|one| one.call_id)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn admit(&self, hello: Hello) -> (NodeId, mpsc::Receiver<Result<JoinResponse, Status>>) {
        let mut state = self.lock();
        state.serials += 1;
        let id = NodeId::new(1, state.serials);
        let (responses, said) = mpsc::channel(1024);
        let member = Member {
            record: NodeRecord {
                node_id: id.as_u64(),
                name: hello.name,
                role: hello.role,
                state: NodeState::Joining.into(),
                methods: hello.methods,
                ..NodeRecord::default()
            },
            responses,
            queue: None,
            link: Link::Up,
            held: Vec::new(),
        };
        member.say(Response::Welcome(Welcome {
            node_id: id.as_u64(),
            epoch: 1,
            token: Bytes::copy_from_slice(&id.as_u64().to_le_bytes()),
            lease_ms: 3000,
            group: self.name.into(),
            identity: self.identity,
        }));
        let record = member.record.clone();
        state.members.insert(id, member);
        state.change(Change::Upserted(record), Some(id));
        let snapshot = Snapshot {
            revision: state.revision,
            nodes: state
                .members
                .values()
                .map(|member| member.record.clone())
                .collect(),
        };
        state.members[&id].say(Response::Snapshot(snapshot));
        (id, said)
    }
}

impl State {
    fn remove(&mut self, node: NodeId) {
        if let Some(member) = self.members.remove(&node) {
            if let Some(queue) = member.queue {
                queue.close();
            }
            let gone = Status::already_exists("its lease has run out");
            let _ = member.responses.try_send(Err(gone));
            self.change(Change::Removed(node.as_u64()), None);
        }
    }

    fn report(&mut self, node: NodeId, report: Report) {
        let Some(member) = self.members.get_mut(&node) else {
            return;
        };
        let record = NodeRecord {
            state: report.state,
            script: report.script,
            groups: report.groups,
            ..member.record.clone()
        };
        if record != member.record {
            member.record = record.clone();
            self.change(Change::Upserted(record), None);
        }
    }

    /// Tells all but `newcomer`, who gets a snapshot.
    fn change(&mut self, change: Change, newcomer: Option<NodeId>) {
        self.revision += 1;
        let delta = Delta {
            revision: self.revision,
            change: Some(change),
        };
        for (id, member) in &self.members {
            if Some(*id) != newcomer {
                member.say(Response::Delta(delta.clone()));
            }
        }
    }

    fn route(&mut self, envelope: Envelope) {
        let link = |id| {
            self.members
                .get(&id)
                .map_or(Link::Cut, |member| member.link)
        };
        let (source, destination) = (envelope.source, envelope.destination);
        if link(source) == Link::Cut || self.is_down {
            return;
        }
        if link(source) == Link::Frozen {
            let member = self.members.get_mut(&source).unwrap();
            return member.held.push(envelope);
        }
        if envelope.sequence > 0 || envelope.kind != EnvelopeKind::Ack {
            self.sent.push(envelope.clone());
        }
        match link(destination) {
            Link::Frozen => {
                let member = self.members.get_mut(&destination).unwrap();
                member.held.push(envelope);
            }
            Link::Up if self.put(destination, envelope.clone()) => {}
            _ if envelope.sequence == 0 => {}
            _ => {
                let refusal = Refusal {
                    destination: destination.as_u64(),
                    sequence: envelope.sequence,
                    reason: RefusalReason::NoRoute.into(),
                };
                let word = Envelope {
                    body: refusal.encode_to_vec().into(),
                    ..Envelope::new(source, NodeId::BROKER, EnvelopeKind::Refused)
                };
                self.put(source, word);
            }
        }
    }

    fn put(&self, node: NodeId, envelope: Envelope) -> bool {
        let queue = self.members.get(&node).and_then(|one| one.queue.as_ref());
        queue.is_some_and(|queue| {
            let taken = queue.push(envelope).is_ok();
            queue.wake();
            taken
        })
    }
}

impl Member {
    fn say(&self, response: Response) {
        let _ = self.responses.try_send(Ok(JoinResponse {
            response: Some(response),
        }));
    }
}

impl LocalBroker for Door {
    fn join(
        &self,
        mut requests: mpsc::Receiver<JoinRequest>,
    ) -> BoxStream<'static, Result<JoinResponse, Status>> {
        let Ok(JoinRequest {
            request: Some(Request::Hello(hello)),
        }) = requests.try_recv()
        else {
            panic!("a hello comes first");
        };
        if hello.held.is_some() {
            let gone = Status::already_exists("nobody is taken back");
            return stream::iter([Err(gone)]).boxed();
        }
        let (id, said) = self.0.admit(hello);
        let group = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Some(JoinRequest { request }) = requests.recv().await {
                match request {
                    Some(Request::Report(report)) => group.lock().report(id, report),
                    Some(Request::Leave(_)) => break,
                    _ => {}
                }
            }
            group.lock().remove(id);
        });
        stream::unfold(said, async |mut said| Some((said.recv().await?, said))).boxed()
    }

    fn least_loaded(&self, _: &LeastLoadedRequest) -> Result<NodeId, Status> {
        Err(Status::unavailable("nobody is asked"))
    }

    fn open(&self, token: &[u8]) -> Result<MemoryLink, Status> {
        let node = NodeId::from_u64(u64::from_le_bytes(token.try_into().unwrap()));
        let mut state = self.0.lock();
        let member = match state.is_down {
            true => None,
            false => state.members.get_mut(&node),
        };
        let member = member.ok_or_else(|| Status::unavailable("no link is given"))?;
        let queue = EnvelopeQueue::new(64 << 20);
        member.queue = Some(Arc::clone(&queue));
        let group = Arc::clone(&self.0);
        Ok(MemoryLink {
            sink: Arc::new(Sink { group, node }),
            queue,
        })
    }
}

impl EnvelopeSink for Sink {
    fn send(&self, envelope: Envelope) -> Result<(), Refused> {
        self.group.lock().route(envelope);
        Ok(())
    }

    fn close(&self) {
        let mut state = self.group.lock();
        let member = state.members.get_mut(&self.node);
        if let Some(queue) = member.and_then(|member| member.queue.take()) {
            queue.close();
        }
    }
}

/// Waits until `look` finds something.
pub(crate) async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), looking).await.unwrap()
}

/// What a node of role `role` is told.
pub(crate) fn config(name: &str, role: Role) -> NodeConfig {
    NodeConfig {
        name: name.parse().unwrap(),
        role,
        ..NodeConfig::default()
    }
}
