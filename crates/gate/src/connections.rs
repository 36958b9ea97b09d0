//! Who may connect, and everybody who has: a bound on all connections
//! together, and one on those of each address.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use protocol::v1::CloseReason;

use crate::handle::Handle;

/// Every open connection, verified or not.
///
/// A connection counts against `sessions_per_gate` from its first byte: it may
/// become a session, and it costs a socket either way.
#[derive(Debug)]
pub(crate) struct Connections {
    handles: DashMap<u64, Arc<Handle>>,
    addresses: DashMap<IpAddr, usize>,
    limit: usize,
    limit_of_address: usize,
    count: AtomicUsize,
    next: AtomicU64,
    draining: AtomicBool,
}

/// A connection's place among the others. It is free again when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    /// The address that it counts for, if it does for any.
    address: Option<IpAddr>,
}

impl Connections {
    /// So many in all, and so many of each address.
    pub(crate) fn new(limit: usize, limit_of_address: usize) -> Self {
        Connections {
            handles: DashMap::new(),
            addresses: DashMap::new(),
            limit,
            limit_of_address: limit_of_address.max(1),
            count: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    /// Gives a connection from `ip` a place, or says why it gets none.
    pub(crate) fn enter(
        self: &Arc<Self>,
        ip: IpAddr,
        handle: &Arc<Handle>,
    ) -> Result<Place, CloseReason> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.limit {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(CloseReason::GateFull);
        }
        // From here on the place counts, and dropping it takes that back.
        let mut place = Place {
            connections: Arc::clone(self),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            address: None,
        };
        if let Some(address) = counted(ip) {
            let mut of_address = self.addresses.entry(address).or_insert(0);
            if *of_address >= self.limit_of_address {
                return Err(CloseReason::AddressFull);
            }
            *of_address += 1;
            place.address = Some(address);
        }
        self.handles.insert(place.number, Arc::clone(handle));
        // Either this sees that the gate drains, or the one who said so finds
        // the handle.
        if self.draining.load(Ordering::SeqCst) {
            handle.close_stranger(CloseReason::Draining);
        }
        Ok(place)
    }

    /// Sends those away who have not been let in, now and from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        for entry in &self.handles {
            entry.value().close_stranger(CloseReason::Draining);
        }
    }

    /// Asks every connection to end.
    pub(crate) fn close_all(&self, reason: CloseReason) {
        for entry in &self.handles {
            entry.value().close(reason);
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.handles.remove(&self.number);
        if let Some(address) = self.address {
            self.connections
                .addresses
                .remove_if_mut(&address, |_, of_address| {
                    *of_address = of_address.saturating_sub(1);
                    *of_address == 0
                });
        }
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection counts for: not this machine itself, and of IPv6 the
/// network, since everybody has as many addresses in it as they like.
fn counted(ip: IpAddr) -> Option<IpAddr> {
    match ip.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V4(ip) => Some(IpAddr::V4(ip)),
        IpAddr::V6(ip) => {
            let network = ip.to_bits() >> 64 << 64;
            Some(IpAddr::V6(Ipv6Addr::from_bits(network)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbound::{Batch, Outbound},
        window::SessionWindow,
    };

    fn handle() -> Arc<Handle> {
        Arc::new(Handle::new(
            Outbound::new(1, 1),
            SessionWindow::new(1, 1_000),
        ))
    }

    fn enter(connections: &Arc<Connections>, ip: &str) -> Result<Place, CloseReason> {
        connections.enter(ip.parse().unwrap(), &handle())
    }

    #[test]
    fn gate_is_full_until_somebody_goes() {
        let connections = Arc::new(Connections::new(2, 10));
        let first = enter(&connections, "10.0.0.1").unwrap();
        let _second = enter(&connections, "127.0.0.1").unwrap();
        let refused = enter(&connections, "10.0.0.2").unwrap_err();
        assert_eq!(refused, CloseReason::GateFull);
        drop(first);
        let _third = enter(&connections, "10.0.0.2").unwrap();
        assert_eq!(connections.len(), 2);
    }

    #[test]
    fn address_is_full_and_its_neighbours_are_not() {
        let connections = Arc::new(Connections::new(100, 1));
        let first = enter(&connections, "10.0.0.1").unwrap();
        let refused = enter(&connections, "::ffff:10.0.0.1").unwrap_err();
        assert_eq!(refused, CloseReason::AddressFull);
        let _other = enter(&connections, "10.0.0.2").unwrap();
        drop(first);
        let _again = enter(&connections, "10.0.0.1").unwrap();
        assert_eq!(connections.len(), 2, "a refusal leaves nothing behind");
    }

    #[test]
    fn network_of_ipv6_counts_as_one_address() {
        let connections = Arc::new(Connections::new(100, 1));
        let _first = enter(&connections, "2001:db8::1").unwrap();
        assert!(enter(&connections, "2001:db8::2").is_err());
        let _other = enter(&connections, "2001:db8:0:1::1").unwrap();
    }

    #[test]
    fn loopback_is_not_counted() {
        let connections = Arc::new(Connections::new(100, 1));
        let _places: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1", "::1", "::ffff:127.0.0.1"]
            .map(|ip| enter(&connections, ip).unwrap())
            .into();
        assert!(connections.addresses.is_empty());
    }

    #[test]
    fn drain_sends_away_who_is_not_in_and_who_comes_later() {
        let connections = Arc::new(Connections::new(100, 1));
        let (before, active, after) = (handle(), handle(), handle());
        active.activate();
        let ip = "127.0.0.1".parse().unwrap();
        let _before = connections.enter(ip, &before).unwrap();
        let _active = connections.enter(ip, &active).unwrap();
        connections.drain();
        let _after = connections.enter(ip, &after).unwrap();
        let asked = |handle: &Handle| handle.collect(&mut Batch::default()).asked;
        assert_eq!(asked(&before), Some(CloseReason::Draining));
        assert_eq!(asked(&active), None);
        assert_eq!(asked(&after), Some(CloseReason::Draining));
    }
}
