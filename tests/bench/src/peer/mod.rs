//! The ways to put a load on a broker.

mod link;
mod nats;
pub(crate) mod ours;

use std::future::pending;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{job::Job, load::Meter};

/// A broker, and the client that speaks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Peer {
    /// Our broker, with nodes as programs have them
    Ours,
    /// Our broker, with bare clients
    Link,
    /// NATS core, with bare clients
    Nats,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ours => "ours",
            Peer::Link => "link",
            Peer::Nats => "nats",
        }
    }
}

/// What puts load on a broker, or answers it, for as long as it is kept.
pub(crate) enum Running {
    /// They take care of themselves; what fails is counted.
    Nodes { _nodes: Vec<ffrpc::Node> },
    /// Bare clients, each of which ends only when something is wrong.
    Clients(Clients),
}

/// The tasks of bare clients.
type Clients = JoinSet<Result<()>>;

impl Running {
    /// Waits until the load is over, which it never should be.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        let ended = match self {
            Running::Nodes { .. } => pending().await,
            Running::Clients(clients) => clients.join_next().await,
        };
        match ended {
            Some(Ok(Err(error))) => error,
            Some(Err(panic)) => panic.into(),
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("the broker closed a connection"),
        }
    }
}

/// Takes the load, from when it returns.
pub(crate) async fn respond(job: &Job) -> Result<Running> {
    match job.peer {
        Peer::Ours => ours::respond(job).await,
        Peer::Link => link::respond(job).await,
        Peer::Nats => nats::respond(job).await,
    }
}

/// Puts the load on, from when it returns.
pub(crate) async fn request(job: &Job, meter: &'static Meter) -> Result<Running> {
    match job.peer {
        Peer::Ours => ours::request(job, meter).await,
        Peer::Link => link::request(job, meter).await,
        Peer::Nats => nats::request(job, meter).await,
    }
}
