//! A master without a socket, and members that are nothing but their streams.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker::{Links, Local, Registry, RegistryConfig};
use futures_util::{FutureExt, StreamExt, stream::BoxStream};
use protocol::{
    NodeId, Secret,
    link::LocalBroker,
    tls::PeerNames,
    v1::{
        Delta, Export, Exports, Held, Hello, JoinRequest, JoinResponse, NodeRecord, NodeState,
        Report, Role, Snapshot, Welcome, delta::Change, join_request::Request,
        join_response::Response,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// Tells the group from any other of its name.
pub(crate) const IDENTITY: u64 = 0xfeed;

pub(crate) struct Group {
    pub(crate) registry: Arc<Registry>,
    pub(crate) links: Arc<Links>,
    pub(crate) broker: Arc<Local>,
    epoch: u32,
    _stop: DropGuard,
}

impl Group {
    /// A first run.
    pub(crate) fn start(epoch: u32) -> Group {
        Group::run(epoch, false)
    }

    pub(crate) fn run(epoch: u32, rebuild: bool) -> Group {
        let group: protocol::GroupName = "GroupA".parse().unwrap();
        let secret = Secret::new("open sesame");
        let links = Links::new(group.clone(), secret, 1 << 20);
        let config = RegistryConfig {
            group,
            epoch,
            rebuild,
            lease: LEASE,
            master: NodeRecord {
                name: "master@0".into(),
                role: Role::Master.into(),
                state: NodeState::Ready.into(),
                ..NodeRecord::default()
            },
            identity: IDENTITY,
            exports: exports("stats"),
        };
        let registry = Registry::new(config, Arc::clone(&links));
        let stop = CancellationToken::new();
        tokio::spawn({
            let (registry, stop) = (Arc::clone(&registry), stop.clone());
            async move { registry.run(stop).await }
        });
        Group {
            broker: Local::new(Arc::clone(&registry), Arc::clone(&links)),
            registry,
            links,
            epoch,
            _stop: stop.drop_guard(),
        }
    }

    /// The run that comes after this one died with members.
    pub(crate) fn restart(self) -> Group {
        Group::run(self.epoch + 1, true)
    }

    pub(crate) fn nodes(&self) -> BTreeMap<String, NodeRecord> {
        let list = self.registry.list("open sesame").unwrap();
        let nodes = list.snapshot.unwrap().nodes.into_iter();
        nodes.map(|node| (node.name.clone(), node)).collect()
    }

    pub(crate) fn stream(&self, hello: Hello) -> Stream {
        let (requests, requests_rx) = mpsc::channel(16);
        let first = Request::Hello(hello);
        requests.try_send(request(first)).unwrap();
        Stream {
            requests,
            responses: self.broker.join(requests_rx),
        }
    }

    /// A service that has joined and read its first snapshot.
    pub(crate) async fn member(&self, name: &str) -> Member {
        let mut member = self.welcomed(hello(name)).await.unwrap();
        member.read_snapshot().await;
        member
    }

    /// Whether a node comes in that shows a certificate.
    pub(crate) async fn joined_as(&self, peer: PeerNames, hello: Hello) -> Result<(), Status> {
        let (requests, requests_rx) = mpsc::channel(1);
        requests.try_send(request(Request::Hello(hello))).unwrap();
        let requests = ReceiverStream::new(requests_rx).map(Ok);
        let registry = Arc::clone(&self.registry);
        registry.join(Some(peer), requests).await.map(|_| ())
    }

    /// A member that has its welcome.
    pub(crate) async fn welcomed(&self, hello: Hello) -> Result<Member, Status> {
        let mut stream = self.stream(hello.clone());
        let welcome = match stream.next().await {
            Ok(Some(Response::Welcome(welcome))) => welcome,
            Ok(other) => panic!("no welcome but {other:?}"),
            Err(status) => return Err(status),
        };
        Ok(Member {
            hello,
            welcome,
            stream,
            replica: BTreeMap::new(),
            epoch: 0,
            revision: 0,
        })
    }
}

/// A Join stream.
pub(crate) struct Stream {
    pub(crate) requests: mpsc::Sender<JoinRequest>,
    responses: BoxStream<'static, Result<JoinResponse, Status>>,
}

impl Stream {
    pub(crate) async fn next(&mut self) -> Result<Option<Response>, Status> {
        match self.responses.next().await {
            Some(Ok(response)) => Ok(Some(response.response.unwrap())),
            Some(Err(status)) => Err(status),
            None => Ok(None),
        }
    }

    /// What waits to be read, without waiting for more.
    pub(crate) fn waiting(&mut self) -> Option<Response> {
        let response = self.responses.next().now_or_never()?;
        response?.unwrap().response
    }

    pub(crate) async fn say(&self, word: Request) {
        self.requests.send(request(word)).await.unwrap();
    }
}

/// A member and what it knows.
pub(crate) struct Member {
    pub(crate) hello: Hello,
    pub(crate) welcome: Welcome,
    pub(crate) stream: Stream,
    pub(crate) replica: BTreeMap<u64, NodeRecord>,
    pub(crate) epoch: u32,
    pub(crate) revision: u64,
}

impl Member {
    pub(crate) fn id(&self) -> NodeId {
        NodeId::from_u64(self.welcome.node_id)
    }

    /// The hello with which it would come back.
    pub(crate) fn returning(&self) -> Hello {
        Hello {
            held: Some(Held {
                node_id: self.welcome.node_id,
                epoch: self.epoch,
                revision: self.revision,
                token: self.welcome.token.clone(),
            }),
            ..self.hello.clone()
        }
    }

    pub(crate) async fn read_snapshot(&mut self) {
        match self.stream.next().await.unwrap() {
            Some(Response::Snapshot(snapshot)) => self.take_snapshot(snapshot),
            other => panic!("no snapshot but {other:?}"),
        }
    }

    pub(crate) fn take_snapshot(&mut self, snapshot: Snapshot) {
        self.epoch = self.welcome.epoch;
        self.revision = snapshot.revision;
        let nodes = snapshot.nodes.into_iter();
        self.replica = nodes.map(|node| (node.node_id, node)).collect();
    }

    /// Says whether it was the next change.
    pub(crate) fn take_delta(&mut self, delta: Delta) -> bool {
        if delta.revision != self.revision + 1 {
            return false;
        }
        self.revision = delta.revision;
        match delta.change.unwrap() {
            Change::Upserted(record) => self.replica.insert(record.node_id, record),
            Change::Removed(id) => self.replica.remove(&id),
        };
        true
    }

    /// Takes the changes that have come.
    pub(crate) fn take_what_waits(&mut self) -> usize {
        let mut taken = 0;
        while let Some(response) = self.stream.waiting() {
            match response {
                Response::Delta(delta) => assert!(self.take_delta(delta), "a gap"),
                Response::Snapshot(snapshot) => self.take_snapshot(snapshot),
                Response::Welcome(_) => panic!("a second welcome"),
                Response::Renewal(renewal) => self.welcome.token = renewal.token,
                Response::Exports(_) | Response::Loads(_) => {
                    panic!("what is for bridges came to {}", self.hello.name)
                }
            }
            taken += 1;
        }
        taken
    }

    pub(crate) async fn report(&self, state: NodeState, load: u64) {
        let report = Report {
            state: state.into(),
            load,
            ..Report::default()
        };
        self.stream.say(Request::Report(report)).await;
    }

    /// Lives for a while, as nodes do.
    pub(crate) async fn live(&self, time: Duration) {
        let step = LEASE / 6;
        for _ in 0..time.as_millis().div_ceil(step.as_millis()) {
            self.report(NodeState::Ready, 0).await;
            tokio::time::sleep(step).await;
        }
    }
}

/// What other groups may call: this method.
pub(crate) fn exports(method: &str) -> Exports {
    let export = Export {
        groups: vec!["GroupB".into()],
        methods: vec![method.into()],
        ..Export::default()
    };
    Exports {
        exports: vec![export],
    }
}

pub(crate) fn hello(name: &str) -> Hello {
    Hello {
        name: name.into(),
        role: Role::Service.into(),
        incarnation: 1,
        secret: "open sesame".into(),
        ..Hello::default()
    }
}

fn request(request: Request) -> JoinRequest {
    JoinRequest {
        request: Some(request),
    }
}
