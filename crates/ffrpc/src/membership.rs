//! The node's Join stream: opened, read, and opened again with what it held.

use std::{pin::pin, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use protocol::{
    Secret,
    v1::{
        Held, Hello, JoinRequest, JoinResponse, join_request::Request,
        registry_client::RegistryClient,
    },
};
use rand::RngExt;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use crate::{
    config::{NodeConfig, Uplink},
    connect::Connector,
};

/// How long it may take to reach the master. Together with a pause it is less
/// than a lease: a master that is back finds its nodes while it looks for them.
const STEP: Duration = Duration::from_millis(1500);
/// How long a master may keep a node waiting at the door. One that rebuilds its
/// directory lets newcomers in after a lease.
const ADMISSION: Duration = Duration::from_secs(60);
/// The first and the longest pause between two attempts to join.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The largest directory: a hundred thousand nodes and more.
const MAX_DIRECTORY_BYTES: usize = 64 << 20;
/// Requests that may wait for the stream.
const QUEUE: usize = 16;

/// How the node stands with the master.
pub(crate) struct Membership {
    config: NodeConfig,
    connector: Connector,
    methods: Vec<String>,
    /// Names the process to the master for as long as it has one NodeId.
    incarnation: u64,
    state: State,
    pause: Duration,
}

enum State {
    Joining(BoxFuture<'static, Result<Joined, Status>>),
    Joined(Joined),
}

/// A Join stream that is open.
struct Joined {
    requests: mpsc::Sender<JoinRequest>,
    responses: BoxStream<'static, Result<JoinResponse, Status>>,
    /// The same connection, for what is asked beside the stream.
    registry: Option<RegistryClient<Channel>>,
}

/// What the master says, or that it says nothing more.
pub(crate) enum Word {
    /// The stream is open; the welcome follows.
    Open(Option<RegistryClient<Channel>>),
    Says(JoinResponse),
    /// The stream has ended or could not be opened: [`Membership::rejoin`].
    Broken(Status),
}

impl Membership {
    pub(crate) fn new(config: &NodeConfig, connector: Connector, methods: Vec<String>) -> Self {
        let mut membership = Membership {
            config: config.clone(),
            connector,
            methods,
            incarnation: rand::random(),
            state: State::Joining(futures_util::future::pending().boxed()),
            pause: PAUSES.0,
        };
        membership.state = membership.joining(None, Duration::ZERO);
        membership
    }

    /// Waits for the master's next word. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Word {
        match &mut self.state {
            State::Joining(joining) => match joining.await {
                Ok(joined) => {
                    let registry = joined.registry.clone();
                    self.state = State::Joined(joined);
                    Word::Open(registry)
                }
                Err(status) => {
                    self.state = State::Joining(futures_util::future::pending().boxed());
                    Word::Broken(status)
                }
            },
            State::Joined(joined) => match joined.responses.next().await {
                Some(Ok(response)) => {
                    self.pause = PAUSES.0;
                    Word::Says(response)
                }
                Some(Err(status)) => Word::Broken(status),
                None => Word::Broken(Status::unavailable("the master ended the Join stream")),
            },
        }
    }

    /// Joins again after a pause, as the node that it was if it holds something.
    pub(crate) fn rejoin(&mut self, held: Option<Held>, secret: Secret) {
        self.config.secret = secret;
        if held.is_none() {
            self.incarnation = rand::random();
        }
        // Jitter, so that a thousand nodes do not come back as one.
        let pause = self.pause.mul_f64(rand::rng().random_range(0.5..1.0));
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.state = self.joining(held, pause);
    }

    /// Says something to the master, unless it has stopped reading.
    pub(crate) fn say(&self, request: Request) {
        if let State::Joined(joined) = &self.state {
            let _ = joined.requests.try_send(wrap(request));
        }
    }

    /// Says the last word and waits until the master has read it, for at most
    /// `patience`.
    pub(crate) async fn leave(self, patience: Duration) {
        let State::Joined(joined) = self.state else {
            return;
        };
        let Joined {
            requests,
            mut responses,
            registry: _registry,
        } = joined;
        let end = async move {
            let leave = Request::Leave(protocol::v1::Leave {});
            let _ = requests.send(wrap(leave)).await;
            drop(requests);
            while let Some(Ok(_)) = responses.next().await {}
        };
        let _ = timeout(patience, end).await;
    }

    fn joining(&self, held: Option<Held>, pause: Duration) -> State {
        let hello = Hello {
            name: self.config.name.to_string(),
            role: self.config.role.into(),
            incarnation: self.incarnation,
            address: self.config.address.clone(),
            methods: self.methods.clone(),
            secret: self.config.secret.expose().to_owned(),
            build: self.config.build.clone(),
            held,
        };
        let (uplink, connector) = (self.config.uplink.clone(), self.connector.clone());
        let joining = async move {
            sleep(pause).await;
            let (requests_tx, requests_rx) = mpsc::channel(QUEUE);
            // A queue that was made a moment ago has room.
            let _ = requests_tx.try_send(wrap(Request::Hello(hello)));
            let (responses, registry) = match uplink {
                Uplink::Local(broker) => (broker.join(requests_rx), None),
                Uplink::Remote(address) => {
                    let channel = step(
                        STEP,
                        connector.connect(&address.to_string(), &crate::master()),
                    )
                    .await?;
                    let mut registry =
                        RegistryClient::new(channel).max_decoding_message_size(MAX_DIRECTORY_BYTES);
                    let join = registry.join(ReceiverStream::new(requests_rx));
                    let responses = step(ADMISSION, join).await?.into_inner();
                    (responses.boxed(), Some(registry))
                }
            };
            Ok(Joined {
                requests: requests_tx,
                responses,
                registry,
            })
        };
        State::Joining(joining.boxed())
    }
}

async fn step<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    timeout(patience, pin!(work)).await.unwrap_or_else(|_| {
        Err(Status::deadline_exceeded(
            "the master did not answer in time",
        ))
    })
}

fn wrap(request: Request) -> JoinRequest {
    JoinRequest {
        request: Some(request),
    }
}
