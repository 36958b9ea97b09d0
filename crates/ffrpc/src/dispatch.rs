//! From an envelope that arrived to the handler or the waiter that it is for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use metrics::counter;
use prost::Message as _;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId, batch,
    envelope::{EnvelopeKind, MAX_BODY_BYTES, MAX_METHOD_BYTES, Text},
    v1::Refusal,
};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error};

use crate::{
    calls::CallId,
    channel::Broker,
    crossing::{LastWay, Responder, Transit, Way},
    link::Arrived,
    pairs::Slot,
    services::{Answer, Message, NodeEvent, Request},
    shared::{RequestPlace, Shared},
    trace::readable,
};

/// No handler runs for longer, whatever its caller says that it will wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Whose envelopes these are.
struct Source {
    node: NodeId,
    slot: Arc<Slot>,
    way: LastWay,
}

/// Who waits for the answer to what.
struct Asker {
    node: NodeId,
    call_id: u64,
    method: Text,
    /// In logs, if anybody looks.
    known_by: Option<String>,
}

/// What has arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Handles all that has arrived on the link of `broker`, in order. Says how much it was.
pub(crate) fn dispatch_all(shared: &Arc<Shared>, broker: Broker, arrived: Arrived) -> Heard {
    // Neighbours are often of one source.
    let mut last: Option<Source> = None;
    let mut heard = Heard::default();
    match arrived {
        Arrived::Envelopes(envelopes) => {
            for envelope in envelopes {
                heard.messages += 1;
                heard.bytes += envelope.element_bytes() as u64;
                dispatch(shared, broker, envelope, &mut last);
            }
        }
        Arrived::Batch(batch) => {
            heard.bytes = batch.len() as u64;
            for envelope in batch::envelopes(&batch) {
                heard.messages += 1;
                match envelope {
                    Ok(envelope) => dispatch(shared, broker, envelope, &mut last),
                    Err(reason) => {
                        debug!(%reason, "envelope dropped");
                        dropped(shared, "malformed");
                    }
                }
            }
        }
    }
    heard
}

fn dispatch(shared: &Arc<Shared>, broker: Broker, envelope: Envelope, last: &mut Option<Source>) {
    let source = envelope.source;
    if source == NodeId::BROKER {
        return hear_broker(shared, broker, &envelope);
    }
    let known = matches!(last, Some(last) if last.node == source);
    if !known {
        *last = shared.slot_of_source(source).map(|slot| Source {
            node: source,
            slot,
            way: LastWay::default(),
        });
    }
    let Some(last) = last else {
        return dropped(shared, "source_gone");
    };
    let taken = shared.pairs.arrived(&last.slot, &envelope);
    if taken.reached {
        shared.services.tell(NodeEvent::Reachable(source));
    }
    if !taken.deliver {
        return;
    }
    match envelope.kind {
        EnvelopeKind::Notify | EnvelopeKind::Control => {
            let message = Message {
                source,
                body: envelope.body,
            };
            if !shared.services.deliver(envelope.method.as_str(), message) {
                debug!(peer_id = %source, "nobody handles the message");
                dropped(shared, "unimplemented");
            }
        }
        EnvelopeKind::Request => answer(shared, last, envelope),
        EnvelopeKind::Response => {
            shared.answered(CallId(envelope.call_id), source, Ok(envelope.body));
        }
        EnvelopeKind::Error => {
            let error = CallError::decode(&envelope.body);
            shared.answered(CallId(envelope.call_id), source, Err(error));
        }
        // An acknowledgement has been read with the head; the rest is no
        // node's to say.
        EnvelopeKind::Ack
        | EnvelopeKind::Ping
        | EnvelopeKind::Pong
        | EnvelopeKind::Refused
        | EnvelopeKind::Unspecified => {}
    }
}

/// What a broker says itself.
fn hear_broker(shared: &Arc<Shared>, broker: Broker, envelope: &Envelope) {
    match envelope.kind {
        EnvelopeKind::Refused => match Refusal::decode(envelope.body.clone()) {
            Ok(refusal) => {
                if let Some(node) = shared.pairs.refused(broker, &refusal, Instant::now()) {
                    shared.services.tell(NodeEvent::Unreachable(node));
                }
            }
            Err(_) => dropped(shared, "malformed"),
        },
        // Everything that this node sends has a number and is refused by it.
        _ => debug!(kind = ?envelope.kind, "a broker's word passed over"),
    }
}

/// Begins the handler of a request, or answers why not.
fn answer(shared: &Arc<Shared>, from: &mut Source, envelope: Envelope) {
    let Envelope {
        source,
        call_id,
        method,
        body,
        ..
    } = envelope;
    let slot = &from.slot;
    let name = &shared.config.name;
    let trace = envelope.trace_context;
    let known_by = shared.call_id(&trace, source, call_id);
    shared.note_taken(known_by.as_deref(), source, &method);
    let refuse = |error| {
        let outcome = Err(error);
        shared.note_answered(known_by.as_deref(), &outcome);
        shared.respond(slot, source, call_id, outcome);
    };
    if method.as_str().len() > MAX_METHOD_BYTES {
        dropped(shared, "method_too_long");
        let message = format!(
            "a method's name of {} bytes, at most {MAX_METHOD_BYTES} are allowed",
            method.as_str().len()
        );
        return refuse(CallError::new(ErrorKind::TooLarge, message));
    }
    if shared.pairs.owes_much(slot) {
        let message = format!("{name} still keeps answers that were not acknowledged");
        return refuse(CallError::new(ErrorKind::Overloaded, message));
    }
    let Some(place) = RequestPlace::take(shared) else {
        let message = format!("{name} has as many requests as it may have");
        return refuse(CallError::new(ErrorKind::Overloaded, message));
    };
    let wait = match envelope.deadline_ms {
        0 => shared.call_timeout(),
        ms => Duration::from_millis(ms.into()),
    }
    .min(LONGEST_WAIT);
    let deadline = Instant::now() + wait;
    let origin = match from.way.read(shared, source, &envelope.crossing) {
        Ok(Way::Within) => None,
        Ok(Way::From(origin)) => Some(origin),
        Ok(Way::To(crossing)) if shared.services.is_bridge() => {
            // Where nobody looks it is told nothing of its own.
            let trace = match known_by {
                Some(known_by) => known_by.into(),
                None if readable(&trace).is_some() => trace,
                None => Bytes::new(),
            };
            let responder = Responder::new(place, slot, source, call_id, trace.clone());
            let transit = Transit {
                source,
                method,
                body,
                deadline,
                wait,
                crossing,
                trace,
            };
            return shared.services.pass_on(transit, responder);
        }
        Ok(Way::To(crossing)) => {
            // As much of a name as one may have, whatever the caller calls one.
            let group: String = crossing.group.chars().take(64).collect();
            let message = format!("{name} is no bridge to {group}");
            return refuse(CallError::new(ErrorKind::NotFound, message));
        }
        Err(error) => return refuse(error),
    };
    let request = Request {
        source,
        body,
        deadline,
        origin,
    };
    // Most handlers are done at once, and a task for each would cost more than
    // they do. A handler that is not has seen a waker that wakes nobody; the
    // task that goes on with it polls it again first.
    let mut context = Context::from_waker(Waker::noop());
    let begun = catch_unwind(AssertUnwindSafe(|| {
        let mut handler = shared.services.answer(method.as_str(), request)?;
        let polled = handler.as_mut().poll(&mut context);
        Some((handler, polled))
    }));
    let outcome = match begun {
        Ok(Some((_, Poll::Ready(outcome)))) => checked(outcome),
        Ok(Some((handler, Poll::Pending))) => {
            let asker = Asker {
                node: source,
                call_id,
                method,
                known_by,
            };
            return go_on(shared, slot, asker, handler, deadline, place);
        }
        Ok(None) => {
            let message = format!("{name} has no method {}", method.as_str());
            Err(CallError::new(ErrorKind::Unimplemented, message))
        }
        Err(_) => Err(panicked()),
    };
    shared.note_answered(known_by.as_deref(), &outcome);
    shared.respond(slot, source, call_id, outcome);
}

/// Goes on with a handler in a task of its own.
fn go_on(
    shared: &Arc<Shared>,
    slot: &Arc<Slot>,
    asker: Asker,
    handler: Answer,
    deadline: Instant,
    place: RequestPlace,
) {
    let (shared, slot) = (Arc::clone(shared), Arc::clone(slot));
    shared.tasks.clone().spawn(async move {
        // A node that leaves ends its handlers with it: its callers hear of its
        // end before any answer could reach them.
        let Some(outcome) = shared
            .stop
            .run_until_cancelled(outcome(handler, deadline))
            .await
        else {
            return;
        };
        if let Err(error) = &outcome {
            let (peer_id, method) = (asker.node, asker.method.as_str());
            debug!(%peer_id, method, %error, "request failed");
        }
        shared.note_answered(asker.known_by.as_deref(), &outcome);
        shared.respond(&slot, asker.node, asker.call_id, outcome);
        drop(place);
    });
}

/// How a handler ends: with its answer, at the deadline, or with a panic, which
/// is the handler's own error and nobody else's.
async fn outcome(handler: Answer, deadline: Instant) -> Result<Bytes, CallError> {
    let guarded = AssertUnwindSafe(handler).catch_unwind();
    match timeout_at(deadline, guarded).await {
        Ok(Ok(outcome)) => checked(outcome),
        Ok(Err(_)) => Err(panicked()),
        Err(_) => Err(CallError::new(
            ErrorKind::DeadlineExceeded,
            "the handler did not end in time",
        )),
    }
}

pub(crate) fn checked(outcome: Result<Bytes, CallError>) -> Result<Bytes, CallError> {
    let body = outcome?;
    check_size(&body).map(|()| body)
}

fn panicked() -> CallError {
    counter!("redrabbit_node_panics_total", "handler" => "request").increment(1);
    error!("request handler panicked");
    CallError::new(ErrorKind::Handler, "the handler panicked")
}

/// Whether a body fits an envelope.
pub(crate) fn check_size(body: &Bytes) -> Result<(), CallError> {
    match body.len() {
        ..=MAX_BODY_BYTES => Ok(()),
        length => Err(CallError::new(
            ErrorKind::TooLarge,
            format!("a body of {length} bytes, at most {MAX_BODY_BYTES} are allowed"),
        )),
    }
}

fn dropped(shared: &Shared, reason: &'static str) {
    shared.dropped.fetch_add(1, Ordering::Relaxed);
    counter!("redrabbit_node_dropped_total", "reason" => reason).increment(1);
}

/// An answer to `caller`.
pub(crate) fn answer_envelope(
    caller: NodeId,
    source: NodeId,
    call_id: u64,
    outcome: Result<Bytes, CallError>,
) -> Envelope {
    let (kind, body) = match outcome {
        Ok(body) => (EnvelopeKind::Response, body),
        Err(error) => (EnvelopeKind::Error, error.encode().into()),
    };
    Envelope {
        call_id,
        body,
        ..Envelope::new(caller, source, kind)
    }
}
