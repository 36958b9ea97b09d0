//! The brokers that the node is linked to, and which of them it can use.

use std::sync::Arc;

use protocol::{NodeId, NodeName, v1::Role};
use tokio::time::Instant;

use super::Driver;
use crate::{
    channel::{Broker, Routes},
    config::Uplink,
    dispatch,
    link::{Arrived, LinkEvent, LinkSender, Target},
};

impl Driver {
    /// The link to the master does not wait for the directory: its address is
    /// known.
    pub(super) fn open_master(&mut self) {
        let Some(identity) = self.identity.as_ref().filter(|_| self.routes_itself()) else {
            return;
        };
        let target = match &self.shared.config.uplink {
            Uplink::Remote(address) => Target::Remote(*address),
            Uplink::Local(broker) => Target::Local(Arc::clone(broker)),
        };
        let (id, token) = (identity.id, identity.token.clone());
        self.links
            .add(Broker::Master, &crate::master(), target, id, &token);
    }

    pub(super) fn open_slave(&mut self, slave: NodeId, name: &NodeName, address: &str) {
        let Some(identity) = self.identity.as_ref().filter(|_| self.routes_itself()) else {
            return;
        };
        let target = Target::Named(address.to_owned());
        let (id, token) = (identity.id, identity.token.clone());
        self.links
            .add(Broker::Slave(slave), name, target, id, &token);
    }

    pub(super) fn follow_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Arrived(broker, arrived) => self.take_in(broker, arrived),
            LinkEvent::Recovered(broker, arrived) => {
                self.publish_links();
                self.take_in(broker, arrived);
            }
            LinkEvent::Opened => {
                self.publish_links();
                self.settle();
            }
            LinkEvent::Ended(broker) => {
                self.ended.push(broker);
                self.publish_links();
            }
        }
    }

    fn take_in(&mut self, broker: Broker, arrived: Arrived) {
        let heard = dispatch::dispatch_all(&self.shared, broker, arrived);
        self.heard.messages += heard.messages;
        self.heard.bytes += heard.bytes;
    }

    /// Tells the pairs which brokers they can use.
    pub(super) fn publish_links(&mut self) {
        let (mut routes, mut senders) = self.usable(false);
        if routes.is_empty() {
            // Nothing better is there.
            (routes, senders) = self.usable(true);
        }
        let ended = std::mem::take(&mut self.ended);
        self.shared.pairs.set_links(routes, senders, &ended);
        self.look_at_reach();
    }

    /// Looks whether what the node sends gets anywhere. Where no link is left the
    /// pairs say so, a little later: it may be back at once.
    pub(super) fn look_at_reach(&self) {
        let mut links = self.links.senders().peekable();
        let carried = links.peek().is_none() || links.any(|(.., silent)| !silent);
        self.shared.look_at_reach(carried);
    }

    /// The brokers that can carry something; `at_need` also those that are
    /// silent, or about to go.
    fn usable(&self, at_need: bool) -> (Routes, Vec<(Broker, LinkSender)>) {
        let mut routes = Routes::default();
        let mut senders = Vec::new();
        for (broker, sender, silent) in self.links.senders() {
            match broker {
                _ if silent && !at_need => continue,
                Broker::Master => routes.master = true,
                Broker::Slave(id) if at_need || self.shared.is_ready(id) => {
                    routes.slaves.push(id);
                }
                Broker::Slave(_) => continue,
            }
            senders.push((broker, sender.clone()));
        }
        (routes, senders)
    }

    /// The node is ready as soon as it is linked to every broker that is, or
    /// when that takes too long.
    pub(super) fn settle(&mut self) {
        let Some(identity) = self
            .identity
            .as_mut()
            .filter(|one| one.joined && !one.linked)
        else {
            return;
        };
        if self.shared.config.role != Role::Slave {
            let linked: Vec<Broker> = self.links.senders().map(|(broker, ..)| broker).collect();
            let everywhere = linked.contains(&Broker::Master)
                && self
                    .shared
                    .ready_slaves()
                    .iter()
                    .all(|id| linked.contains(&Broker::Slave(*id)));
            if !everywhere && (linked.is_empty() || Instant::now() < identity.linked_by) {
                return;
            }
        }
        identity.linked = true;
        let id = identity.id;
        self.shared.set_ready(id);
        self.look_at_reach();
        self.report();
    }

    /// Whether the node sends and receives; a slave only routes for others.
    pub(super) fn routes_itself(&self) -> bool {
        self.shared.config.role != Role::Slave
    }
}
