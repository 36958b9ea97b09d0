//! The task of a node: it joins, follows the directory, reads the link, and
//! joins again when the group is lost.
//!
//! One task does all of it in turn. So what the directory says and what the
//! link brings are handled one after the other: a handler that has been told
//! that a node is gone never sees another message of it.

use std::{
    ops::ControlFlow,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::BoxStream};
use protocol::{
    NodeId,
    v1::{
        Hello, JoinRequest, JoinResponse, Leave, Report, Resync, join_request::Request,
        join_response::Response, registry_client::RegistryClient,
    },
};
use rand::RngExt;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tracing::{Instrument, debug, info, info_span, warn};

use crate::{
    config::Uplink,
    dispatch,
    link::{LinkReceiver, LinkSender, open_remote},
    node::{Linked, Shared},
    replica::ReplicaChange,
    services::NodeEvent,
};

/// How often a node reports, which renews its lease; more often where a lease
/// is short, so that a late report or two cost nobody the lease.
const REPORT: Duration = Duration::from_secs(1);
const REPORTS_PER_LEASE: u32 = 4;
/// A master that gives no lease worth the name is not reported to all the time.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);
/// How long any one step of joining may take.
const STEP: Duration = Duration::from_secs(5);
/// How long a node that leaves waits for its link to run dry.
const FLUSH: Duration = Duration::from_secs(1);
/// The first and the longest pause between two attempts to join.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// HTTP/2's own probe of a connection on which nothing moves.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));
/// Fewer, larger frames from the broker, as it takes them itself. With bodies of
/// 1 KiB that saved it between nothing and a quarter of its CPU.
const MAX_FRAME_BYTES: u32 = 256 << 10;

/// A Join stream and its link, open.
struct Member {
    id: NodeId,
    lease: Duration,
    requests: mpsc::Sender<JoinRequest>,
    responses: BoxStream<'static, Result<JoinResponse, Status>>,
    sender: LinkSender,
    receiver: LinkReceiver,
}

/// Joins, and joins again, until the node is told to leave.
pub(crate) async fn run(shared: Arc<Shared>) {
    let span = info_span!("node", name = %shared.config.name);
    let stop = shared.stop.clone();
    async {
        let mut pause = PAUSES.0;
        loop {
            match stop.run_until_cancelled(join(&shared)).await {
                None => return,
                Some(Err(status)) => refused(&shared, &status),
                Some(Ok(member)) => {
                    pause = PAUSES.0;
                    let flow = live(&shared, member).await;
                    shared.set_lost();
                    shared.services.tell(NodeEvent::Lost);
                    match flow {
                        ControlFlow::Break(()) => return,
                        ControlFlow::Continue(status) => {
                            warn!(reason = status.message(), "group lost");
                        }
                    }
                }
            }
            // Jitter, so that a thousand nodes do not come back as one.
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.0));
            if stop.run_until_cancelled(sleep(jittered)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }
    .instrument(span)
    .await;
}

/// Joins once: Join stream, welcome, link.
async fn join(shared: &Arc<Shared>) -> Result<Member, Status> {
    let config = &shared.config;
    let (requests_tx, requests_rx) = mpsc::channel(16);
    let hello = Hello {
        name: config.name.to_string(),
        role: config.role.into(),
        incarnation: rand::random(),
        address: String::new(),
        methods: shared.services.methods(),
        secret: config.secret.expose().to_owned(),
        build: config.build.clone(),
    };
    // A queue that was made a moment ago has room.
    let _ = requests_tx.try_send(request(Request::Hello(hello)));

    let (mut responses, channel) = match &config.uplink {
        Uplink::Local(broker) => (broker.join(requests_rx), None),
        Uplink::Remote(address) => {
            let channel = connect(&format!("http://{address}")).await?;
            let responses =
                step(RegistryClient::new(channel.clone()).join(ReceiverStream::new(requests_rx)))
                    .await?
                    .into_inner();
            (responses.boxed(), Some(channel))
        }
    };
    let Some(Response::Welcome(welcome)) = step(next(&mut responses)).await?.response else {
        return Err(Status::internal("the master's first word was no welcome"));
    };
    let (sender, receiver) = match (&config.uplink, channel) {
        (_, Some(channel)) => {
            step(open_remote(channel, welcome.token, config.outbox_bytes)).await?
        }
        (Uplink::Local(broker), None) => {
            let link = broker.open(&welcome.token)?;
            (
                LinkSender::Memory(link.sink),
                LinkReceiver::Memory(link.queue),
            )
        }
        (Uplink::Remote(_), None) => return Err(Status::internal("no channel to the master")),
    };
    Ok(Member {
        id: NodeId::from_u64(welcome.node_id),
        lease: Duration::from_millis(welcome.lease_ms.into()),
        requests: requests_tx,
        responses,
        sender,
        receiver,
    })
}

/// Lives as a member until the group is lost, and says why, or until the node
/// is told to leave.
async fn live(shared: &Arc<Shared>, mut member: Member) -> ControlFlow<(), Status> {
    let mut reports = shared.report.subscribe();
    let period = REPORT.min(member.lease / REPORTS_PER_LEASE);
    let mut ticks = interval(period.max(SHORTEST_PERIOD));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ready = false;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => {
                leave(member).await;
                return ControlFlow::Break(());
            }
            response = next(&mut member.responses) => match response {
                Ok(response) => {
                    if !ready && matches!(response.response, Some(Response::Snapshot(_))) {
                        ready = true;
                        info!(id = %member.id, "joined");
                        shared.services.tell(NodeEvent::Joined(member.id));
                        follow(shared, &member, response);
                        shared.set_linked(Linked { id: member.id, sender: member.sender.clone() });
                        ticks.reset_immediately();
                    } else {
                        follow(shared, &member, response);
                    }
                }
                Err(status) => return ControlFlow::Continue(status),
            },
            arrived = member.receiver.next() => match arrived {
                Ok(Some(arrived)) => dispatch::dispatch_all(shared, arrived),
                Ok(None) => return ControlFlow::Continue(Status::unavailable("the broker closed the link")),
                Err(status) => return ControlFlow::Continue(status),
            },
            _ = ticks.tick(), if ready => report(shared, &member),
            changed = reports.changed(), if ready => {
                if changed.is_ok() {
                    report(shared, &member);
                }
            }
        }
    }
}

/// Takes in what the master says of the directory.
fn follow(shared: &Arc<Shared>, member: &Member, response: JoinResponse) {
    let changes = {
        let mut replica = shared
            .replica
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match response.response {
            Some(Response::Snapshot(snapshot)) => replica.reset(snapshot),
            Some(Response::Delta(delta)) => match replica.apply(delta) {
                Ok(change) => change.into_iter().collect(),
                Err(gap) => {
                    debug!(?gap, "directory missed a revision");
                    // Without room for it now, the next delta asks again.
                    let _ = member
                        .requests
                        .try_send(request(Request::Resync(Resync {})));
                    Vec::new()
                }
            },
            Some(Response::Welcome(_)) | None => Vec::new(),
        }
    };
    for change in changes {
        match change {
            ReplicaChange::Upserted(record) => shared.services.tell(NodeEvent::Upserted(record)),
            ReplicaChange::Removed(id) => {
                shared.end_calls_to(id);
                shared.services.tell(NodeEvent::Removed(id));
            }
        }
    }
}

/// Reports where the node stands. A master that does not read gets fewer
/// reports, and in the end finds the node silent.
fn report(shared: &Shared, member: &Member) {
    let report = Report {
        load: shared.load.load(Ordering::Relaxed),
        ..shared.report.borrow().clone()
    };
    let _ = member.requests.try_send(request(Request::Report(report)));
}

/// Lets the link run dry, then says good-bye.
async fn leave(mut member: Member) {
    member.sender.close();
    let dry = async { while let Ok(Some(_)) = member.receiver.next().await {} };
    let _ = timeout(FLUSH, dry).await;
    let leave = member.requests.send(request(Request::Leave(Leave {})));
    let _ = timeout(FLUSH, leave).await;
    drop(member.requests);
    // The stream ends when the master has read the word.
    let end = async { while next(&mut member.responses).await.is_ok() {} };
    let _ = timeout(FLUSH, end).await;
    info!("left the group");
}

fn refused(shared: &Shared, status: &Status) {
    let (master, reason) = (&shared.config.uplink, status.message());
    match status.code() {
        // Only the operator can help: say it where it is seen.
        Code::Unauthenticated | Code::AlreadyExists | Code::InvalidArgument => {
            warn!(
                ?master,
                reason, "the master refuses this node, trying again"
            );
        }
        _ => info!(
            ?master,
            reason, "the master cannot be reached, trying again"
        ),
    }
}

async fn connect(address: &str) -> Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(address.to_owned())
        .map_err(|error| Status::internal(error.to_string()))?
        .tcp_nodelay(true)
        .max_frame_size(MAX_FRAME_BYTES)
        .connect_timeout(STEP)
        .keep_alive_while_idle(true)
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1);
    endpoint.connect().await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Status::unavailable(cause.unwrap_or_else(|| error.to_string()))
    })
}

async fn next(
    responses: &mut BoxStream<'static, Result<JoinResponse, Status>>,
) -> Result<JoinResponse, Status> {
    match responses.next().await {
        Some(response) => response,
        None => Err(Status::unavailable("the master ended the Join stream")),
    }
}

async fn step<T>(work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    timeout(STEP, work).await.unwrap_or_else(|_| {
        Err(Status::deadline_exceeded(
            "the master did not answer in time",
        ))
    })
}

fn request(request: Request) -> JoinRequest {
    JoinRequest {
        request: Some(request),
    }
}
