//! What nodes say to each other, and the ways on which it travels.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::{Login, NodeId, NodeName, SessionId};

use crate::random::Random;

#[derive(Clone, Debug)]
pub(crate) enum Message {
    // Of a gate.
    Verify {
        ticket: u64,
        session: SessionId,
    },
    Report {
        held: Vec<(SessionId, Login)>,
        complete: bool,
    },
    Ended(Vec<Login>),
    Replaced(Login),
    Enter {
        session: SessionId,
        login: Login,
        holding: u32,
        from_scene: Option<NodeName>,
        extra_data: Bytes,
    },
    Frame {
        login: Login,
        number: u32,
    },
    Leave {
        login: Login,
        holding: u32,
        to_scene: NodeName,
        extra_data: Bytes,
    },
    Offline {
        login: Login,
        holding: u32,
    },
    Stay {
        login: Login,
    },
    // Of a scene.
    Finished {
        login: Login,
        frames: u32,
    },
    Left {
        login: Login,
        holding: u32,
        offline: bool,
        extra_data: Bytes,
    },
    Change {
        login: Login,
        holding: u32,
        to: NodeName,
    },
    Close(Login),
    Fenced(NodeId),
    // Of the owner.
    Verified {
        ticket: u64,
        verdict: Verdict,
    },
    Replace(Login),
    Fence {
        gate: NodeId,
        revision: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted(Login),
    Superseded,
    Unavailable,
}

/// One way for each pair, in order.
#[derive(Debug, Default)]
pub(crate) struct Channels(BTreeMap<(NodeId, NodeId), VecDeque<Message>>);

impl Channels {
    pub(crate) fn send(&mut self, from: NodeId, to: NodeId, message: Message) {
        self.0.entry((from, to)).or_default().push_back(message);
    }

    /// Something that has arrived somewhere.
    pub(crate) fn take_any(&mut self, random: &mut Random) -> Option<(NodeId, NodeId, Message)> {
        let way = match self.0.len() {
            0 => return None,
            length => *self.0.keys().nth(random.index(length))?,
        };
        let queue = self.0.get_mut(&way)?;
        let message = queue.pop_front()?;
        if queue.is_empty() {
            self.0.remove(&way);
        }
        Some((way.0, way.1, message))
    }

    pub(crate) fn has_any_from(&self, node: NodeId) -> bool {
        self.0.keys().any(|(from, _)| *from == node)
    }

    /// `to` has heard that `from` is gone.
    pub(crate) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.0.remove(&(from, to));
    }

    /// The node has died: some of what it has said last is lost, and all that it
    /// was told.
    pub(crate) fn die(&mut self, node: NodeId, random: &mut Random) {
        self.0.retain(|(from, to), queue| {
            if *from == node {
                queue.truncate(random.index(queue.len() + 1));
            }
            *to != node && !queue.is_empty()
        });
    }
}
