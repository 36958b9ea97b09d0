//! The scene's side of the network: messages of gates become events. Nothing is
//! decided here.

mod calls;
mod perform;
mod read;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Message, Node, NodeEvent, Request, Services};
use metrics::{counter, gauge};
use prost::Message as _;
use protocol::{
    CallError, ErrorKind, NodeId, NodeName, method,
    v1::{self, Role},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, interval, timeout, timeout_at},
};
use tracing::{debug, warn};

use self::calls::answer_service;
pub(crate) use self::perform::perform_actions;
use self::read::{
    Read, Reader, read_ended, read_enter, read_frame, read_leave, read_offline, read_report,
    read_stay,
};
use crate::{
    Closed, Event, Inbox, Outbox, ScriptHandle, ScriptStatus, Verdict, Verify,
    network::drain::Drains,
    network::fence::Fences,
    network::owner::{Claimed, Desk},
    network::peers::Peers,
};

/// How often the number of sessions is reported.
const REPORT_PERIOD: Duration = Duration::from_secs(1);

/// How long before the end of its time a verification is answered.
const ANSWER_MARGIN: Duration = Duration::from_millis(200);

/// How long a scene keeps the question waiting whether anything of a gate is
/// here: whoever asks asks again.
const FENCE_PATIENCE: Duration = Duration::from_secs(5);

/// Who takes what comes from the network.
#[derive(Clone)]
pub(crate) struct Takers {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) fences: Fences,
    pub(crate) drains: Arc<Drains>,
    pub(crate) script: ScriptHandle,
}

/// What the scene answers to.
pub(crate) fn services(takers: &Takers) -> Services {
    let services = Services::new()
        .serve(method::SESSION_VERIFY, {
            let takers = takers.clone();
            move |request| answer_verify(takers.clone(), request)
        })
        .serve(method::SESSION_FENCE, {
            let takers = takers.clone();
            move |request| answer_fence(takers.clone(), request)
        })
        .serve_message(method::NODE_DRAIN, {
            let drains = takers.drains.clone();
            move |_, request: v1::DrainRequest| {
                let answer = drains.request(&request.to_scene);
                async move { answer }
            }
        })
        .serve_message(method::NODE_RELOAD, {
            let script = takers.script.clone();
            move |_, request: v1::ReloadRequest| answer_reload(script.clone(), request.module)
        })
        .serve_prefix(method::SERVICE, {
            let inbox = takers.inbox.clone();
            move |method, request| answer_service(inbox.clone(), method, request)
        })
        .message(method::SESSION_ENTER, {
            let (inbox, peers) = (takers.inbox.clone(), takers.peers.clone());
            move |message| {
                if is_of_gate(&peers, method::SESSION_ENTER, &message) {
                    take_enter(&inbox, &peers, &message);
                }
            }
        })
        .message(method::OWNER_REPORT, {
            let (desk, peers) = (takers.desk.clone(), takers.peers.clone());
            move |message| {
                if is_of_gate(&peers, method::OWNER_REPORT, &message)
                    && let Some((held, complete)) =
                        readable(method::OWNER_REPORT, read_report(&message))
                {
                    peers.heard_of(message.source);
                    desk.report(message.source, held, complete);
                }
            }
        })
        .message(method::OWNER_ENDED, {
            let (desk, peers) = (takers.desk.clone(), takers.peers.clone());
            move |message| {
                if is_of_gate(&peers, method::OWNER_ENDED, &message)
                    && let Some(logins) = readable(method::OWNER_ENDED, read_ended(&message))
                {
                    desk.ended(message.source, logins);
                }
            }
        })
        .events({
            let takers = takers.clone();
            move |event| takers.follow(&event)
        });
    let readers: [(&'static str, Reader); 4] = [
        (method::SESSION_FRAME, read_frame),
        (method::SESSION_OFFLINE, read_offline),
        (method::SESSION_LEAVE, read_leave),
        (method::SESSION_STAY, read_stay),
    ];
    readers
        .into_iter()
        .fold(services, |services, (method, read)| {
            let inbox = takers.inbox.clone();
            services.message(method, move |message| take(&inbox, method, read(&message)))
        })
}

impl Takers {
    /// Something has happened in the group.
    fn follow(&self, event: &NodeEvent) {
        self.peers.follow(event);
        self.desk.follow(event);
        let event = match event {
            NodeEvent::Removed(node) => Event::GateGone(*node),
            NodeEvent::Lost => Event::GroupLost,
            _ => return,
        };
        // A scene that is ending has told its sessions already.
        let _ = self.inbox.push(event);
    }
}

fn forbidden(what: &str) -> CallError {
    CallError::new(ErrorKind::Forbidden, format!("only {what} ask for this"))
}

/// Why a client is not let in that the script has accepted.
fn out_of_time(takers: &Takers) -> CallError {
    let awaited = takers.desk.awaited().describe(&takers.peers);
    let reason = if awaited.is_empty() {
        "an older login of the session did not end in time".to_owned()
    } else {
        format!("logins wait {awaited}")
    };
    CallError::new(ErrorKind::DeadlineExceeded, reason)
}

/// Has the script verify a client, and then waits until nobody holds an older
/// login of its session.
async fn answer_verify(takers: Takers, request: Request) -> Result<Bytes, CallError> {
    let body = v1::VerifyRequest::decode(request.body)
        .map_err(|error| CallError::new(ErrorKind::Handler, format!("not a request: {error}")))?;
    let is_gate = !body.gate_name.is_empty();
    if is_gate {
        if !takers.peers.may_be(request.source, Role::Gate) {
            return Err(forbidden("gates"));
        }
        takers.peers.heard_of(request.source);
        takers.desk.expect(request.source);
    }
    let (verdict_tx, verdict_rx) = oneshot::channel();
    let event = Event::Verify(Box::new(Verify {
        session_key: body.session_key,
        online_time: body.online_time,
        ip: body.ip,
        gate_name: body.gate_name,
        deadline: request.deadline.into_std(),
        verdict: verdict_tx,
    }));
    takers.inbox.push(event).map_err(|closed| {
        let kind = match closed {
            Closed::Stopping => ErrorKind::Unavailable,
            Closed::Full | Closed::Overloaded => ErrorKind::Overloaded,
        };
        CallError::new(kind, closed.to_string())
    })?;
    let verdict = verdict_rx
        .await
        .map_err(|_| CallError::new(ErrorKind::Unavailable, "the scene is stopping"))?;
    let outcome = match verdict {
        Verdict::Accepted { session, reply, .. } if !is_gate => {
            v1::verify_response::Outcome::Accepted(v1::Accepted {
                session_id: session.to_string(),
                reply,
                ..v1::Accepted::default()
            })
        }
        Verdict::Accepted {
            session,
            reply,
            gate,
        } => {
            let gate = match holder(&takers, request.source, body.for_gate, gate) {
                Ok(gate) => gate,
                Err(name) => return Ok(no_gate(name)),
            };
            // In time for the answer to arrive: the gate does not take a later one.
            let deadline = request.deadline.checked_sub(ANSWER_MARGIN);
            let deadline = deadline.unwrap_or(request.deadline);
            if Instant::now() >= deadline {
                return Err(CallError::new(
                    ErrorKind::DeadlineExceeded,
                    "the script has decided too late",
                ));
            }
            let claim = takers.desk.claim(session.clone(), gate);
            let claimed = timeout_at(deadline, claim).await;
            match claimed.unwrap_or_else(|_| Err(out_of_time(&takers)))? {
                Claimed::Granted(login) => {
                    debug!(session_id = %session, %login, peer_id = %request.source, "client verified");
                    v1::verify_response::Outcome::Accepted(v1::Accepted {
                        session_id: session.to_string(),
                        login: login.0,
                        reply,
                        gate: if gate == request.source {
                            0
                        } else {
                            gate.as_u64()
                        },
                    })
                }
                Claimed::Superseded => v1::verify_response::Outcome::Superseded(v1::Superseded {}),
            }
        }
        Verdict::Refused(reason) => {
            debug!(reason, peer_id = %request.source, "client refused by the script");
            v1::verify_response::Outcome::Refused(reason)
        }
    };
    let response = v1::VerifyResponse {
        outcome: Some(outcome),
    };
    Ok(response.encode_to_vec().into())
}

/// The gate that is to hold the session: the one that the script names, or the one that
/// the asking gate does, or itself. One that is not there is told by its name.
fn holder(
    takers: &Takers,
    asks: NodeId,
    for_gate: u64,
    named: Option<NodeName>,
) -> Result<NodeId, String> {
    let gate = match (named, for_gate) {
        (Some(name), _) => takers.peers.gate(&name).ok_or_else(|| name.to_string())?,
        (None, 0) => asks,
        (None, raw) => NodeId::from_u64(raw),
    };
    // A gate that asks is there. Another one may have gone, and nobody must wait for what
    // it would have to say.
    if gate == asks || takers.desk.knows(gate) {
        Ok(gate)
    } else {
        Err(takers.peers.describe(gate))
    }
}

fn no_gate(name: String) -> Bytes {
    warn!(
        peer = name,
        "a client cannot be sent to a gate that is not in the group"
    );
    let response = v1::VerifyResponse {
        outcome: Some(v1::verify_response::Outcome::NoGate(name)),
    };
    response.encode_to_vec().into()
}

/// Loads the script again for an operator. A load that fails is an answer, too.
async fn answer_reload(
    script: ScriptHandle,
    module: String,
) -> Result<v1::ReloadResponse, CallError> {
    let module = Some(module).filter(|module| !module.is_empty());
    let outcome = script.reload(module.as_deref()).await;
    Ok(v1::ReloadResponse {
        ok: outcome.ok,
        module: outcome.module,
        version: outcome.version,
        hash: outcome.hash,
        kept: outcome.kept,
        text: outcome.text,
    })
}

async fn answer_fence(takers: Takers, request: Request) -> Result<Bytes, CallError> {
    if !takers.peers.may_be(request.source, Role::Scene) {
        return Err(forbidden("scenes"));
    }
    let body = v1::Fence::decode(request.body)
        .map_err(|error| CallError::new(ErrorKind::Handler, format!("not a request: {error}")))?;
    let gate = NodeId::from_u64(body.gate);
    let clear = takers.fences.clear(gate, body.revision);
    let cleared = timeout(FENCE_PATIENCE, clear).await;
    cleared.unwrap_or_else(|_| {
        Err(CallError::new(
            ErrorKind::DeadlineExceeded,
            "sessions of the gate are here still, or the script is busy",
        ))
    })?;
    Ok(Bytes::new())
}

/// Whether a message that only gates send is not of somebody who is known to be
/// none.
fn is_of_gate(peers: &Peers, method: &'static str, message: &Message) -> bool {
    let may_be = peers.may_be(message.source, Role::Gate);
    if !may_be {
        counter!("redrabbit_bad_messages_total", "method" => method).increment(1);
        debug!(peer_id = %message.source, method, "message of a node that is no gate");
    }
    may_be
}

/// Hands over that a session begins. Its gate is one that can be sent to, before
/// the script can say anything to everybody.
fn take_enter(inbox: &Inbox, peers: &Peers, message: &Message) {
    let enter = read_enter(message);
    if enter.is_ok() {
        peers.heard_of(message.source);
    }
    take(inbox, method::SESSION_ENTER, enter);
}

/// Hands over what a message says. One that says nothing is dropped.
fn take(inbox: &Inbox, method: &'static str, event: Read) {
    if let Some(event) = readable(method, event)
        && let Err(error) = inbox.push(event)
    {
        debug!(%error, method, "message dropped");
    }
}

fn readable<T>(method: &'static str, read: Read<T>) -> Option<T> {
    read.inspect_err(|reason| {
        counter!("redrabbit_bad_messages_total", "method" => method).increment(1);
        warn!(method, reason, "message cannot be read");
    })
    .ok()
}

/// Tells the directory which script runs, and how many sessions are here.
pub(crate) async fn report_status(
    node: Node,
    mut status: watch::Receiver<ScriptStatus>,
    sessions: Arc<AtomicU64>,
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
) {
    // There before their first event, which would be no rise otherwise.
    let _ = counter!("redrabbit_script_blocked_total");
    let _ = counter!("redrabbit_script_loads_total", "outcome" => "failed");
    for reason in ["outbox_full", "group_lost"] {
        let _ = counter!("redrabbit_messages_dropped_total", "reason" => reason);
    }
    let mut ticks = interval(REPORT_PERIOD);
    loop {
        let script = {
            let status = status.borrow_and_update();
            v1::Script {
                version: status.version,
                hash: status.hash.clone(),
                services: status.services.iter().copied().map(u32::from).collect(),
            }
        };
        if script.version > 0 {
            let labels = [
                ("version", &*script.version.to_string()),
                ("hash", &*script.hash),
            ];
            daemon::set_info("redrabbit_script_info", &labels);
        }
        node.set_script(script);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let sessions = sessions.load(Ordering::Relaxed);
                    node.set_load(sessions);
                    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
                    {
                        gauge!("redrabbit_scene_sessions").set(sessions as f64);
                        gauge!("redrabbit_script_inbox_events").set(inbox.len() as f64);
                        gauge!("redrabbit_script_outbox_bytes").set(outbox.bytes() as f64);
                    }
                }
                changed = status.changed() => match changed {
                    Ok(()) => break,
                    // The script's thread has ended.
                    Err(_) => return,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;

    use super::*;

    fn message(source: NodeId, session_id: &str) -> Message {
        let body = v1::Enter {
            session_id: session_id.to_owned(),
            ..v1::Enter::default()
        };
        Message {
            source,
            body: body.encode_to_vec().into(),
        }
    }

    #[test]
    fn whoever_enters_through_an_unknown_gate_is_broadcast_to() {
        let (inbox, peers) = (Inbox::new().unwrap(), Peers::default());
        let gate = NodeId::new(1, 1);
        take_enter(&inbox, &peers, &message(gate, "ann"));
        assert_eq!(peers.gates(), [gate]);
        take_enter(&inbox, &peers, &message(NodeId::new(1, 2), ""));
        assert_eq!(peers.gates(), [gate], "that was no enter");
    }
}
