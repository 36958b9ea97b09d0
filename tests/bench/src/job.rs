//! What one side of a load is told, and what it reports.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{peer::Peer, shapes::Load};

/// Everything that a process on one side of a load has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) side: Side,
    pub(crate) peer: Peer,
    pub(crate) broker: SocketAddr,
    pub(crate) load: Load,
    /// Bytes of each body.
    pub(crate) body: usize,
    pub(crate) warm_up: Duration,
    pub(crate) seconds: Duration,
    /// The processes whose CPU time is the broker's: in both groups, where it is two.
    pub(crate) broker_pids: Vec<u32>,
    /// The bridge between them.
    pub(crate) bridge_pid: Option<u32>,
    /// The group of the responder, where it is another one than the requester's.
    pub(crate) other_group: Option<String>,
    /// The other side's process, which the requester watches too.
    pub(crate) responder_pid: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    /// Answers, or receives. Says [`READY`] and goes on until it is ended.
    Responder,
    /// Calls, or sends; measures, prints a [`Measured`] as JSON and ends.
    Requester,
}

/// What a responder prints when it takes load.
pub(crate) const READY: &str = "ready";

/// How long a side may take until its nodes are in.
pub(crate) const SET_UP: Duration = Duration::from_secs(60);

/// What was seen in the measured interval.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Calls that ended, or messages that arrived, a second.
    pub(crate) rate: f64,
    /// Latencies of a call or of a whole round, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// CPU microseconds of the broker for each call or delivery.
    pub(crate) broker_cpu: f64,
    /// The same of the bridge, where there is one.
    pub(crate) bridge_cpu: f64,
    /// CPU microseconds of both sides for each call or delivery.
    pub(crate) sides_cpu: f64,
    /// Calls and messages that failed, warm-up included.
    pub(crate) failures: u64,
}

impl Job {
    /// After so long something is wrong, and the side ends itself.
    pub(crate) fn limit(&self) -> Duration {
        SET_UP + self.warm_up + self.seconds + Duration::from_secs(10)
    }
}
