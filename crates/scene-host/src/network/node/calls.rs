//! Calls of services: those of the script go out, those of other nodes come in.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Waker},
};

use bytes::Bytes;
use ffrpc::{Node, NodeRecord, Request};
use protocol::{CallError, ErrorKind, NodeId, method, v1::Role};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::{Answer, Asked, Call, Callee, Closed, Event, Inbox, Wanted, network::peers::Peers};

/// Has the script answer a call of one of its services.
pub(super) fn answer_service(
    inbox: Arc<Inbox>,
    method: &str,
    request: Request,
) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
    let cmd = read_cmd(method).ok_or_else(|| {
        let prefix = method::SERVICE;
        let message = format!("services are {prefix}0 to {prefix}65535, not {method}");
        CallError::new(ErrorKind::Unimplemented, message)
    });
    async move {
        let hops = request.origin.as_ref().map_or(0, |origin| origin.hops);
        ask_script(&inbox, cmd?, request, hops).await
    }
}

/// The command of a service, as it stands in its method's name.
fn read_cmd(method: &str) -> Option<u16> {
    let digits = method.strip_prefix(method::SERVICE)?;
    // One name for each: `+7` and `007` would be read, too.
    let cmd: u16 = digits.parse().ok()?;
    (cmd.to_string() == digits).then_some(cmd)
}

async fn ask_script(
    inbox: &Inbox,
    cmd: u16,
    request: Request,
    hops: u32,
) -> Result<Bytes, CallError> {
    let (answer_tx, answer_rx) = oneshot::channel();
    let event = Event::Request(Box::new(crate::Request {
        cmd,
        body: request.body,
        deadline: request.deadline.into_std(),
        source: request.source,
        origin: request.origin,
        hops,
        answer: answer_tx,
    }));
    inbox.push(event).map_err(|closed| {
        let kind = match closed {
            Closed::Stopping => ErrorKind::Unavailable,
            Closed::Full | Closed::Overloaded => ErrorKind::Overloaded,
        };
        CallError::new(kind, closed.to_string())
    })?;
    let stopping = |_| CallError::new(ErrorKind::Unavailable, "the scene is stopping");
    answer_rx.await.map_err(stopping)?
}

/// Begins a call of the script: it is sent before those that are begun later.
pub(super) fn begin_call(node: &Node, inbox: &Arc<Inbox>, call: Call) {
    let (node, scene, asked) = (node.clone(), inbox.clone(), call.asked.clone());
    let work = async move {
        let called = match &call.callee {
            Callee::Node(name) if name == node.name() => call_self(&node, &scene, call).await,
            _ => call_other(&node, call).await,
        };
        Answer::Called(called)
    };
    begin(asked.answer(inbox.clone(), work));
}

/// Answers what the directory says of a node.
pub(super) fn begin_find(
    node: &Node,
    peers: &Arc<Peers>,
    inbox: &Arc<Inbox>,
    wanted: Wanted,
    asked: Asked,
) {
    let (node, peers) = (node.clone(), peers.clone());
    let work = async move { Answer::Found(Ok(find(&node, &peers, wanted).await)) };
    begin(asked.answer(inbox.clone(), work));
}

/// Does what can be done at once, and the rest in a task of its own. That ends by
/// itself: at the call's deadline, or when the script has ended.
fn begin(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    // The task polls it again before it waits for anything.
    let mut context = Context::from_waker(Waker::noop());
    if work.as_mut().poll(&mut context).is_pending() {
        tokio::spawn(work);
    }
}

async fn call_other(node: &Node, call: Call) -> Result<Bytes, CallError> {
    if node.id().is_none() {
        let message = "this scene is not in its group at the moment";
        return Err(CallError::new(ErrorKind::Unavailable, message));
    }
    let (body, wait) = (call.body, call.timeout);
    let method = format!("{}{}", method::SERVICE, call.cmd);
    match call.callee {
        Callee::Node(name) => {
            node.call_within(node.find(&name)?, method, body, wait)
                .await
        }
        Callee::Group(group, name) => {
            let group = node.group(group).hops(call.hops);
            let group = match name {
                Some(name) => group.service(name),
                None => group,
            };
            group.call_within(method, body, wait).await
        }
    }
}

/// What a scene calls of itself does not leave it.
async fn call_self(node: &Node, inbox: &Inbox, call: Call) -> Result<Bytes, CallError> {
    let deadline = Instant::now() + call.timeout;
    let request = Request {
        source: node.id().unwrap_or(NodeId::BROKER),
        origin: None,
        body: call.body,
        deadline,
    };
    let answering = ask_script(inbox, call.cmd, request, call.hops);
    let answered = timeout_at(deadline, answering).await;
    answered.unwrap_or_else(|_| {
        let message = "no answer came in time";
        Err(CallError::new(ErrorKind::DeadlineExceeded, message))
    })
}

async fn find(node: &Node, peers: &Peers, wanted: Wanted) -> Option<Arc<NodeRecord>> {
    let word = match wanted {
        Wanted::Named(name) => return peers.record(&name),
        Wanted::OfRole(word) => word,
    };
    let role = match word.as_str() {
        "gate" => Role::Gate,
        "scene" => Role::Scene,
        // The master counts newcomers by what nodes are, and not by how they are
        // called.
        word => return peers.least_loaded(word),
    };
    let id = node.least_loaded(role).await.ok()?;
    node.record(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_name() {
        for (method, cmd) in [
            ("service.0", Some(0)),
            ("service.65535", Some(65_535)),
            ("service.65536", None),
            ("service.+7", None),
            ("service.007", None),
            ("service.", None),
            ("session.verify", None),
        ] {
            assert_eq!(read_cmd(method), cmd, "{method}");
        }
    }
}
