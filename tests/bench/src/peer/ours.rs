//! Our broker as programs use it: nodes of the node runtime, which keep the
//! directory, watch deadlines and run a task for each request.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use ffrpc::{Message, Node, NodeConfig, Services, Uplink};
use protocol::{CallError, GroupName, NodeId, NodeName, v1::Role};
use tokio::{sync::mpsc, time::timeout};

use super::Running;
use crate::{
    job::{Job, SET_UP},
    load::{Arrivals, Meter, slot_body, slot_of},
    shapes::Load,
};

const ECHO: &str = "bench.echo";
const ROUND: &str = "bench.round";
const ROUND_OVER: &str = "bench.round_over";

pub(super) async fn respond(job: &Job) -> Result<Running> {
    let nodes = match job.load {
        Load::Calls { .. } => vec![node(job, "responder", 0, echo())?],
        Load::FanOut {
            receivers,
            outstanding,
        } => {
            let arrivals = Arc::new(Arrivals::new(receivers, outstanding));
            (0..receivers)
                .map(|index| receiver(job, index, Arc::clone(&arrivals)))
                .collect::<Result<_>>()?
        }
    };
    ready(&nodes).await?;
    Ok(Running::Nodes { _nodes: nodes })
}

pub(super) async fn request(job: &Job, meter: &'static Meter) -> Result<Running> {
    let nodes = match job.load {
        Load::Calls {
            requesters,
            in_flight,
        } => {
            let nodes = (0..requesters)
                .map(|index| node(job, "requester", index, Services::new()))
                .collect::<Result<Vec<_>>>()?;
            ready(&nodes).await?;
            let body = slot_body(0, job.body);
            if let Some(group) = &job.other_group {
                let group: GroupName = group.parse()?;
                settled(&nodes, requesters).await?;
                for node in &nodes {
                    answered(node, &group, &body).await?;
                    for _ in 0..in_flight {
                        let call = call_across(node.clone(), group.clone(), body.clone(), meter);
                        tokio::spawn(call);
                    }
                }
                return Ok(Running::Nodes { _nodes: nodes });
            }
            settled(&nodes, requesters + 1).await?;
            for node in &nodes {
                let responder = find(node, "responder", 0).await?;
                for _ in 0..in_flight {
                    tokio::spawn(call(node.clone(), responder, body.clone(), meter));
                }
            }
            nodes
        }
        Load::FanOut {
            receivers,
            outstanding,
        } => {
            let (over_tx, over_rx) = mpsc::channel(outstanding);
            let services = Services::new().message(ROUND_OVER, move |message| {
                // A round is over once, so that there is room for all of them.
                let told = slot(&message).and_then(|slot| Ok(over_tx.try_send(slot)?));
                if let Err(error) = told {
                    meter.fail(error);
                }
            });
            let source = node(job, "source", 0, services)?;
            ready(std::slice::from_ref(&source)).await?;
            let mut destinations = Vec::with_capacity(receivers);
            for index in 0..receivers {
                destinations.push(find(&source, "receiver", index).await?);
            }
            let rounds = Rounds {
                source: source.clone(),
                destinations,
                bodies: (0..outstanding)
                    .map(|slot| slot_body(slot, job.body))
                    .collect(),
                meter,
            };
            tokio::spawn(rounds.run(over_rx));
            vec![source]
        }
    };
    Ok(Running::Nodes { _nodes: nodes })
}

/// One call in flight, always.
pub(crate) async fn call(node: Node, responder: NodeId, body: Bytes, meter: &'static Meter) {
    loop {
        let begun = Instant::now();
        let outcome = node.call(responder, ECHO, body.clone()).await;
        ended(begun, outcome, &body, meter).await;
    }
}

/// The same to whoever in another group answers.
async fn call_across(node: Node, group: GroupName, body: Bytes, meter: &'static Meter) {
    loop {
        let begun = Instant::now();
        let outcome = node.group(group.clone()).call(ECHO, body.clone()).await;
        ended(begun, outcome, &body, meter).await;
    }
}

async fn ended(
    begun: Instant,
    outcome: Result<Bytes, CallError>,
    body: &Bytes,
    meter: &'static Meter,
) {
    match outcome {
        Ok(answer) if answer.len() == body.len() => meter.record(begun.elapsed()),
        Ok(answer) => meter.fail(format_args!("an answer of {} bytes", answer.len())),
        Err(error) => {
            meter.fail(error);
            // What fails at once would otherwise fail for ever, and
            // nothing else would have its turn.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Waits until the other group answers: a bridge joins both, and has heard of the
/// responder.
async fn answered(node: &Node, group: &GroupName, body: &Bytes) -> Result<()> {
    let mut last = None;
    let asking = async {
        loop {
            match node.group(group.clone()).call(ECHO, body.clone()).await {
                Ok(_) => return,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match timeout(SET_UP, asking).await {
        Ok(()) => Ok(()),
        Err(_) => bail!("{group} does not answer: {last:?}"),
    }
}

/// The source of a fan-out.
struct Rounds {
    source: Node,
    destinations: Vec<NodeId>,
    /// One for each round that may be outstanding.
    bodies: Vec<Bytes>,
    meter: &'static Meter,
}

impl Rounds {
    async fn run(self, mut over_rx: mpsc::Receiver<usize>) {
        let mut begun = vec![Instant::now(); self.bodies.len()];
        for slot in 0..self.bodies.len() {
            self.send(slot);
        }
        while let Some(slot) = over_rx.recv().await {
            let now = Instant::now();
            self.meter.record(now - begun[slot]);
            begun[slot] = now;
            self.send(slot);
        }
    }

    fn send(&self, slot: usize) {
        for destination in &self.destinations {
            let body = &self.bodies[slot];
            if let Err(error) = self.source.notify(*destination, ROUND, body.clone()) {
                self.meter.fail(error);
            }
        }
    }
}

fn receiver(job: &Job, index: usize, arrivals: Arc<Arrivals>) -> Result<Node> {
    let own: Arc<OnceLock<Node>> = Arc::default();
    let services = Services::new().message(ROUND, {
        let own = Arc::clone(&own);
        move |message| {
            if let Ok(slot) = slot(&message)
                && arrivals.arrived(slot)
                && let Some(node) = own.get()
            {
                // If this is refused the slot stands still, which is seen.
                let _ = node.notify(message.source, ROUND_OVER, slot_body(slot, 0));
            }
        }
    });
    let node = node(job, "receiver", index, services)?;
    let _ = own.set(node.clone());
    Ok(node)
}

/// The slot in a message.
fn slot(message: &Message) -> Result<usize> {
    slot_of(&message.body)
}

pub(crate) fn echo() -> Services {
    Services::new().serve(ECHO, |request| async move { Ok(request.body) })
}

fn node(job: &Job, role: &str, index: usize, services: Services) -> Result<Node> {
    join(Uplink::Remote(job.broker), role, index, services)
}

/// A node that joins by `uplink`.
pub(crate) fn join(uplink: Uplink, role: &str, index: usize, services: Services) -> Result<Node> {
    let config = NodeConfig {
        name: name(role, index)?,
        role: Role::Service,
        uplink,
        ..NodeConfig::default()
    };
    Ok(Node::join(config, services))
}

fn name(role: &str, index: usize) -> Result<NodeName> {
    Ok(format!("{role}@{index}").parse()?)
}

pub(crate) async fn ready(nodes: &[Node]) -> Result<()> {
    let all = async {
        for node in nodes {
            node.ready().await;
        }
    };
    timeout(SET_UP, all)
        .await
        .context("the nodes did not get into the group")
}

/// Waits until each of `nodes` knows of all the group, so that the news of who
/// joined is no part of the load.
pub(crate) async fn settled(nodes: &[Node], group: usize) -> Result<()> {
    let all = async {
        for node in nodes {
            while node.with_role(Role::Service).len() < group {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    timeout(SET_UP, all)
        .await
        .context("the directory did not settle")
}

/// The other side was ready before this one began, so that the directory has
/// it, if not at the first look.
pub(crate) async fn find(node: &Node, role: &str, index: usize) -> Result<NodeId> {
    let name = name(role, index)?;
    let found = async {
        loop {
            match node.resolve(&name) {
                Some(id) => return id,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    timeout(SET_UP, found)
        .await
        .with_context(|| format!("there is no {name} in the group"))
}
