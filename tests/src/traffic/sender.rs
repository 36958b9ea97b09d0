//! What one node says to one other: calls and notifies, numbered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::Node;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use protocol::{CallError, NodeId, NodeName};
use tokio::sync::watch;

use super::{
    ledger::Pair,
    member::{CALL, Load, NOTIFY, Phase},
    stalls::Tally,
};

/// A node that talks to one other.
pub(super) struct Sender {
    node: Node,
    peer: NodeName,
    load: Load,
    tally: Arc<Tally>,
    phase: watch::Receiver<Phase>,
    pair: Pair,
    /// The last number that was used in this pair.
    number: u64,
}

/// How a call has ended.
struct Ended {
    pair: Pair,
    outcome: Result<Bytes, CallError>,
    took: Duration,
    body: Bytes,
}

/// Source, destination and number: what every message begins with.
pub(super) const HEAD: usize = 24;

/// How long a sender waits for a node to appear before it looks again.
const LOOK: Duration = Duration::from_millis(5);

impl Sender {
    pub(super) fn new(
        node: Node,
        peer: NodeName,
        load: Load,
        tally: Arc<Tally>,
        phase: watch::Receiver<Phase>,
    ) -> Sender {
        Sender {
            node,
            peer,
            load,
            tally,
            phase,
            pair: (0, 0),
            number: 0,
        }
    }

    /// Talks until the phase is over, and waits for its calls.
    pub(super) async fn run(mut self) {
        let mut calls = FuturesUnordered::new();
        loop {
            let phase = *self.phase.borrow_and_update();
            if phase != Phase::Running {
                while let Some(ended) = calls.next().await {
                    self.ended(&ended);
                }
                match phase {
                    Phase::Over => break,
                    _ => {
                        if self.phase.changed().await.is_err() {
                            return;
                        }
                        continue;
                    }
                }
            }
            let mut wait = LOOK;
            if let Some(destination) = self.look() {
                wait = self.load.pause;
                self.notify(destination);
                if calls.len() < self.load.in_flight {
                    // The call has its place in the order when it has been
                    // looked at once.
                    let mut call = Box::pin(self.call(destination));
                    match call.as_mut().now_or_never() {
                        Some(ended) => {
                            if ended.outcome.is_ok() {
                                self.taken();
                            }
                            self.ended(&ended);
                        }
                        None => {
                            self.taken();
                            calls.push(call);
                        }
                    }
                }
            }
            let pause = tokio::time::sleep(wait);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    Some(ended) = calls.next() => self.ended(&ended),
                }
            }
        }
        // The last word is a call: with its answer all before it has arrived.
        if let Some(destination) = self.look() {
            let ended = self.call(destination).await;
            if ended.outcome.is_ok() {
                self.taken();
            }
            self.ended(&ended);
        }
    }

    /// Who is to be told, if both are in the group.
    fn look(&mut self) -> Option<NodeId> {
        let own = self.node.id()?;
        let destination = self.node.resolve(&self.peer)?;
        let pair = (own.as_u64(), destination.as_u64());
        if self.pair != pair {
            self.pair = pair;
            self.number = 0;
        }
        Some(destination)
    }

    fn notify(&mut self, destination: NodeId) {
        let body = self.body();
        match self.node.notify(destination, NOTIFY, body) {
            Ok(()) => self.taken(),
            Err(error) => self.tally.refused(error.kind.as_str()),
        }
    }

    fn call(&self, destination: NodeId) -> impl Future<Output = Ended> + Send + 'static {
        let (node, pair, body) = (self.node.clone(), self.pair, self.body());
        async move {
            let begun = Instant::now();
            let outcome = node.call(destination, CALL, body.clone()).await;
            Ended {
                pair,
                outcome,
                took: begun.elapsed(),
                body,
            }
        }
    }

    /// The message that was just offered is on its way.
    fn taken(&mut self) {
        self.number += 1;
        self.tally.sent(self.pair, self.number);
    }

    fn ended(&self, ended: &Ended) {
        let outcome = match &ended.outcome {
            Ok(answer) if *answer == ended.body.slice(..HEAD) => "ok",
            Ok(_) => "another call's answer",
            Err(error) => error.kind.as_str(),
        };
        self.tally.call_ended(ended.pair, outcome, ended.took);
    }

    /// The next message.
    fn body(&self) -> Bytes {
        let mut body = Vec::with_capacity(self.load.body.max(HEAD));
        for number in [self.pair.0, self.pair.1, self.number + 1] {
            body.extend(number.to_le_bytes());
        }
        body.resize(self.load.body.max(HEAD), b'x');
        body.into()
    }
}

/// The pair and the number of a message; `None` for one that was made for a pair
/// that its node has just left, which is no part of either.
pub(super) fn read(source: NodeId, body: &[u8]) -> Option<(Pair, u64)> {
    let mut numbers = body
        .chunks_exact(8)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    let pair = (numbers.next()?, numbers.next()?);
    let number = numbers.next()?;
    (pair.0 == source.as_u64()).then_some((pair, number))
}
