//! How a call is known in logs: by one text, on every node that it passes.
//!
//! Within a group both ends know it without a word: it is the group, who calls and the
//! call's number there, `world-478020680.5-42`. Where a call comes from further away,
//! or its caller has a text of its own, that goes along in `trace_context`. Lines of
//! calls have the target `call` and the level debug; where that is off, they cost a look
//! at a number.

use bytes::Bytes;
use protocol::{
    ErrorKind, NodeId,
    envelope::{MAX_METHOD_BYTES, Text},
};
use tracing::{Level, debug, enabled};

use crate::shared::{Outcome, Shared};

/// No text of a caller's own is longer.
const MAX_BYTES: usize = 128;

impl Shared {
    /// How the call is known, if anybody looks.
    pub(crate) fn call_id(&self, trace: &Bytes, caller: NodeId, number: u64) -> Option<String> {
        enabled!(target: "call", Level::DEBUG).then(|| match readable(trace) {
            Some(text) => text.to_owned(),
            None => {
                let group = self.membership().map(|membership| membership.group);
                format!("{}-{caller}-{number}", group.unwrap_or_default())
            }
        })
    }

    /// This node calls.
    pub(crate) fn note_begun(&self, call_id: Option<&str>, destination: NodeId, method: &Text) {
        if let Some(call_id) = call_id {
            let (peer, method) = (self.label(destination), start(method));
            debug!(target: "call", call_id, peer, method, "call begun");
        }
    }

    /// A call of this node has ended.
    pub(crate) fn note_ended(&self, trace: &Bytes, number: u64, peer: NodeId, outcome: &Outcome) {
        let own = self.own().unwrap_or(NodeId::BROKER);
        if let Some(call_id) = self.call_id(trace, own, number) {
            let (peer, outcome, error) = (self.label(peer), word(outcome), error(outcome));
            debug!(target: "call", call_id, peer, outcome, error, "call ended");
        }
    }

    /// Nobody here waits for a call of this node any more.
    pub(crate) fn note_given_up(&self, trace: &Bytes, number: u64) {
        let own = self.own().unwrap_or(NodeId::BROKER);
        if let Some(call_id) = self.call_id(trace, own, number) {
            debug!(target: "call", call_id, "call given up");
        }
    }

    /// This node has been called.
    pub(crate) fn note_taken(&self, call_id: Option<&str>, caller: NodeId, method: &Text) {
        if let Some(call_id) = call_id {
            let (peer, method) = (self.label(caller), start(method));
            debug!(target: "call", call_id, peer, method, "call taken");
        }
    }

    /// This node answers.
    pub(crate) fn note_answered(&self, call_id: Option<&str>, outcome: &Outcome) {
        if let Some(call_id) = call_id {
            let (outcome, error) = (word(outcome), error(outcome));
            debug!(target: "call", call_id, outcome, error, "call answered");
        }
    }

    /// The node's name, as far as the directory has told it.
    fn label(&self, node: NodeId) -> String {
        self.read_replica(|replica| {
            let record = replica.get(node);
            record.map_or_else(|| node.to_string(), |record| record.name.to_string())
        })
    }
}

/// A text of the caller's own, if it is one that a line can have.
pub(crate) fn readable(trace: &Bytes) -> Option<&str> {
    let is_text = (1..=MAX_BYTES).contains(&trace.len());
    let is_plain = || trace.iter().all(u8::is_ascii_graphic);
    (is_text && is_plain()).then(|| std::str::from_utf8(trace).ok())?
}

/// As much of a method as one may have: what is called otherwise is refused, and logged.
fn start(method: &Text) -> &str {
    let method = method.as_str();
    &method[..method.floor_char_boundary(MAX_METHOD_BYTES)]
}

fn word(outcome: &Outcome) -> &'static str {
    outcome
        .as_ref()
        .map_or_else(|error| ErrorKind::as_str(error.kind), |_| "ok")
}

fn error(outcome: &Outcome) -> Option<&str> {
    outcome.as_ref().err().map(|error| &*error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_text_is_taken_over_from_others() {
        let read = |text: &[u8]| readable(&Bytes::copy_from_slice(text)).map(str::to_owned);
        assert_eq!(read(b"world-1.2-3").as_deref(), Some("world-1.2-3"));
        assert_eq!(
            read(&[b'x'; MAX_BYTES]).map(|text| text.len()),
            Some(MAX_BYTES)
        );
        for odd in [
            &b""[..],
            b"two words",
            b"line\nbreak",
            "ü".as_bytes(),
            &[b'x'; MAX_BYTES + 1],
        ] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
