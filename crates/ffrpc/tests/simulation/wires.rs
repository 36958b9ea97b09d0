//! What is on its way between nodes and brokers.

use std::ops::{Index, IndexMut};

use protocol::Envelope;

/// What a queue holds of what may be refused; of the rest, four times as much.
pub(crate) const OUTBOX: usize = 64 << 10;
const OVERFLOW: usize = 4;

/// One direction of the link between a node and a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) node: usize,
    pub(crate) broker: usize,
    pub(crate) up: bool,
}

/// A queue that is carried as one batch each time, in order.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) queue: Vec<Envelope>,
    pub(crate) bytes: usize,
    pub(crate) cut: Option<Cut>,
    /// Somebody will come for the queue.
    pub(crate) scheduled: bool,
}

/// What a wire that is cut does with what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Holds,
    Loses,
}

/// All wires.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    /// Two for each node, by broker.
    wires: Vec<Vec<[Wire; 2]>>,
    /// Those that somebody has to be sent for.
    pub(crate) waiting: Vec<Way>,
}

impl Wires {
    pub(crate) fn new(nodes: usize) -> Self {
        Wires {
            wires: (0..nodes).map(|_| Vec::new()).collect(),
            waiting: Vec::new(),
        }
    }

    pub(crate) fn add_broker(&mut self) {
        for node in &mut self.wires {
            node.push(Default::default());
        }
    }

    /// Queues an envelope, if there is room.
    pub(crate) fn offer(&mut self, way: Way, envelope: &Envelope, refusable: bool) -> bool {
        let bytes = envelope.element_bytes();
        let bound = if refusable { OUTBOX } else { OVERFLOW * OUTBOX };
        let wire = &mut self[way];
        if wire.bytes + bytes > bound {
            return false;
        }
        wire.bytes += bytes;
        wire.queue.push(envelope.clone());
        self.want(way);
        true
    }

    /// Takes all that waits.
    pub(crate) fn take(&mut self, way: Way) -> Vec<Envelope> {
        let wire = &mut self[way];
        wire.bytes = 0;
        std::mem::take(&mut wire.queue)
    }

    /// Somebody shall come for the queue, if there is anything in it.
    pub(crate) fn want(&mut self, way: Way) {
        let wire = &mut self[way];
        if !wire.queue.is_empty() && !wire.scheduled {
            wire.scheduled = true;
            self.waiting.push(way);
        }
    }

    /// Forgets what is on its way between these two.
    pub(crate) fn clear(&mut self, node: usize, broker: usize) {
        for up in [false, true] {
            self.take(Way { node, broker, up });
        }
    }
}

impl Index<Way> for Wires {
    type Output = Wire;

    fn index(&self, way: Way) -> &Wire {
        &self.wires[way.node][way.broker][usize::from(way.up)]
    }
}

impl IndexMut<Way> for Wires {
    fn index_mut(&mut self, way: Way) -> &mut Wire {
        &mut self.wires[way.node][way.broker][usize::from(way.up)]
    }
}
