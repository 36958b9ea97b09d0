//! Two ends of a pair, and the ways between them.

use std::{collections::VecDeque, time::Duration};

use ffrpc::channel::{Broker, Outgoing, Routes};
use protocol::{
    Envelope, NodeId,
    envelope::EnvelopeKind,
    v1::{Refusal, RefusalReason},
};
use tokio::time::Instant;

use crate::{
    end::{End, Full, Link},
    step::Step,
};

pub(crate) const LIMIT: usize = 8 << 10;
const NODES: [NodeId; 2] = [NodeId::new(1, 1), NodeId::new(1, 2)];
const BROKERS: [Broker; 3] = [
    Broker::Slave(NodeId::new(1, 3)),
    Broker::Slave(NodeId::new(1, 4)),
    Broker::Master,
];
/// What a broken way does with what `end` sends by `broker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) end: usize,
    pub(crate) broker: usize,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Loses,
    TakesNothing,
    HasNoRoom,
    HasNoRoute,
}

/// Both ends, and what is on its way between them.
pub(crate) struct Network {
    ends: [End; 2],
    routes: [Routes; 2],
    /// From which end, by which broker.
    ways: [[VecDeque<Envelope>; 3]; 2],
    room: [usize; 2],
    broken: Option<Broken>,
    now: Instant,
}

impl Network {
    pub(crate) fn new() -> Self {
        let routes = [routes(7), routes(7)];
        Network {
            ends: [
                End::new(NODES[0], NODES[1], LIMIT, &routes[0]),
                End::new(NODES[1], NODES[0], LIMIT, &routes[1]),
            ],
            routes,
            ways: Default::default(),
            room: [usize::MAX; 2],
            broken: None,
            now: Instant::now(),
        }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Send { end, kind, body } => {
                let call_id = self.ends[end].accepted.len() as u64 + 1;
                let now = self.now;
                let bytes = self.ends[end].pair.outgoing.bytes();
                let sent = self.with(end, |one, _, link| one.send(kind, call_id, body, now, link));
                if sent == Err(Full) {
                    assert!(kind.is_refusable());
                    assert_eq!(self.ends[end].pair.outgoing.bytes(), bytes);
                }
            }
            Step::Cancel { end, back } => {
                let last = self.ends[end].accepted.len() as u64;
                if let Some(sequence) = last.checked_sub(back).filter(|number| *number > 0) {
                    self.ends[end].cancel(sequence);
                }
            }
            Step::Deliver { end, broker, count } => {
                for _ in 0..count {
                    let Some(envelope) = self.ways[end][broker].pop_front() else {
                        break;
                    };
                    self.arrive(1 - end, &envelope);
                }
            }
            Step::Lose { end, broker, count } => {
                let way = &mut self.ways[end][broker];
                way.drain(..count.min(way.len()));
            }
            Step::Repeat { end, broker, count } => {
                let way = &self.ways[end][broker];
                let some: Vec<_> = way.iter().take(count).cloned().collect();
                for envelope in some {
                    self.arrive(1 - end, &envelope);
                }
            }
            Step::Refuse {
                end,
                broker,
                reason,
                count,
            } => {
                let way = &mut self.ways[end][broker];
                let run: Vec<_> = way.drain(..count.min(way.len())).collect();
                let first = run.iter().find(|envelope| envelope.sequence != 0);
                if let Some(first) = first {
                    self.refuse(end, broker, reason, first.sequence);
                }
            }
            Step::Nonsense {
                end,
                broker,
                reason,
                sequence,
            } => {
                self.refuse(end, broker, reason, sequence);
            }
            Step::FalseAck { end, beyond } => {
                let outgoing = &self.ends[end].pair.outgoing;
                let envelope = Envelope {
                    acknowledged: outgoing.next_sequence() + beyond,
                    ..Envelope::new(NODES[end], NODES[1 - end], EnvelopeKind::Ack)
                };
                let before = state(outgoing);
                self.room[end] = 0;
                self.arrive(end, &envelope);
                assert_eq!(state(&self.ends[end].pair.outgoing), before);
                self.room[end] = usize::MAX;
            }
            Step::Routes { end, mask } => self.set_routes(end, mask, &[]),
            Step::LinkEnded {
                end,
                broker,
                with_all,
            } => {
                if with_all {
                    self.ways[end][broker].clear();
                }
                let mask = mask(&self.routes[end]);
                self.set_routes(end, mask, &[BROKERS[broker]]);
            }
            Step::Room { end, envelopes } => self.room[end] = envelopes,
            Step::Tick { ms } => {
                self.now += Duration::from_millis(ms);
                self.tick();
            }
        }
        self.ends.iter().for_each(End::check);
    }

    /// From now on nothing is lost and everybody has room, but for one way.
    pub(crate) fn settle(&mut self, broken: Option<Broken>, within: Duration) {
        self.room = [usize::MAX; 2];
        self.broken = broken;
        for end in 0..2 {
            self.set_routes(end, 7, &[]);
        }
        let end_of_patience = self.now + within;
        while !self.ends.iter().all(End::is_settled) {
            assert!(self.now < end_of_patience, "{:?}", self.ends[0].pair);
            self.now += Duration::from_millis(10);
            self.tick();
            for _ in 0..2 {
                self.deliver_all();
            }
            self.ends.iter().for_each(End::check);
        }
        for end in 0..2 {
            assert_eq!(self.ends[end].delivered, self.ends[1 - end].accepted.len());
        }
    }

    fn deliver_all(&mut self) {
        for end in 0..2 {
            for broker in 0..3 {
                let way = std::mem::take(&mut self.ways[end][broker]);
                match self.broken {
                    Some(broken) if (broken.end, broken.broker) == (end, broker) => {
                        self.break_down(broken, &way);
                    }
                    _ => way.iter().for_each(|one| self.arrive(1 - end, one)),
                }
            }
        }
    }

    fn break_down(&mut self, broken: Broken, way: &VecDeque<Envelope>) {
        let reason = match broken.how {
            How::Loses | How::TakesNothing => return,
            How::HasNoRoom => RefusalReason::NoRoom,
            How::HasNoRoute => RefusalReason::NoRoute,
        };
        if let Some(first) = way.iter().find(|envelope| envelope.sequence != 0) {
            self.refuse(broken.end, broken.broker, reason, first.sequence);
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        for end in 0..2 {
            self.with(end, |one, routes, link| one.tick(routes, now, link));
        }
    }

    fn arrive(&mut self, end: usize, envelope: &Envelope) {
        let is_next = self.with(end, |one, _, link| one.arrived(envelope, link));
        if is_next && envelope.sequence != 0 {
            let [first, second] = &mut self.ends;
            match end {
                0 => first.deliver(envelope, second),
                _ => second.deliver(envelope, first),
            }
        }
    }

    fn refuse(&mut self, end: usize, broker: usize, reason: RefusalReason, sequence: u64) {
        let refusal = Refusal {
            destination: NODES[1 - end].as_u64(),
            sequence,
            reason: reason.into(),
        };
        let now = self.now;
        self.with(end, |one, routes, link| {
            one.refused(BROKERS[broker], &refusal, routes, now, link);
        });
    }

    fn set_routes(&mut self, end: usize, mask: u8, ended: &[Broker]) {
        self.routes[end] = routes(mask);
        self.with(end, |one, routes, link| one.set_routes(routes, ended, link));
    }

    fn with<T>(
        &mut self,
        end: usize,
        what: impl FnOnce(&mut End, &Routes, &mut Link<'_>) -> T,
    ) -> T {
        let (ways, room) = (&mut self.ways[end], &mut self.room[end]);
        let broken = self.broken.filter(|broken| broken.end == end);
        let mut link = |broker: Broker, envelope: &Envelope, _refusable: bool| {
            let index = BROKERS.iter().position(|one| *one == broker).unwrap();
            let takes = |broken: Broken| broken.broker != index || broken.how != How::TakesNothing;
            let is_taken = *room > 0 && broken.is_none_or(takes);
            if is_taken {
                *room -= usize::from(*room != usize::MAX);
                ways[index].push_back(envelope.clone());
            }
            is_taken
        };
        what(&mut self.ends[end], &self.routes[end], &mut link)
    }
}

fn state(outgoing: &Outgoing) -> (u64, usize, bool) {
    (
        outgoing.next_sequence(),
        outgoing.bytes(),
        outgoing.is_clear(),
    )
}

fn routes(mask: u8) -> Routes {
    let mut routes = Routes::default();
    for (index, broker) in BROKERS.iter().enumerate() {
        match broker {
            _ if mask & 1 << index == 0 => {}
            Broker::Slave(id) => routes.slaves.push(*id),
            Broker::Master => routes.master = true,
        }
    }
    routes
}

fn mask(of: &Routes) -> u8 {
    (0..3_u8)
        .filter(|index| of.contains(BROKERS[usize::from(*index)]))
        .map(|index| 1 << index)
        .sum()
}
