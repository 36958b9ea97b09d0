//! Those who hear of the directory, and what each of them is told.

use std::collections::HashMap;

use protocol::{
    NodeId,
    v1::{Delta, Exports, join_response::Response},
};
use tokio::time::Instant;

use crate::{
    directory::Directory,
    subscriber::{Subscriber, respond},
};

/// Everybody with a Join stream, and what bridges are told beside the directory.
pub(crate) struct Audience {
    subscribers: HashMap<NodeId, Subscriber>,
    exports: Exports,
}

/// How much has been put into queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Messages of every kind.
    pub(crate) messages: u64,
    /// Loads, of which a message has many.
    pub(crate) loads: u64,
}

impl Audience {
    /// Nobody yet. Bridges will be told `exports`.
    pub(crate) fn new(exports: Exports) -> Self {
        Audience {
            subscribers: HashMap::new(),
            exports,
        }
    }

    /// The node hears from now on; an older stream of it ends.
    pub(crate) fn seat(&mut self, node: NodeId, subscriber: Subscriber) {
        self.subscribers.insert(node, subscriber);
    }

    /// The node hears nothing more, and its stream ends.
    pub(crate) fn dismiss(&mut self, node: NodeId) {
        self.subscribers.remove(&node);
    }

    /// The same for everybody.
    pub(crate) fn dismiss_all(&mut self) {
        self.subscribers.clear();
    }

    /// The stream on which the node hears.
    pub(crate) fn stream(&self, node: NodeId) -> Option<u64> {
        self.subscribers.get(&node).map(Subscriber::stream)
    }

    /// The node gets the whole directory once more.
    pub(crate) fn owe_snapshot(&mut self, node: NodeId) {
        if let Some(subscriber) = self.subscribers.get_mut(&node) {
            subscriber.owe_snapshot();
        }
    }

    /// Bridges have to be told these from now on. Says whether they are others.
    pub(crate) fn set_exports(&mut self, exports: Exports) -> bool {
        if exports == self.exports {
            return false;
        }
        self.exports = exports;
        for subscriber in self.subscribers.values_mut() {
            subscriber.owe_exports();
        }
        true
    }

    /// Everybody gets another token.
    pub(crate) fn owe_tokens(&mut self) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.owe_token();
        }
    }

    /// Tells everybody of a change.
    pub(crate) fn tell(&mut self, delta: Delta) -> Sent {
        let response = respond(Response::Delta(delta));
        let told = self
            .subscribers
            .values_mut()
            .filter_map(|subscriber| subscriber.tell(&response).then_some(()));
        Sent {
            messages: told.count() as u64,
            loads: 0,
        }
    }

    /// Gives what is owed to those who have room: to all, or to one alone. Of the
    /// directory nothing before it is whole.
    pub(crate) fn catch_up(
        &mut self,
        directory: &Directory,
        token: impl Fn(NodeId) -> Vec<u8>,
        one: Option<NodeId>,
        now: Instant,
    ) -> Sent {
        let Audience {
            subscribers,
            exports,
        } = self;
        let mut sent = Sent::default();
        let mut snapshot = None;
        let mut give = |(node, subscriber): (NodeId, &mut Subscriber)| {
            sent.messages += subscriber.give_token(|| token(node));
            sent.messages += subscriber.give_exports(exports);
            if directory.is_rebuilding() {
                return;
            }
            if subscriber.takes_snapshot() {
                let response = snapshot
                    .get_or_insert_with(|| respond(Response::Snapshot(directory.snapshot())));
                sent.messages += subscriber.catch_up(response.clone());
            }
            let loads = subscriber.give_loads(directory, now);
            sent.messages += u64::from(loads > 0);
            sent.loads += loads;
        };
        match one {
            Some(node) => {
                let one = subscribers.get_mut(&node);
                one.into_iter()
                    .for_each(|subscriber| give((node, subscriber)));
            }
            None => {
                let all = subscribers.iter_mut();
                all.for_each(|(node, subscriber)| give((*node, subscriber)));
            }
        }
        sent
    }
}
