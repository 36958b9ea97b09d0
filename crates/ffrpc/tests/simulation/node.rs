//! A node: its calls, and what it believes of the brokers.

use std::time::Duration;

use ffrpc::{CallId, Calls, channel::Routes};
use protocol::NodeId;

use crate::broker::Broker;

/// A node, without its ends of pairs.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) alive: bool,
    /// It does not read its links.
    pub(crate) stalled: bool,
    /// By broker: the link is open, and the directory says that it is ready.
    pub(crate) linked: Vec<bool>,
    pub(crate) ready: Vec<bool>,
    pub(crate) routes: Routes,
    /// The waiters are places in `calls_begun`.
    pub(crate) calls: Calls<usize>,
    pub(crate) calls_begun: Vec<Call>,
}

/// A call, from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) destination: usize,
    pub(crate) sequence: Option<u64>,
    pub(crate) ends: Vec<End>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Overloaded,
    Late,
    Cancelled,
    Gone,
}

pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

impl Node {
    pub(crate) fn new(id: NodeId) -> Self {
        Node {
            id,
            alive: true,
            stalled: false,
            linked: Vec::new(),
            ready: Vec::new(),
            routes: Routes::default(),
            calls: Calls::default(),
            calls_begun: Vec::new(),
        }
    }

    /// Looks at the links anew.
    pub(crate) fn update_routes(&mut self, brokers: &[Broker]) {
        self.routes = Routes::default();
        for (index, broker) in brokers.iter().enumerate() {
            match broker.id {
                _ if !self.linked[index] => {}
                ffrpc::channel::Broker::Master => self.routes.master = true,
                ffrpc::channel::Broker::Slave(id) if self.ready[index] => {
                    self.routes.slaves.push(id);
                }
                ffrpc::channel::Broker::Slave(_) => {}
            }
        }
    }
}
