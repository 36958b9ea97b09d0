//! Which broker carries a pair.

use protocol::NodeId;

/// A broker that this node has a link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broker {
    /// The one that keeps the directory, whichever run of it.
    Master,
    /// A slave.
    Slave(NodeId),
}

/// The brokers that can carry something now: each is linked, and ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Slaves, in any order.
    pub slaves: Vec<NodeId>,
    /// Whether the master can be used where no slave can.
    pub master: bool,
}

impl Routes {
    /// The broker for what `source` sends to `destination`: of the slaves that
    /// may be used the one with the highest rendezvous hash, and the master
    /// where there is none.
    ///
    /// So a broker that comes or goes moves only the pairs that it carries, and
    /// nobody has to be asked.
    pub fn choose(
        &self,
        source: NodeId,
        destination: NodeId,
        usable: impl Fn(Broker) -> bool,
    ) -> Option<Broker> {
        let slave = self
            .slaves
            .iter()
            .map(|slave| Broker::Slave(*slave))
            .filter(|slave| usable(*slave))
            .max_by_key(|slave| (score(source, destination, *slave), *slave));
        slave.or_else(|| (self.master && usable(Broker::Master)).then_some(Broker::Master))
    }

    /// Whether this is one of them.
    pub fn contains(&self, broker: Broker) -> bool {
        match broker {
            Broker::Master => self.master,
            Broker::Slave(id) => self.slaves.contains(&id),
        }
    }

    /// Whether nothing can be sent at all.
    pub fn is_empty(&self) -> bool {
        self.slaves.is_empty() && !self.master
    }

    /// How many brokers there are to choose from.
    pub fn len(&self) -> usize {
        self.slaves.len() + usize::from(self.master)
    }
}

/// The rendezvous hash of a pair and a broker. It only has to spread: both ends
/// of a pair choose their own way independently.
fn score(source: NodeId, destination: NodeId, broker: Broker) -> u64 {
    let broker = match broker {
        Broker::Master => 0,
        Broker::Slave(id) => id.as_u64(),
    };
    [source.as_u64(), destination.as_u64(), broker]
        .into_iter()
        .fold(0, |hash, id| mix(hash ^ id))
}

/// The finaliser of splitmix64: every bit of the input changes half of the
/// output.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn node(serial: u32) -> NodeId {
        NodeId::new(7, serial)
    }

    fn routes(slaves: std::ops::Range<u32>) -> Routes {
        Routes {
            slaves: slaves.map(node).collect(),
            master: true,
        }
    }

    fn chosen(routes: &Routes) -> BTreeMap<(u32, u32), Broker> {
        let pairs = (100..200).flat_map(|source| (100..120).map(move |to| (source, to)));
        pairs
            .map(|(source, to)| {
                let broker = routes.choose(node(source), node(to), |_| true);
                ((source, to), broker.unwrap())
            })
            .collect()
    }

    #[test]
    fn pairs_spread_evenly_over_the_slaves_and_none_over_the_master() {
        let mut counts = BTreeMap::new();
        for broker in chosen(&routes(0..4)).into_values() {
            *counts.entry(broker).or_insert(0) += 1;
        }
        assert!(!counts.contains_key(&Broker::Master));
        assert_eq!(counts.len(), 4);
        for count in counts.into_values() {
            assert!((400..600).contains(&count), "{count} of 2000 pairs");
        }
    }

    #[test]
    fn a_slave_that_comes_or_goes_moves_only_its_own_pairs() {
        let (three, four) = (chosen(&routes(0..3)), chosen(&routes(0..4)));
        let moved = three
            .iter()
            .filter(|(pair, broker)| four[*pair] != **broker);
        for (pair, _) in moved.clone() {
            assert_eq!(four[pair], Broker::Slave(node(3)));
        }
        assert!((400..600).contains(&moved.count()));
    }

    #[test]
    fn the_master_carries_what_no_slave_can() {
        let routes = routes(0..2);
        let choose = |usable: fn(Broker) -> bool| routes.choose(node(8), node(9), usable);
        assert_eq!(
            choose(|broker| broker == Broker::Master),
            Some(Broker::Master)
        );
        assert_eq!(choose(|_| false), None);
        assert_eq!(Routes::default().choose(node(8), node(9), |_| true), None);
    }
}
