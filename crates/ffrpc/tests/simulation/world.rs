//! A whole group, and the passing of time in it.

use std::time::Duration;

use ffrpc::channel;
use prost::Message;
use protocol::{Envelope, NodeId, envelope::EnvelopeKind, v1::Refusal};

use crate::{
    broker::Broker,
    clock::Clock,
    faults::Fault,
    node::{Call, End as CallEnd, Node},
    support::{
        end::{End, Link},
        random::Random,
    },
    wires::{Cut, Way, Wires},
};

/// What a pair may have unacknowledged.
pub(crate) const LIMIT: usize = 32 << 10;
const TICK: Duration = Duration::from_millis(10);

/// A group.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) clock: Clock<Event>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) wires: Wires,
    /// Both ends of every pair: `[own * nodes + other]`.
    pub(crate) ends: Vec<End>,
    /// Which of them have ended, because the other node is gone.
    pub(crate) ended: Vec<bool>,
    /// Nodes send as long as it goes on.
    pub(crate) busy: bool,
    /// The longest that a message was on its way.
    pub(crate) oldest: Duration,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    Tick(usize),
    Send(usize),
    Carry(Way),
    Respond { node: usize, to: usize, call: u64 },
    GiveUp { node: usize, call: usize },
    Fault(Fault),
}

impl World {
    /// A group of so many nodes, with a master and so many slaves, where all
    /// links are open.
    pub(crate) fn new(seed: u64, nodes: usize, slaves: usize) -> Self {
        let ids: Vec<_> = (0..nodes)
            .map(|index| NodeId::new(1, index as u32))
            .collect();
        let mut world = World {
            random: Random::new(seed),
            clock: Clock::new(),
            nodes: ids.iter().map(|id| Node::new(*id)).collect(),
            brokers: Vec::new(),
            wires: Wires::new(nodes),
            ends: Vec::new(),
            ended: vec![false; nodes * nodes],
            busy: true,
            oldest: Duration::ZERO,
        };
        for _ in 0..=slaves {
            world.add_broker(true);
        }
        for own in 0..nodes {
            world.nodes[own].update_routes(&world.brokers);
            for other in 0..nodes {
                let end = End::new(ids[own], ids[other], LIMIT, &world.nodes[own].routes);
                world.ends.push(end);
            }
            let wait = world.random.of(0..10_000);
            world
                .clock
                .after(Duration::from_micros(wait), Event::Tick(own));
            world
                .clock
                .after(Duration::from_micros(wait), Event::Send(own));
        }
        world
    }

    /// One more broker; the first is the master.
    pub(crate) fn add_broker(&mut self, linked: bool) -> usize {
        let index = self.brokers.len();
        let id = match index {
            0 => channel::Broker::Master,
            _ => channel::Broker::Slave(NodeId::new(1, 1000 + index as u32)),
        };
        self.brokers.push(Broker {
            id,
            alive: true,
            frozen: false,
            draining: false,
            linked: vec![linked; self.nodes.len()],
            given: 0,
        });
        for node in &mut self.nodes {
            node.linked.push(linked);
            node.ready.push(linked);
        }
        self.wires.add_broker();
        index
    }

    /// Lets the next thing happen.
    pub(crate) fn step(&mut self) {
        match self.clock.next() {
            Some(Event::Tick(node)) => self.tick(node),
            Some(Event::Send(node)) => self.send_something(node),
            Some(Event::Carry(way)) => self.carry(way),
            Some(Event::Respond { node, to, call }) => {
                let _ = self.send(node, to, EnvelopeKind::Response, call);
            }
            Some(Event::GiveUp { node, call }) => self.give_up(node, call),
            Some(Event::Fault(fault)) => self.suffer(fault),
            None => {}
        }
        for way in std::mem::take(&mut self.wires.waiting) {
            let latency = self.random.of(30..1500);
            self.clock
                .after(Duration::from_micros(latency), Event::Carry(way));
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.clock.elapsed() + time;
        while self.clock.elapsed() < until {
            self.step();
        }
    }

    /// Whether everything that was accepted has arrived, between the living.
    pub(crate) fn is_settled(&self) -> bool {
        self.living_pairs().all(|(own, other)| {
            let (here, there) = (self.end(own, other), self.end(other, own));
            here.is_settled() && there.delivered == here.accepted.len()
        })
    }

    /// A call of a living node that has not ended.
    pub(crate) fn open_call(&self) -> Option<&Call> {
        let living = self.nodes.iter().filter(|node| node.alive);
        let mut calls = living.flat_map(|node| &node.calls_begun);
        calls.find(|call| call.ends.is_empty())
    }

    pub(crate) fn living_pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let living = |index: &usize| self.nodes[*index].alive;
        let living: Vec<_> = (0..self.nodes.len()).filter(living).collect();
        let pairs = living
            .clone()
            .into_iter()
            .flat_map(move |own| living.clone().into_iter().map(move |other| (own, other)));
        pairs.filter(|(own, other)| own != other)
    }

    pub(crate) fn end(&self, own: usize, other: usize) -> &End {
        &self.ends[own * self.nodes.len() + other]
    }

    /// The links of the node are others now.
    pub(crate) fn publish_links(&mut self, node: usize, ended: &[usize]) {
        self.nodes[node].update_routes(&self.brokers);
        let ended: Vec<_> = ended
            .iter()
            .map(|broker| self.brokers[*broker].id)
            .collect();
        let routes = self.nodes[node].routes.clone();
        for other in 0..self.nodes.len() {
            self.with_end(node, other, |end, link| {
                end.set_routes(&routes, &ended, link);
            });
        }
    }

    fn tick(&mut self, node: usize) {
        if !self.nodes[node].alive {
            return;
        }
        self.clock.after(TICK, Event::Tick(node));
        let now = self.clock.now();
        for call in self.nodes[node].calls.expired(now) {
            self.end_call(node, call.waiter, CallEnd::Late);
        }
        let routes = self.nodes[node].routes.clone();
        for other in 0..self.nodes.len() {
            self.with_end(node, other, |end, link| end.tick(&routes, now, link));
            self.end(node, other).check();
        }
    }

    /// What waits on the wire arrives, unless somebody is in its way.
    fn carry(&mut self, way: Way) {
        self.wires[way].scheduled = false;
        let (node, broker) = (&self.nodes[way.node], &self.brokers[way.broker]);
        let cut = self.wires[way].cut;
        if broker.frozen || !way.up && node.stalled || cut == Some(Cut::Holds) {
            return;
        }
        let (node_lives, broker_lives) = (node.alive, broker.alive);
        let batch = self.wires.take(way);
        if cut == Some(Cut::Loses) || !node_lives || !broker_lives {
            return;
        }
        if way.up {
            self.brokers[way.broker].given += batch.len();
            let broker = &self.brokers[way.broker];
            let nodes = &self.nodes;
            let index_of = |id: NodeId| {
                nodes
                    .iter()
                    .position(|node| node.id == id)
                    .unwrap_or_default()
            };
            broker.forward(way.broker, way.node, &batch, &mut self.wires, index_of);
        } else {
            for envelope in batch {
                self.arrive(way.node, way.broker, &envelope);
            }
        }
    }

    fn arrive(&mut self, node: usize, broker: usize, envelope: &Envelope) {
        if envelope.source == NodeId::BROKER {
            return self.hear_refusal(node, broker, envelope);
        }
        let source = self
            .nodes
            .iter()
            .position(|one| one.id == envelope.source)
            .unwrap_or_default();
        let is_next = self.with_end(node, source, |end, link| end.arrived(envelope, link));
        if is_next != Some(true) || envelope.sequence == 0 {
            return;
        }
        let count = self.nodes.len();
        let (here, there) = (node * count + source, source * count + node);
        let Ok([here, there]) = self.ends.get_disjoint_mut([here, there]) else {
            return;
        };
        here.deliver(envelope, there);
        let age = self.clock.now() - there.accepted[here.delivered - 1].at;
        self.oldest = self.oldest.max(age);
        self.handle(node, source, envelope);
    }

    fn hear_refusal(&mut self, node: usize, broker: usize, envelope: &Envelope) {
        let Ok(refusal) = Refusal::decode(envelope.body.clone()) else {
            return;
        };
        let destination = NodeId::from_u64(refusal.destination);
        let other = self.nodes.iter().position(|one| one.id == destination);
        let (now, routes) = (self.clock.now(), self.nodes[node].routes.clone());
        let broker = self.brokers[broker].id;
        if let Some(other) = other {
            self.with_end(node, other, |end, link| {
                end.refused(broker, &refusal, &routes, now, link);
            });
        }
    }

    /// Does something with one end of a pair, unless it has ended.
    pub(crate) fn with_end<T>(
        &mut self,
        own: usize,
        other: usize,
        what: impl FnOnce(&mut End, &mut Link<'_>) -> T,
    ) -> Option<T> {
        let index = own * self.nodes.len() + other;
        if own == other || self.ended[index] {
            return None;
        }
        let (wires, brokers) = (&mut self.wires, &self.brokers);
        let linked = &self.nodes[own].linked;
        let mut link = |broker, envelope: &Envelope, refusable| {
            let broker = brokers.iter().position(|one| one.id == broker);
            let way = broker.map(|broker| Way {
                node: own,
                broker,
                up: true,
            });
            way.is_some_and(|way| linked[way.broker] && wires.offer(way, envelope, refusable))
        };
        Some(what(&mut self.ends[index], &mut link))
    }
}
