//! The channel of one pair: both directions, and the way out.

use protocol::{
    Envelope, NodeId,
    envelope::EnvelopeKind,
    v1::{Refusal, RefusalReason},
};
use tokio::time::Instant;

use super::{
    Broker, Incoming, Outgoing, Routes,
    avoided::{AvoidedBrokers, Fault},
};

/// What this node and one other have to do with each other.
#[derive(Debug)]
pub struct Pair {
    /// This node.
    pub source: NodeId,
    /// The other.
    pub destination: NodeId,
    /// What goes there.
    pub outgoing: Outgoing,
    /// What comes from there.
    pub incoming: Incoming,
    route: Option<Broker>,
    /// The link of the route has ended, and no route has been chosen since.
    adrift: bool,
    avoided: AvoidedBrokers,
    /// Every slave has been silent for long.
    desperate: bool,
}

/// What is to be done after a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The pair has another broker, or none.
    pub rerouted: bool,
    /// Something may wait to be sent.
    pub transmit: bool,
    /// An acknowledgement has to go by itself.
    pub acknowledge: bool,
}

/// How often in a row nothing may come back before another slave is tried:
/// 0.6 s. It may be the wrong one, if it was only the acknowledgements that were
/// lost; so a slave that was silent before gets its turn again.
const PATIENCE: u32 = 2;
/// And before the master is tried while there are slaves: 3 s. A destination
/// that is frozen looks the same, and the directory has given it up by then; the
/// master shall not carry what is for the dead.
const LAST_PATIENCE: u32 = 4;

impl Pair {
    /// A pair that has not exchanged anything yet.
    pub fn new(source: NodeId, destination: NodeId, limit: usize) -> Self {
        Pair {
            source,
            destination,
            outgoing: Outgoing::new(limit),
            incoming: Incoming::default(),
            route: None,
            adrift: false,
            avoided: AvoidedBrokers::default(),
            desperate: false,
        }
    }

    /// The broker that carries what goes there.
    pub fn route(&self) -> Option<Broker> {
        self.route
    }

    /// Chooses the broker anew. Says whether it is another one, or another link
    /// to it, or none any more: everything that is not acknowledged has to go
    /// again then.
    pub fn reroute(&mut self, routes: &Routes) -> bool {
        let route = self.choose(routes);
        if route == self.route && !self.adrift {
            return false;
        }
        self.route = route;
        self.adrift = false;
        self.outgoing.rewind();
        true
    }

    /// The link to the pair's broker has ended, and with it what was on its way
    /// there, even where it is opened again at once. The pair has to choose
    /// anew.
    pub fn link_ended(&mut self, broker: Broker) {
        if self.route == Some(broker) {
            self.route = None;
            self.adrift = true;
        }
    }

    /// A broker did not forward something. Says whether the pair has another
    /// broker now, or none.
    ///
    /// A word that comes late does no harm. Of a broker that the pair has left,
    /// `NO_ROUTE` is still worth knowing, and `NO_ROOM` says nothing.
    pub fn refused(
        &mut self,
        broker: Broker,
        refusal: &Refusal,
        routes: &Routes,
        now: Instant,
    ) -> bool {
        match refusal.reason() {
            RefusalReason::NoRoute => {
                self.avoided.add(broker, Fault::NoRoute, now);
                self.reroute(routes)
            }
            RefusalReason::NoRoom | RefusalReason::Unspecified => {
                if self.route == Some(broker) {
                    self.outgoing.no_room(refusal.sequence, now);
                }
                false
            }
        }
    }

    /// Brokers that had no link to the destination are tried again, without a pause. Says
    /// whether the pair has another broker now.
    pub fn ask_again(&mut self, routes: &Routes) -> bool {
        self.avoided.pardon_refusing();
        self.reroute(routes)
    }

    /// Looks at the time.
    pub fn tick(&mut self, routes: &Routes, now: Instant) -> Due {
        // Without a route there is nothing that could come back.
        if let Some(route) = self.route
            && let Some(failures) = self.outgoing.tick(now)
            && self.gives_up(route, failures, routes)
        {
            self.avoided.add(route, Fault::Silent, now);
            self.desperate = failures >= LAST_PATIENCE;
        }
        let mut rerouted = false;
        if !self.avoided.is_empty() {
            let at_a_loss = self.hopeful(routes).is_none();
            self.avoided.tick(at_a_loss, now);
            rerouted = self.reroute(routes);
        }
        let acknowledge = self.incoming.tick();
        if self.incoming.take_unheard() && self.outgoing.is_empty() {
            self.insist();
        }
        Due {
            rerouted,
            transmit: !self.outgoing.is_clear(),
            acknowledge,
        }
    }

    /// Whether time has something to do here.
    pub fn is_active(&self) -> bool {
        !self.outgoing.is_empty() || self.incoming.is_owed() || !self.avoided.is_empty()
    }

    /// Whether something here cannot wait for long: an acknowledgement that is
    /// owed, or a message that could not be sent yet.
    pub fn is_pressing(&self) -> bool {
        self.incoming.is_owed() || !self.outgoing.is_clear()
    }

    /// The way to take: a slave that gets through as far as is known, the master
    /// where no slave may, or whatever was silent for the longest time.
    fn choose(&self, routes: &Routes) -> Option<Broker> {
        let hopeful = self.hopeful(routes);
        if hopeful != Some(Broker::Master) || self.desperate {
            let silent = || {
                self.avoided
                    .least_hopeless(|broker| routes.contains(broker))
            };
            return hopeful.or_else(silent);
        }
        let is_slave = |broker| broker != Broker::Master && routes.contains(broker);
        self.avoided.least_hopeless(is_slave).or(hopeful)
    }

    fn hopeful(&self, routes: &Routes) -> Option<Broker> {
        routes.choose(self.source, self.destination, |broker| {
            !self.avoided.contains(broker)
        })
    }

    /// Whether so many failures are enough to leave this route.
    fn gives_up(&self, route: Broker, failures: u32, routes: &Routes) -> bool {
        let may_do = |slave: &NodeId| {
            let slave = Broker::Slave(*slave);
            slave != route && !self.avoided.is_refusing(slave)
        };
        failures >= PATIENCE && routes.slaves.iter().any(may_do)
            || failures >= LAST_PATIENCE && routes.len() > 1
    }

    /// Acknowledges with an envelope that has a number and nothing else, so that
    /// it is missed where it is lost: it has to be acknowledged in its turn, and
    /// if it is not, the pair takes another way.
    fn insist(&mut self) {
        let envelope = Envelope {
            sequence: self.outgoing.next_sequence(),
            ..Envelope::new(self.destination, self.source, EnvelopeKind::Ack)
        };
        let bytes = envelope.element_bytes();
        self.outgoing.keep(envelope, bytes, false);
    }
}

#[cfg(test)]
mod tests;
