//! What can go wrong, and how it is noticed.

use std::time::Duration;

use crate::{
    node::End as CallEnd,
    wires::{Cut, Way},
    world::{Event, World},
};

/// Something that goes wrong, is noticed, or is right again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Kill {
        broker: usize,
    },
    Freeze {
        broker: usize,
        time: Duration,
    },
    Wake {
        broker: usize,
    },
    AddSlave,
    Drain {
        broker: usize,
    },
    Leave {
        broker: usize,
    },
    Restart {
        broker: usize,
    },
    LinkDown {
        node: usize,
        broker: usize,
        time: Duration,
    },
    Cut {
        way: Way,
        cut: Cut,
        time: Duration,
    },
    Mend {
        way: Way,
    },
    Stall {
        node: usize,
        time: Duration,
    },
    Go {
        node: usize,
    },
    NodeDies {
        node: usize,
    },
    /// The node's replica says that the broker is ready, or not.
    View {
        node: usize,
        broker: usize,
        ready: bool,
    },
    /// The node finds its link ended; silent means that it was not told.
    NodeNotices {
        node: usize,
        broker: usize,
    },
    NodeIsTired {
        node: usize,
        broker: usize,
    },
    BrokerNotices {
        node: usize,
        broker: usize,
    },
    /// The node opens its link again, as soon as that can be done.
    Relink {
        node: usize,
        broker: usize,
    },
    /// The directory has given up `dead`.
    LeaseEnds {
        node: usize,
        dead: usize,
    },
}

/// When a closed socket is noticed.
pub(crate) const NOTICED: Duration = Duration::from_millis(30);
pub(crate) const SILENT: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(3);

impl World {
    pub(crate) fn soon(&mut self, wait: Duration, fault: Fault) {
        self.clock.after(wait, Event::Fault(fault));
    }

    fn within(&mut self, time: Duration) -> Duration {
        Duration::from_micros(self.random.of(0..time.as_micros() as u64))
    }

    pub(crate) fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Kill { broker } => self.kill(broker),
            Fault::Freeze { broker, time } => self.freeze(broker, time),
            Fault::Wake { broker } => self.wake(broker),
            Fault::AddSlave => self.add_slave(),
            Fault::Drain { broker } => self.drain(broker),
            Fault::Leave { broker } => self.kill(broker),
            Fault::Restart { broker } => {
                self.brokers[broker].alive = true;
                self.brokers[broker].frozen = false;
            }
            Fault::LinkDown { node, broker, time } => {
                self.wires.clear(node, broker);
                for fault in [
                    Fault::NodeNotices { node, broker },
                    Fault::BrokerNotices { node, broker },
                ] {
                    let wait = self.within(NOTICED);
                    self.soon(wait, fault);
                }
                self.soon(NOTICED + time, Fault::Relink { node, broker });
            }
            Fault::Cut { way, cut, time } => {
                self.wires[way].cut = Some(cut);
                self.soon(time, Fault::Mend { way });
            }
            Fault::Mend { way } => {
                self.wires[way].cut = None;
                self.wires.want(way);
            }
            Fault::Stall { node, time } => {
                self.nodes[node].stalled = true;
                self.soon(time, Fault::Go { node });
            }
            Fault::Go { node } => {
                self.nodes[node].stalled = false;
                for broker in 0..self.brokers.len() {
                    let up = false;
                    self.wires.want(Way { node, broker, up });
                }
            }
            Fault::NodeDies { node } => self.node_dies(node),
            Fault::View {
                node,
                broker,
                ready,
            } => {
                let gone = self.brokers[broker].draining || !self.brokers[broker].alive;
                self.nodes[node].ready[broker] = ready && !gone;
                self.publish_links(node, &[]);
            }
            Fault::NodeNotices { node, broker } => {
                self.nodes[node].linked[broker] = false;
                self.publish_links(node, &[broker]);
            }
            Fault::NodeIsTired { node, broker } => {
                if self.brokers[broker].frozen {
                    self.suffer(Fault::NodeNotices { node, broker });
                    self.suffer(Fault::Relink { node, broker });
                }
            }
            Fault::BrokerNotices { node, broker } => {
                if !self.nodes[node].linked[broker] {
                    self.brokers[broker].linked[node] = false;
                    self.wires.clear(node, broker);
                }
            }
            Fault::Relink { node, broker } => self.relink(node, broker),
            Fault::LeaseEnds { node, dead } => {
                let count = self.nodes.len();
                self.ended[node * count + dead] = true;
                let id = self.nodes[dead].id;
                for call in self.nodes[node].calls.gone(id) {
                    self.end_call(node, call.waiter, CallEnd::Gone);
                }
            }
        }
    }

    /// All that is in the broker is lost. A slave is gone for good; the master
    /// is started again.
    fn kill(&mut self, broker: usize) {
        self.brokers[broker].alive = false;
        self.brokers[broker].linked.fill(false);
        if broker == 0 {
            self.soon(SILENT / 2, Fault::Restart { broker });
        }
        for node in 0..self.nodes.len() {
            self.wires.clear(node, broker);
            let wait = self.within(NOTICED);
            self.soon(wait, Fault::NodeNotices { node, broker });
            let wait = SILENT / 2 + self.within(SILENT / 2);
            match broker {
                0 => self.soon(wait, Fault::Relink { node, broker }),
                _ => self.soon(
                    wait,
                    Fault::View {
                        node,
                        broker,
                        ready: false,
                    },
                ),
            }
        }
    }

    fn freeze(&mut self, broker: usize, time: Duration) {
        self.brokers[broker].frozen = true;
        self.soon(time, Fault::Wake { broker });
        for node in 0..self.nodes.len() {
            let wait = SILENT + self.within(SILENT / 4);
            self.soon(wait, Fault::NodeIsTired { node, broker });
        }
    }

    /// What it has flows, to whom it concerns or not.
    fn wake(&mut self, broker: usize) {
        self.brokers[broker].frozen = false;
        for node in 0..self.nodes.len() {
            for up in [false, true] {
                self.wires.want(Way { node, broker, up });
            }
            let wait = self.within(NOTICED);
            self.soon(wait, Fault::BrokerNotices { node, broker });
        }
    }

    fn add_slave(&mut self) {
        let broker = self.add_broker(false);
        for node in 0..self.nodes.len() {
            let wait = self.within(NOTICED);
            self.soon(wait, Fault::Relink { node, broker });
            let wait = self.within(SILENT / 2);
            let ready = true;
            self.soon(
                wait,
                Fault::View {
                    node,
                    broker,
                    ready,
                },
            );
        }
    }

    fn drain(&mut self, broker: usize) {
        self.brokers[broker].draining = true;
        for node in 0..self.nodes.len() {
            let wait = self.within(SILENT / 2);
            let ready = false;
            self.soon(
                wait,
                Fault::View {
                    node,
                    broker,
                    ready,
                },
            );
        }
        self.soon(SILENT, Fault::Leave { broker });
    }

    fn relink(&mut self, node: usize, broker: usize) {
        let one = &mut self.brokers[broker];
        if one.draining || !one.alive || !self.nodes[node].alive {
            return;
        }
        if one.frozen {
            return self.soon(SILENT / 4, Fault::Relink { node, broker });
        }
        if !self.nodes[node].linked[broker] {
            // Sometimes the old link still flows out into the new one.
            if self.random.percent(50) {
                self.wires.clear(node, broker);
            }
            self.brokers[broker].linked[node] = true;
            self.nodes[node].linked[broker] = true;
            self.publish_links(node, &[]);
        }
    }

    fn node_dies(&mut self, dead: usize) {
        self.nodes[dead].alive = false;
        for broker in 0..self.brokers.len() {
            self.nodes[dead].linked[broker] = false;
            let wait = self.within(NOTICED);
            self.soon(wait, Fault::BrokerNotices { node: dead, broker });
        }
        for node in 0..self.nodes.len() {
            let wait = LEASE + self.within(NOTICED);
            self.soon(wait, Fault::LeaseEnds { node, dead });
        }
    }
}
