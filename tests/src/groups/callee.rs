//! Nodes that answer what other groups call, and count what came.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, Services};

use crate::Cluster;

/// Answers with what it was sent.
pub const ECHO_METHOD: &str = "across.echo";
/// The same, half a second later.
pub const WAIT_METHOD: &str = "across.wait";
/// Answers with as many bytes as the number says that it was sent.
pub const LARGE_METHOD: &str = "across.large";

/// How long [`WAIT_METHOD`] takes.
const LATER: Duration = Duration::from_millis(500);

/// Nodes of one group, in this process. All of them count together.
pub struct Callees {
    nodes: Vec<Node>,
    came: Arc<Came>,
}

/// How often each message has come, and how many to each node.
#[derive(Debug, Default)]
struct Came {
    messages: Mutex<HashMap<Bytes, u32>>,
    by_node: Mutex<HashMap<String, u64>>,
}

impl Callees {
    /// So many nodes `callee@0`, `callee@1`, … join.
    pub async fn join(cluster: &Cluster, count: u32) -> Callees {
        let came: Arc<Came> = Arc::default();
        let mut nodes = Vec::new();
        for index in 0..count {
            let name = format!("callee@{index}");
            nodes.push(cluster.node(&name, services(&name, &came)).await);
        }
        Callees { nodes, came }
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How often this message has come.
    pub fn times(&self, message: &[u8]) -> u32 {
        let messages = self.came.messages.lock();
        let messages = messages.unwrap_or_else(PoisonError::into_inner);
        messages.get(message).copied().unwrap_or(0)
    }

    /// How many messages have come to a node.
    pub fn came_to(&self, name: &str) -> u64 {
        let by_node = self.came.by_node.lock();
        let by_node = by_node.unwrap_or_else(PoisonError::into_inner);
        by_node.get(name).copied().unwrap_or(0)
    }

    /// How many messages have come, and how many of them more than once.
    pub fn came(&self) -> (usize, usize) {
        let messages = self.came.messages.lock();
        let messages = messages.unwrap_or_else(PoisonError::into_inner);
        let again = messages.values().filter(|times| **times > 1).count();
        (messages.len(), again)
    }
}

impl Came {
    fn count(&self, name: &str, message: &Bytes) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        *messages.entry(message.clone()).or_default() += 1;
        let mut by_node = self.by_node.lock().unwrap_or_else(PoisonError::into_inner);
        *by_node.entry(name.to_owned()).or_default() += 1;
    }
}

fn services(name: &str, came: &Arc<Came>) -> Services {
    let counting = || {
        let (name, came) = (name.to_owned(), Arc::clone(came));
        move |message: &Bytes| came.count(&name, message)
    };
    let (echoed, waited) = (counting(), counting());
    Services::new()
        .serve(ECHO_METHOD, move |request| {
            echoed(&request.body);
            async move { Ok(request.body) }
        })
        .serve(WAIT_METHOD, move |request| {
            waited(&request.body);
            async move {
                tokio::time::sleep(LATER).await;
                Ok(request.body)
            }
        })
        .serve(LARGE_METHOD, move |request| async move {
            let length = String::from_utf8_lossy(&request.body).parse().unwrap_or(0);
            Ok(vec![b'x'; length].into())
        })
}
