//! Our broker with bare clients: a link and a table of slots, as a client for
//! NATS is here. What the broker itself can do, without the node runtime's
//! deadlines, tasks and checks on either side.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use protocol::{
    Envelope, NodeId, batch,
    envelope::EnvelopeKind,
    link::{LinkClient, MAX_BATCH_BYTES, Outbox},
    token,
    v1::{
        Hello, JoinRequest, JoinResponse, NodeRecord, NodeState, Report, Role,
        join_request::Request, join_response::Response, registry_client::RegistryClient,
    },
};
use tokio::{sync::mpsc, time::interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, metadata::MetadataValue, transport::Endpoint};

use super::{Clients, Running};
use crate::{
    job::Job,
    load::{Arrivals, Meter, Slots, slot_body, slot_of},
    shapes::Load,
};

const ECHO: &str = "bench.echo";
const ROUND: &str = "bench.round";
const ROUND_OVER: &str = "bench.round_over";

/// As many bytes may wait for the broker.
const OUTBOX_BYTES: usize = 64 << 20;

/// As large are the frames that the broker may send, as to any node.
const MAX_FRAME_BYTES: u32 = 256 << 10;

pub(super) async fn respond(job: &Job) -> Result<Running> {
    let mut clients = Clients::new();
    match job.load {
        Load::Calls { .. } => {
            let client = Client::join(job, "responder", 0, &mut clients).await?;
            clients.spawn(client.answer());
        }
        Load::FanOut {
            receivers,
            outstanding,
        } => {
            let arrivals = Arc::new(Arrivals::new(receivers, outstanding));
            for index in 0..receivers {
                let client = Client::join(job, "receiver", index, &mut clients).await?;
                clients.spawn(client.receive(Arc::clone(&arrivals)));
            }
        }
    }
    Ok(Running::Clients(clients))
}

pub(super) async fn request(job: &Job, meter: &'static Meter) -> Result<Running> {
    let mut clients = Clients::new();
    match job.load {
        Load::Calls {
            requesters,
            in_flight,
        } => {
            let mut joined = Vec::new();
            for index in 0..requesters {
                joined.push(Client::join(job, "requester", index, &mut clients).await?);
            }
            for client in joined {
                clients.spawn(client.call(in_flight, slot_body(0, job.body), meter));
            }
        }
        Load::FanOut {
            receivers,
            outstanding,
        } => {
            let bodies = (0..outstanding)
                .map(|slot| slot_body(slot, job.body))
                .collect();
            let client = Client::join(job, "source", 0, &mut clients).await?;
            clients.spawn(client.send_rounds(receivers, bodies, meter));
        }
    }
    Ok(Running::Clients(clients))
}

/// A member of the group that is nothing but its streams.
struct Client {
    id: NodeId,
    outbox: Arc<Outbox>,
    batches: Streaming<Bytes>,
    directory: Vec<NodeRecord>,
}

impl Client {
    async fn join(job: &Job, role: &str, index: usize, clients: &mut Clients) -> Result<Client> {
        let channel = Endpoint::from_shared(format!("http://{}", job.broker))?
            .tcp_nodelay(true)
            .max_frame_size(MAX_FRAME_BYTES)
            .connect()
            .await?;
        let (requests_tx, requests_rx) = mpsc::channel(4);
        let hello = Hello {
            name: format!("{role}@{index}"),
            role: Role::Service.into(),
            incarnation: index as u64 + 1,
            ..Hello::default()
        };
        requests_tx.send(request_of(Request::Hello(hello))).await?;
        let mut responses = RegistryClient::new(channel.clone())
            .join(ReceiverStream::new(requests_rx))
            .await?
            .into_inner();
        let Some(Response::Welcome(welcome)) = next(&mut responses).await? else {
            bail!("the master's first word was no welcome");
        };
        let Some(Response::Snapshot(snapshot)) = next(&mut responses).await? else {
            bail!("the master's second word was no snapshot");
        };
        clients.spawn(stay(requests_tx, responses));

        let outbox = Outbox::new(OUTBOX_BYTES);
        let mut request = tonic::Request::new(outbox.stream());
        request
            .metadata_mut()
            .insert_bin(token::METADATA, MetadataValue::from_bytes(&welcome.token));
        let batches = LinkClient::new(channel)
            .max_decoding_message_size(MAX_BATCH_BYTES)
            .open(request)
            .await?
            .into_inner();
        Ok(Client {
            id: NodeId::from_u64(welcome.node_id),
            outbox,
            batches,
            directory: snapshot.nodes,
        })
    }

    /// Has `in_flight` calls under way, always.
    async fn call(mut self, in_flight: usize, body: Bytes, meter: &'static Meter) -> Result<()> {
        let responder = self.find("responder", 0)?;
        let request = |slot: usize| Envelope {
            // Number 0 is no call's.
            call_id: slot as u64 + 1,
            method: ECHO.into(),
            deadline_ms: 5000,
            body: body.clone(),
            ..Envelope::new(responder, self.id, EnvelopeKind::Request)
        };
        let mut slots = Slots::begin(in_flight, meter);
        for slot in 0..in_flight {
            push(&self.outbox, &request(slot))?;
        }
        self.outbox.wake();
        while let Some(batch) = self.batches.message().await? {
            for envelope in batch::envelopes(&batch) {
                let answer = envelope?;
                ensure!(
                    answer.kind == EnvelopeKind::Response && answer.body.len() == body.len(),
                    "a call was answered with {answer:?}"
                );
                let slot = (answer.call_id as usize).wrapping_sub(1);
                slots.turn(slot)?;
                push(&self.outbox, &request(slot))?;
            }
            self.outbox.wake();
        }
        Ok(())
    }

    /// Answers every request with its own body.
    async fn answer(mut self) -> Result<()> {
        while let Some(batch) = self.batches.message().await? {
            for envelope in batch::envelopes(&batch) {
                let request = envelope?;
                let answer = Envelope {
                    call_id: request.call_id,
                    body: request.body,
                    ..Envelope::new(request.source, self.id, EnvelopeKind::Response)
                };
                push(&self.outbox, &answer)?;
            }
            self.outbox.wake();
        }
        Ok(())
    }

    /// Has a round outstanding for each of `bodies`, always.
    async fn send_rounds(
        mut self,
        receivers: usize,
        bodies: Vec<Bytes>,
        meter: &'static Meter,
    ) -> Result<()> {
        let destinations = (0..receivers)
            .map(|index| self.find("receiver", index))
            .collect::<Result<Vec<_>>>()?;
        let send = |slot: usize| -> Result<()> {
            for destination in &destinations {
                let message = message(*destination, self.id, ROUND, bodies[slot].clone());
                push(&self.outbox, &message)?;
            }
            Ok(())
        };
        let mut slots = Slots::begin(bodies.len(), meter);
        for slot in 0..bodies.len() {
            send(slot)?;
        }
        self.outbox.wake();
        while let Some(batch) = self.batches.message().await? {
            for envelope in batch::envelopes(&batch) {
                let slot = slot_of(&envelope?.body)?;
                slots.turn(slot)?;
                send(slot)?;
            }
            self.outbox.wake();
        }
        Ok(())
    }

    /// Receives, and tells the source when a round is over.
    async fn receive(mut self, arrivals: Arc<Arrivals>) -> Result<()> {
        while let Some(batch) = self.batches.message().await? {
            for envelope in batch::envelopes(&batch) {
                let round = envelope?;
                let slot = slot_of(&round.body)?;
                if arrivals.arrived(slot) {
                    let over = message(round.source, self.id, ROUND_OVER, slot_body(slot, 0));
                    push(&self.outbox, &over)?;
                    self.outbox.wake();
                }
            }
        }
        Ok(())
    }

    /// The other side was ready before this one began, so that it is in the
    /// first snapshot.
    fn find(&self, role: &str, index: usize) -> Result<NodeId> {
        let name = format!("{role}@{index}");
        self.directory
            .iter()
            .find(|record| record.name == name)
            .map(|record| NodeId::from_u64(record.node_id))
            .with_context(|| format!("there is no {name} in the group"))
    }
}

/// Keeps a membership: reports, and reads what it is told.
async fn stay(
    requests_tx: mpsc::Sender<JoinRequest>,
    mut responses: Streaming<JoinResponse>,
) -> Result<()> {
    let mut ticks = interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let report = Report { state: NodeState::Ready.into(), ..Report::default() };
                // A master that is behind gets the next one.
                let _ = requests_tx.try_send(request_of(Request::Report(report)));
            }
            response = next(&mut responses) => drop(response?),
        }
    }
}

fn push(outbox: &Outbox, envelope: &Envelope) -> Result<()> {
    outbox.push(
        envelope.element_bytes(),
        envelope.kind.is_refusable(),
        |batch| envelope.write(batch),
    )?;
    Ok(())
}

fn message(destination: NodeId, source: NodeId, method: &'static str, body: Bytes) -> Envelope {
    Envelope {
        method: method.into(),
        body,
        ..Envelope::new(destination, source, EnvelopeKind::Notify)
    }
}

fn request_of(request: Request) -> JoinRequest {
    JoinRequest {
        request: Some(request),
    }
}

async fn next(responses: &mut Streaming<JoinResponse>) -> Result<Option<Response>> {
    match responses.message().await? {
        Some(response) => Ok(response.response),
        None => bail!("the master ended the Join stream"),
    }
}
