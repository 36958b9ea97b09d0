//! What nodes send, and what they do with what they get.

use std::time::Duration;

use protocol::{Envelope, envelope::EnvelopeKind};

use crate::{
    node::{CALL_TIMEOUT, Call, End as CallEnd},
    support::end::Full,
    world::{Event, LIMIT, World},
};

impl World {
    pub(crate) fn send_something(&mut self, node: usize) {
        if !self.busy || !self.nodes[node].alive {
            return;
        }
        let wait = self.random.of(1..50);
        self.clock
            .after(Duration::from_millis(wait), Event::Send(node));
        let others = self.nodes.len() as u64;
        let to = ((node as u64 + self.random.of(1..others)) % others) as usize;
        let count = if self.random.percent(3) { 40 } else { 1 };
        for _ in 0..count {
            match self.random.of(0..100) {
                0..45 => self.call(node, to),
                45..85 => drop(self.send(node, to, EnvelopeKind::Notify, 0)),
                // Its sender has a window of its own.
                _ if self.end(node, to).pair.outgoing.bytes() < 2 * LIMIT => {
                    let _ = self.send(node, to, EnvelopeKind::Control, 0);
                }
                _ => {}
            }
        }
    }

    fn call(&mut self, node: usize, to: usize) {
        if self.ended[node * self.nodes.len() + to] {
            return;
        }
        let deadline = self.clock.now() + CALL_TIMEOUT;
        let destination = self.nodes[to].id;
        let caller = &mut self.nodes[node];
        let index = caller.calls_begun.len();
        let id = caller.calls.begin(destination, deadline, index);
        caller.calls_begun.push(Call {
            id,
            destination: to,
            sequence: None,
            ends: Vec::new(),
        });
        match self.send(node, to, EnvelopeKind::Request, id.0) {
            Ok(sequence) => self.nodes[node].calls_begun[index].sequence = Some(sequence),
            Err(Full) => {
                if let Some(call) = self.nodes[node].calls.end(id) {
                    self.end_call(node, call, CallEnd::Overloaded);
                }
            }
        }
        if self.random.percent(5) {
            let wait = Duration::from_millis(self.random.of(0..400));
            self.clock.after(wait, Event::GiveUp { node, call: index });
        }
    }

    pub(crate) fn give_up(&mut self, node: usize, call: usize) {
        let caller = &mut self.nodes[node];
        if let Some(call) = caller.calls.end(caller.calls_begun[call].id) {
            self.end_call(node, call, CallEnd::Cancelled);
        }
    }

    pub(crate) fn end_call(&mut self, node: usize, call: usize, how: CallEnd) {
        let call = &mut self.nodes[node].calls_begun[call];
        call.ends.push(how);
        assert_eq!(call.ends.len(), 1, "{call:?} ended twice");
        let (destination, sequence) = (call.destination, call.sequence);
        if let Some(sequence) = sequence
            && how != CallEnd::Answered
        {
            self.with_end(node, destination, |end, _| end.cancel(sequence));
        }
    }

    pub(crate) fn send(
        &mut self,
        node: usize,
        to: usize,
        kind: EnvelopeKind,
        call: u64,
    ) -> Result<u64, Full> {
        let body = match self.random.of(0..200) {
            0 => self.random.of(0..LIMIT as u64 * 3 / 2),
            1..6 => self.random.of(0..8000),
            _ => self.random.of(0..400),
        };
        let now = self.clock.now();
        if !self.nodes[node].alive {
            return Err(Full);
        }
        let sent = self.with_end(node, to, |end, link| {
            end.send(kind, call, body as usize, now, link)
        });
        sent.unwrap_or(Err(Full))
    }

    /// Does with a message what its node does.
    pub(crate) fn handle(&mut self, node: usize, source: usize, envelope: &Envelope) {
        match envelope.kind {
            EnvelopeKind::Request => {
                let wait = match self.random.percent(80) {
                    true => 0,
                    false => self.random.of(0..50),
                };
                let respond = Event::Respond {
                    node,
                    to: source,
                    call: envelope.call_id,
                };
                self.clock.after(Duration::from_millis(wait), respond);
            }
            EnvelopeKind::Response => {
                let id = ffrpc::CallId(envelope.call_id);
                if let Some(call) = self.nodes[node].calls.answered(id, envelope.source) {
                    self.end_call(node, call, CallEnd::Answered);
                }
            }
            _ => {}
        }
    }
}
