//! From an envelope that arrived to the handler or the waiter that it is for.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use metrics::counter;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId, batch,
    envelope::{EnvelopeKind, MAX_BODY_BYTES},
};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error};

use crate::{
    calls::CallId,
    link::Arrived,
    node::Shared,
    services::{Answer, Message, Request},
};

/// Handles all that has arrived, in order.
pub(crate) fn dispatch_all(shared: &Arc<Shared>, arrived: Arrived) {
    match arrived {
        Arrived::Envelopes(envelopes) => {
            for envelope in envelopes {
                dispatch(shared, envelope);
            }
        }
        Arrived::Batch(batch) => {
            for envelope in batch::envelopes(&batch) {
                match envelope {
                    Ok(envelope) => dispatch(shared, envelope),
                    Err(reason) => {
                        debug!(%reason, "envelope dropped");
                        dropped("malformed");
                    }
                }
            }
        }
    }
}

fn dispatch(shared: &Arc<Shared>, envelope: Envelope) {
    if shared.is_gone(envelope.source) {
        return dropped("source_gone");
    }
    match envelope.kind {
        EnvelopeKind::Notify | EnvelopeKind::Control => {
            let message = Message {
                source: envelope.source,
                body: envelope.body,
            };
            if !shared.services.deliver(envelope.method.as_str(), message) {
                debug!(source = %envelope.source, method = ?envelope.method, "nobody handles the message");
                dropped("unimplemented");
            }
        }
        EnvelopeKind::Request => answer(shared, &envelope),
        EnvelopeKind::Response => {
            shared.answered(CallId(envelope.call_id), envelope.source, Ok(envelope.body));
        }
        EnvelopeKind::Error => {
            let error = unroutable(CallError::decode(&envelope.body));
            shared.answered(CallId(envelope.call_id), envelope.source, Err(error));
        }
        EnvelopeKind::Ack | EnvelopeKind::Unspecified => {}
    }
}

/// Begins the handler of a request, in a task of its own, or answers why not.
fn answer(shared: &Arc<Shared>, envelope: &Envelope) {
    let wait = match envelope.deadline_ms {
        0 => shared.config.call_timeout,
        ms => Duration::from_millis(ms.into()),
    };
    let deadline = Instant::now() + wait;
    let (caller, call_id, method) = (envelope.source, envelope.call_id, envelope.method.clone());
    let refuse = |kind, message| {
        shared.respond(caller, call_id, Err(CallError::new(kind, message)));
    };
    let Ok(place) = Arc::clone(&shared.request_places).try_acquire_owned() else {
        let message = format!("{} has as many requests as it may have", shared.config.name);
        return refuse(ErrorKind::Overloaded, message);
    };
    let request = Request {
        source: caller,
        body: envelope.body.clone(),
        deadline,
    };
    let Some(handler) = shared.services.answer(method.as_str(), request) else {
        let message = format!("{} has no method {}", shared.config.name, method.as_str());
        return refuse(ErrorKind::Unimplemented, message);
    };
    let shared = Arc::clone(shared);
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
            debug!(%caller, method = method.as_str(), %error, "request failed");
        }
        shared.respond(caller, call_id, outcome);
        drop(place);
    });
}

/// How a handler ends: with its answer, at the deadline, or with a panic, which
/// is the handler's own error and nobody else's.
async fn outcome(handler: Answer, deadline: Instant) -> Result<Bytes, CallError> {
    let guarded = AssertUnwindSafe(handler).catch_unwind();
    let body = match timeout_at(deadline, guarded).await {
        Ok(Ok(outcome)) => outcome?,
        Ok(Err(_)) => {
            error!("request handler panicked");
            return Err(CallError::new(ErrorKind::Handler, "the handler panicked"));
        }
        Err(_) => {
            return Err(CallError::new(
                ErrorKind::DeadlineExceeded,
                "the handler did not end in time",
            ));
        }
    };
    check_size(&body).map(|()| body)
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

/// To a caller a destination that no broker can reach is simply unavailable.
fn unroutable(error: CallError) -> CallError {
    match error.kind {
        ErrorKind::NoRoute => CallError::new(ErrorKind::Unavailable, error.message),
        _ => error,
    }
}

fn dropped(reason: &'static str) {
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
