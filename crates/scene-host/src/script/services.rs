//! Calls of other nodes, which functions of the script answer.
//!
//! Each is answered once. What is not answered by a function, because there is
//! none, or it fails, or the scene ends, is answered with the error that says so:
//! whoever drops a [`Reply`] has said that the scene stops.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::Origin;
use metrics::counter;
use protocol::{CallError, ErrorKind, NodeId, envelope::MAX_BODY_BYTES};
use pyo3::{exceptions::asyncio::CancelledError, prelude::*};
use tokio::sync::oneshot;
use tracing::warn;

use crate::{
    Request,
    observe::activity::Label,
    observe::masked::masked,
    observe::report::is_news,
    script::host::{Host, Phase},
    script::jobs::{Owed, Work},
    values::body::{self, Body},
};

/// What another node waits for.
pub(crate) struct Reply {
    answer: oneshot::Sender<Result<Bytes, CallError>>,
    source: NodeId,
    origin: Option<Arc<Origin>>,
    _serving: Rc<()>,
}

/// How many services the directory shows of a scene.
const SHOWN: usize = 4_096;

/// How many calls may be under way: those that `async` functions answer, too.
const UNDER_WAY: usize = 16_384;

/// Of an error's text, how much its caller is told.
const LONGEST_REASON: usize = 300;

impl Reply {
    fn give(self, answer: Result<Bytes, CallError>) {
        let outcome = answer
            .as_ref()
            .err()
            .map_or("ok", |error| error.kind.as_str());
        counter!("redrabbit_service_calls_total", "outcome" => outcome).increment(1);
        // Whoever has stopped waiting has given up.
        let _ = self.answer.send(answer);
    }

    fn fail(self, kind: ErrorKind, message: impl Into<String>) {
        self.give(Err(CallError::new(kind, message)));
    }
}

impl Host {
    /// Another node calls.
    pub(crate) fn serve(self: &Rc<Self>, py: Python<'_>, request: Request) {
        let Request {
            cmd,
            body,
            deadline,
            source,
            origin,
            hops,
            answer,
        } = request;
        if answer.is_closed() {
            counter!("redrabbit_service_calls_total", "outcome" => "given_up").increment(1);
            return;
        }
        let reply = Reply {
            answer,
            source,
            origin,
            _serving: self.serving.clone(),
        };
        if matches!(self.phase.get(), Phase::Ending | Phase::Ended) {
            return reply.fail(ErrorKind::Unavailable, "the scene is stopping");
        }
        if Rc::strong_count(&self.serving) > UNDER_WAY {
            return reply.fail(
                ErrorKind::Overloaded,
                "too many calls of the script are under way",
            );
        }
        let handler = self.handlers.borrow().service(cmd);
        let Some(handler) = handler else {
            let (kind, message) = if self.shared.status.borrow().version == 0 {
                let message = format!("the script of {} has not loaded", self.name);
                (ErrorKind::Unavailable, message)
            } else {
                let message = format!("{} does not serve command {cmd}", self.name);
                (ErrorKind::Unimplemented, message)
            };
            return reply.fail(kind, message);
        };
        let context = match self.context_of_call(py, source, reply.origin.as_deref(), hops) {
            Ok(context) => context,
            Err(error) => return self.tell_failure(py, &handler.label, reply, &error),
        };
        context.run(py, || {
            let message = match handler.body.read_or_none(py, &body, &self.keys) {
                Ok(message) => message,
                Err(reason) => {
                    counter!("redrabbit_bad_bodies_total").increment(1);
                    let label = &handler.label;
                    if is_news("service", label, "message") {
                        let source = self.describe_caller(&reply);
                        warn!(target: "script", handler = %label, cmd, peer = source, reason, "call cannot be read");
                    }
                    let message = format!("the message cannot be read: {reason}");
                    return reply.fail(ErrorKind::Handler, message);
                }
            };
            let result = self.call(py, &handler, (message,));
            let deadline = deadline.min(Instant::now() + self.times.handler_timeout());
            let work = Work {
                label: handler.label.clone(),
                owed: Owed::Reply(reply),
            };
            self.follow(py, result, deadline, work);
        });
    }

    /// A function has answered, or has not in its time.
    pub(crate) fn reply(
        &self,
        py: Python<'_>,
        label: &Label,
        reply: Reply,
        value: Option<&Bound<'_, PyAny>>,
    ) {
        match value.map(write) {
            Some(Ok(body)) if body.len() > MAX_BODY_BYTES => {
                let length = body.len();
                let message =
                    format!("an answer of {length} bytes, at most {MAX_BODY_BYTES} are allowed");
                if is_news("service", label, "too_large") {
                    warn!(target: "script", handler = %label, length, "answer is too long");
                }
                reply.fail(ErrorKind::TooLarge, message);
            }
            Some(Ok(body)) => reply.give(Ok(body)),
            Some(Err(error)) => self.tell_failure(py, label, reply, &error),
            None => reply.fail(
                ErrorKind::DeadlineExceeded,
                format!("{label} did not end in time"),
            ),
        }
        self.stop_when_idle(py);
    }

    /// A function has failed.
    pub(crate) fn refuse(&self, py: Python<'_>, label: &Label, reply: Reply, error: &PyErr) {
        self.tell_failure(py, label, reply, error);
        self.stop_when_idle(py);
    }

    /// The caller hears what it was, the log where.
    fn tell_failure(&self, py: Python<'_>, label: &Label, reply: Reply, error: &PyErr) {
        if self.phase.get() == Phase::Ended && error.is_instance_of::<CancelledError>(py) {
            return reply.fail(ErrorKind::Unavailable, "the scene is stopping");
        }
        let source = self.describe_caller(&reply);
        self.report_from(py, "service", &label.to_string(), "", Some(&source), error);
        let mut text = masked(&error.to_string()).into_owned();
        if let Some((end, _)) = text.char_indices().nth(LONGEST_REASON) {
            text.truncate(end);
        }
        reply.fail(ErrorKind::Handler, text);
    }

    /// Who waits for an answer, in logs.
    fn describe_caller(&self, reply: &Reply) -> String {
        let source = self.shared.peers.describe(reply.source);
        match &reply.origin {
            Some(origin) => format!("{} of {}, by {source}", origin.node, origin.group),
            None => source,
        }
    }

    /// Whether the script is doing something for others.
    pub(crate) fn is_serving(&self) -> bool {
        Rc::strong_count(&self.serving) > 1
    }

    /// These are served from now on.
    pub(crate) fn show_services(&self, mut served: Vec<u16>) {
        if served.len() > SHOWN {
            let services = served.len();
            warn!(target: "script", services, limit = SHOWN, "the directory shows the first services only");
            served.truncate(SHOWN);
        }
        self.shared.status.send_if_modified(|status| {
            let differs = status.services != served;
            if differs {
                status.services = served;
            }
            differs
        });
    }
}

/// How long a call waits for its answer. A script may say that it waits for ever.
pub(crate) fn patience(seconds: f64) -> Option<Duration> {
    /// Later than anything that is waited for.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    if seconds > 0.0 {
        Some(Duration::try_from_secs_f64(seconds).map_or(LONGEST, |wait| wait.min(LONGEST)))
    } else {
        None
    }
}

/// A message, or an answer, as it is sent: None is nothing.
///
/// # Errors
/// `TypeError` for what cannot be sent.
pub(crate) fn write(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if value.is_none() {
        return Ok(Bytes::new());
    }
    body::write(value, usize::MAX)
}

impl Body {
    /// As [`read`](Body::read), but nothing is None, where nothing has no meaning
    /// of its own: it is no JSON text, and no message of thrift.
    pub(crate) fn read_or_none<'py>(
        &self,
        py: Python<'py>,
        body: &[u8],
        keys: &std::cell::RefCell<crate::values::json::KeyCache>,
    ) -> Result<Bound<'py, PyAny>, String> {
        match self.read(py, body, keys) {
            Err(_) if body.is_empty() => Ok(py.None().into_bound(py)),
            read => read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_long_to_wait_and_some_are_too_short() {
        for wrong in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(patience(wrong), None, "{wrong}");
        }
        assert_eq!(patience(1.5), Some(Duration::from_millis(1_500)));
        assert!(patience(f64::INFINITY) >= patience(1e300));
        assert!(patience(f64::INFINITY).is_some());
    }
}
