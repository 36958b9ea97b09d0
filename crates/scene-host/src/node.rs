//! The scene's side of the network: messages of gates become events, actions
//! become messages to gates. Nothing is decided here.

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
use protocol::{CallError, ErrorKind, Login, NodeId, SessionId, method, v1};
use tokio::{
    sync::{oneshot, watch},
    time::interval,
};
use tracing::{debug, warn};

use crate::{
    Action, Closed, Enter, Event, Finished, Inbox, Outbox, ScriptStatus, Verdict, Verify,
    gates::Gates,
};

/// How often the number of sessions is reported.
const REPORT_PERIOD: Duration = Duration::from_secs(1);

/// What the scene answers to.
pub(crate) fn services(inbox: &Arc<Inbox>, gates: &Arc<Gates>) -> Services {
    let (verify, enter, frame, offline, events) = (
        inbox.clone(),
        inbox.clone(),
        inbox.clone(),
        inbox.clone(),
        inbox.clone(),
    );
    let (gates_entered, gates) = (gates.clone(), gates.clone());
    Services::new()
        .serve(method::SESSION_VERIFY, move |request| {
            answer_verify(verify.clone(), request)
        })
        .message(method::SESSION_ENTER, move |message| {
            take_enter(&enter, &gates_entered, &message);
        })
        .message(method::SESSION_FRAME, move |message| {
            take(&frame, method::SESSION_FRAME, read_frame(&message));
        })
        .message(method::SESSION_OFFLINE, move |message| {
            take(&offline, method::SESSION_OFFLINE, read_offline(&message));
        })
        .events(move |event| {
            gates.follow(&event);
            let event = match event {
                NodeEvent::Removed(node) => Event::GateGone(node),
                NodeEvent::Lost => Event::GroupLost,
                NodeEvent::Joined(_) | NodeEvent::Upserted(_) => return,
            };
            // A scene that is stopping has told its sessions already.
            let _ = events.push(event);
        })
}

/// Has the script verify a client.
async fn answer_verify(inbox: Arc<Inbox>, request: Request) -> Result<Bytes, CallError> {
    let body = v1::VerifyRequest::decode(request.body)
        .map_err(|error| CallError::new(ErrorKind::Handler, format!("not a request: {error}")))?;
    let (verdict_tx, verdict_rx) = oneshot::channel();
    let event = Event::Verify(Box::new(Verify {
        session_key: body.session_key,
        online_time: body.online_time,
        ip: body.ip,
        gate_name: body.gate_name,
        deadline: request.deadline.into_std(),
        verdict: verdict_tx,
    }));
    inbox.push(event).map_err(|closed| {
        let kind = match closed {
            Closed::Stopping => ErrorKind::Unavailable,
            Closed::Full => ErrorKind::Overloaded,
        };
        CallError::new(kind, closed.to_string())
    })?;
    let verdict = verdict_rx
        .await
        .map_err(|_| CallError::new(ErrorKind::Unavailable, "the scene is stopping"))?;
    let outcome = match verdict {
        Verdict::Accepted {
            session,
            login,
            reply,
        } => v1::verify_response::Outcome::Accepted(v1::Accepted {
            session_id: session.to_string(),
            login: login.0,
            reply,
        }),
        Verdict::Refused(reason) => v1::verify_response::Outcome::Refused(reason),
    };
    let response = v1::VerifyResponse {
        outcome: Some(outcome),
    };
    Ok(response.encode_to_vec().into())
}

/// Hands over that a session begins. Its gate is one that can be sent to, before
/// the script can say anything to everybody.
fn take_enter(inbox: &Inbox, gates: &Gates, message: &Message) {
    let enter = read_enter(message);
    if enter.is_ok() {
        gates.heard_of(message.source);
    }
    take(inbox, method::SESSION_ENTER, enter);
}

/// Hands over what a message says. One that says nothing is dropped.
fn take(inbox: &Inbox, method: &'static str, event: Result<Event, String>) {
    match event {
        Ok(event) => {
            if let Err(error) = inbox.push(event) {
                debug!(%error, method, "message dropped");
            }
        }
        Err(reason) => {
            counter!("redrabbit_bad_messages_total", "method" => method).increment(1);
            warn!(method, reason, "message cannot be read");
        }
    }
}

fn read_enter(message: &Message) -> Result<Event, String> {
    let body = v1::Enter::decode(message.body.clone()).map_err(|error| error.to_string())?;
    let session: SessionId = body
        .session_id
        .parse()
        .map_err(|error: protocol::NameError| error.to_string())?;
    Ok(Event::Enter(Box::new(Enter {
        gate: message.source,
        session,
        login: Login(body.login),
        online_time: body.online_time,
        from_scene: body.from_scene,
        extra_data: body.extra_data,
    })))
}

fn read_frame(message: &Message) -> Result<Event, String> {
    let body = v1::Frame::decode(message.body.clone()).map_err(|error| error.to_string())?;
    let cmd = u16::try_from(body.cmd).map_err(|_| format!("no cmd is {}", body.cmd))?;
    Ok(Event::Frame {
        gate: message.source,
        login: Login(body.login),
        cmd,
        body: body.body,
    })
}

fn read_offline(message: &Message) -> Result<Event, String> {
    let body = v1::Offline::decode(message.body.clone()).map_err(|error| error.to_string())?;
    Ok(Event::Offline {
        gate: message.source,
        login: Login(body.login),
    })
}

/// Does what the script asks, in its order, until the script has ended.
pub(crate) async fn perform_actions(node: Node, gates: Arc<Gates>, outbox: Arc<Outbox>) {
    while let Some(actions) = outbox.take().await {
        for action in actions {
            perform(&node, &gates, action);
        }
    }
}

fn perform(node: &Node, gates: &Gates, action: Action) {
    match action {
        Action::Deliver {
            gate,
            logins,
            cmd,
            body,
        } => {
            let logins = logins.into_iter().map(|login| login.0).collect();
            deliver(
                node,
                gate,
                &v1::Deliver {
                    logins,
                    cmd: cmd.into(),
                    body,
                },
            );
        }
        Action::Broadcast { cmd, body } => {
            let message = v1::Deliver {
                logins: Vec::new(),
                cmd: cmd.into(),
                body,
            };
            for gate in gates.all() {
                deliver(node, gate, &message);
            }
        }
        Action::Close {
            gate,
            login,
            reason,
        } => {
            let message = v1::Close {
                login: login.0,
                reason: reason.into(),
            };
            note(
                gate,
                node.control_message(gate, method::GATE_CLOSE, &message),
            );
        }
        Action::Finished(Finished {
            gate,
            logins,
            frames,
        }) => {
            let logins = logins.into_iter().map(|login| login.0).collect();
            let message = v1::Finished { logins, frames };
            note(
                gate,
                node.control_message(gate, method::SESSION_FINISHED, &message),
            );
        }
    }
}

fn deliver(node: &Node, gate: NodeId, message: &v1::Deliver) {
    note(
        gate,
        node.notify_message(gate, method::GATE_DELIVER, message),
    );
}

/// Counts what was not sent. A gate that is gone is said by its own event.
fn note(gate: NodeId, sent: Result<(), CallError>) {
    if let Err(error) = sent {
        counter!("redrabbit_messages_dropped_total", "reason" => error.kind.as_str()).increment(1);
        match error.kind {
            // Scripts are refused what is too long: this message is the scene's own.
            ErrorKind::TooLarge => warn!(%gate, %error, "message to a gate dropped"),
            _ => debug!(%gate, %error, "message to a gate dropped"),
        }
    }
}

/// Tells the directory which script runs, and how many sessions are here.
pub(crate) async fn report_status(
    node: Node,
    mut status: watch::Receiver<ScriptStatus>,
    sessions: Arc<AtomicU64>,
) {
    let mut ticks = interval(REPORT_PERIOD);
    loop {
        let script = {
            let status = status.borrow_and_update();
            v1::Script {
                version: status.version,
                hash: status.hash.clone(),
            }
        };
        node.set_script(script);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let sessions = sessions.load(Ordering::Relaxed);
                    node.set_load(sessions);
                    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
                    gauge!("redrabbit_scene_sessions").set(sessions as f64);
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
        let (inbox, gates) = (Inbox::new().unwrap(), Gates::default());
        let gate = NodeId::new(1, 1);
        take_enter(&inbox, &gates, &message(gate, "ann"));
        assert_eq!(gates.all(), [gate]);
        take_enter(&inbox, &gates, &message(NodeId::new(1, 2), ""));
        assert_eq!(gates.all(), [gate], "that was no enter");
    }
}
