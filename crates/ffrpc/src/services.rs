//! What a node answers to.

use std::{
    collections::HashMap,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use metrics::counter;

use protocol::{
    CallError, ErrorKind, NodeId,
    v1::{Exports, Loads},
};
use tokio::time::Instant;
use tracing::error;

use crate::{
    crossing::{Origin, Responder, Transit},
    replica::NodeRecord,
};

/// A notify or control that arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who sent it.
    pub source: NodeId,
    /// What it says.
    pub body: Bytes,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub source: NodeId,
    /// What it asks.
    pub body: Bytes,
    /// When the caller stops waiting; the handler is dropped then.
    pub deadline: Instant,
    /// Where it has come from, if another group makes it.
    pub origin: Option<Arc<Origin>>,
}

/// What happens to the node in its group.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// It has joined, under this id. The nodes that are there follow.
    Joined(NodeId),
    /// A node is new, or this is its record now.
    Upserted(Arc<NodeRecord>),
    /// A node is gone; nothing of it follows.
    Removed(NodeId),
    /// A broker has no link to the node: its process has ended and its lease has
    /// not, or its links are broken. What is sent to it waits, and is lost if the
    /// node is gone in the end; who can, holds it back.
    Unreachable(NodeId),
    /// It has acknowledged something since.
    Reachable(NodeId),
    /// Bridges only: what other groups may call in this one.
    Exports(Arc<Exports>),
    /// Bridges only: how much these nodes carry. Their records say so by now.
    Loads(Arc<Loads>),
    /// It is out of the group and knows nobody any more: its lease has run out,
    /// or it leaves. It joins again by itself, as a new node. A master or a
    /// broker that goes away is no such loss.
    Lost,
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send>>;
type RequestHandler = Box<dyn Fn(Request) -> Answer + Send + Sync>;
type FamilyHandler = Box<dyn Fn(&str, Request) -> Answer + Send + Sync>;
type MessageHandler = Box<dyn Fn(Message) + Send + Sync>;
type TransitHandler = Box<dyn Fn(Transit, Responder) + Send + Sync>;
type EventHandler = Box<dyn Fn(NodeEvent) + Send + Sync>;

/// The methods that a node offers, and who hears of its fate.
///
/// Everything begins on the task that reads the links, one after the other, in
/// the order in which it came: no handler may block. A request's handler that
/// has to wait goes on in a task of its own from its first `await` that is not
/// done at once; messages and events are over when their handlers return.
#[derive(Default)]
pub struct Services {
    requests: HashMap<&'static str, RequestHandler>,
    families: Vec<(&'static str, FamilyHandler)>,
    messages: HashMap<&'static str, MessageHandler>,
    transit: Option<TransitHandler>,
    events: Option<EventHandler>,
}

impl Services {
    /// Nothing yet.
    pub fn new() -> Self {
        Services::default()
    }

    /// Answers the requests of `method` with `handler`.
    ///
    /// The handler is dropped at the request's deadline, and when the node
    /// leaves.
    pub fn serve<F, A>(mut self, method: &'static str, handler: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
    {
        let handler: RequestHandler = Box::new(move |request| Box::pin(handler(request)));
        self.requests.insert(method, handler);
        self
    }

    /// Answers the requests of every method that begins with `prefix`, and that
    /// nobody serves by its whole name, with `handler`, which is told the method.
    /// Of two prefixes that fit, the longer one counts. What the handler does not
    /// know, it answers with the error `Unimplemented`.
    ///
    /// The directory shows the family as one method: `prefix` and a `*`.
    pub fn serve_prefix<F, A>(mut self, prefix: &'static str, handler: F) -> Self
    where
        F: Fn(&str, Request) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
    {
        let handler: FamilyHandler =
            Box::new(move |method, request| Box::pin(handler(method, request)));
        self.families.push((prefix, handler));
        self
    }

    /// [`serve`](Self::serve) with protobuf messages: `handler` gets the caller
    /// and what it asks. What is no `Q` is answered with the error `Handler`.
    pub fn serve_message<Q, R, F, A>(self, method: &'static str, handler: F) -> Self
    where
        Q: prost::Message + Default + 'static,
        R: prost::Message + 'static,
        F: Fn(NodeId, Q) -> A + Send + Sync + 'static,
        A: Future<Output = Result<R, CallError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.serve(method, move |request| {
            let handler = Arc::clone(&handler);
            async move {
                let question = Q::decode(request.body).map_err(|error| {
                    CallError::new(
                        ErrorKind::Handler,
                        format!("the request cannot be read: {error}"),
                    )
                })?;
                let answer = handler(request.source, question).await?;
                Ok(answer.encode_to_vec().into())
            }
        })
    }

    /// Gives the notifies and controls of `method` to `handler`.
    pub fn message(
        mut self,
        method: &'static str,
        handler: impl Fn(Message) + Send + Sync + 'static,
    ) -> Self {
        self.messages.insert(method, Box::new(handler));
        self
    }

    /// Gives the requests that are for other groups to `handler`, as a bridge does.
    /// It begins on the task that reads the links and may not block; the answer may
    /// be given at any time and from anywhere.
    pub fn bridge(mut self, handler: impl Fn(Transit, Responder) + Send + Sync + 'static) -> Self {
        self.transit = Some(Box::new(handler));
        self
    }

    /// Tells `handler` what happens to the node in its group.
    pub fn events(mut self, handler: impl Fn(NodeEvent) + Send + Sync + 'static) -> Self {
        self.events = Some(Box::new(handler));
        self
    }

    /// The names of what can be requested, as the directory shows them.
    pub(crate) fn methods(&self) -> Vec<String> {
        let single = self.requests.keys().map(ToString::to_string);
        let families = self.families.iter().map(|(prefix, _)| format!("{prefix}*"));
        let mut methods: Vec<_> = single.chain(families).collect();
        methods.sort();
        methods
    }

    /// The handler's answer to a request, begun; `None` if there is no handler.
    pub(crate) fn answer(&self, method: &str, request: Request) -> Option<Answer> {
        if let Some(handler) = self.requests.get(method) {
            return Some(handler(request));
        }
        let families = self.families.iter();
        let fitting = families.filter(|(prefix, _)| method.starts_with(prefix));
        let (_, handler) = fitting.max_by_key(|(prefix, _)| prefix.len())?;
        Some(handler(method, request))
    }

    /// Whether the node passes on what is for other groups.
    pub(crate) fn is_bridge(&self) -> bool {
        self.transit.is_some()
    }

    pub(crate) fn pass_on(&self, transit: Transit, responder: Responder) {
        if let Some(handler) = &self.transit {
            guarded("transit", || handler(transit, responder));
        }
    }

    /// Whether somebody took the message.
    pub(crate) fn deliver(&self, method: &str, message: Message) -> bool {
        match self.messages.get(method) {
            Some(handler) => {
                guarded("message", || handler(message));
                true
            }
            None => false,
        }
    }

    pub(crate) fn tell(&self, event: NodeEvent) {
        if let Some(handler) = &self.events {
            guarded("event", || handler(event));
        }
    }
}

/// Runs a handler on the node's own task, which must not end with it.
pub(crate) fn guarded(kind: &'static str, handler: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(handler)).is_err() {
        counter!("redrabbit_node_panics_total", "handler" => kind).increment(1);
        error!(handler = kind, "handler panicked");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn named(services: &Services, method: &str) -> Option<Bytes> {
        let request = Request {
            source: NodeId::new(1, 1),
            body: Bytes::new(),
            deadline: Instant::now(),
            origin: None,
        };
        let answer = services.answer(method, request)?;
        Some(answer.now_or_never().unwrap().unwrap())
    }

    #[test]
    fn a_method_is_for_whoever_names_most_of_it() {
        let saying = |who: &'static str| {
            move |method: &str, _: Request| {
                let answer = format!("{who} {method}");
                async move { Ok(answer.into()) }
            }
        };
        let services = Services::new()
            .serve_prefix("a.", saying("short"))
            .serve_prefix("a.b.", saying("long"))
            .serve("a.b.c", async |_| Ok("whole".into()));
        for (method, answer) in [
            ("a.b.c", "whole"),
            ("a.b.d", "long a.b.d"),
            ("a.", "short a."),
            ("a.c", "short a.c"),
        ] {
            assert_eq!(named(&services, method).unwrap(), answer);
        }
        assert_eq!(named(&services, "a"), None);
        assert_eq!(services.methods(), ["a.*", "a.b.*", "a.b.c"]);
    }
}
