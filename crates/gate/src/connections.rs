//! Who may connect, and everybody who has: a bound on those who have not said
//! who they are, one on those who have, and one on those of each address.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use dashmap::DashMap;
use protocol::v1::CloseReason;
use topology::Limits;

use crate::{
    handle::{Handle, Taken},
    live::Amount,
};

/// Every open connection, verified or not.
///
/// A connection counts against `unverified_per_gate` until it has said who it is,
/// and against `sessions_per_gate` from then on. So those who connect and say
/// nothing push out each other, and never a session.
#[derive(Debug)]
pub(crate) struct Connections {
    handles: DashMap<u64, Arc<Handle>>,
    addresses: DashMap<IpAddr, usize>,
    /// Those who have said nothing, the oldest first. Locked for a few
    /// instructions, once at the beginning of a connection and once when it has
    /// said who it is.
    silent: Mutex<BTreeSet<u64>>,
    sessions: AtomicUsize,
    limits: Bounds,
    next: AtomicU64,
    draining: AtomicBool,
}

/// How many connections there may be now.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// Of those who have said who they are.
    pub(crate) sessions: Amount,
    /// Of those who have not.
    pub(crate) unverified: Amount,
    /// Of one address.
    pub(crate) of_address: Amount,
}

impl Bounds {
    /// Those of a gate with these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Bounds {
            sessions: Amount::new(limits.sessions_per_gate),
            unverified: Amount::new(limits.unverified_per_gate),
            of_address: Amount::new(limits.connections_per_address),
        }
    }
}

/// A connection's place among the others. It is free again when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    /// The address that it counts for, if it does for any.
    address: Option<IpAddr>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Silent,
    Session,
    Neither,
}

impl Connections {
    /// None yet, and so many at most.
    pub(crate) fn new(limits: Bounds) -> Self {
        Connections {
            handles: DashMap::new(),
            addresses: DashMap::new(),
            silent: Mutex::default(),
            sessions: AtomicUsize::new(0),
            limits,
            next: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    /// Gives a connection a place. The one that has been silent for the longest may
    /// have to go for it.
    pub(crate) fn enter(self: &Arc<Self>, handle: &Arc<Handle>) -> Place {
        // From here on the place counts, and dropping it takes that back.
        let place = Place {
            connections: Arc::clone(self),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            address: None,
            stage: Stage::Silent,
        };
        self.handles.insert(place.number, Arc::clone(handle));
        if let Some(oldest) = self.join_silent(place.number)
            && let Some(oldest) = self.handles.get(&oldest)
        {
            oldest.close_stranger(CloseReason::CrowdedOut);
        }
        // Either this sees that the gate drains, or the one who said so finds
        // the handle.
        if self.draining.load(Ordering::SeqCst) {
            handle.close_stranger(CloseReason::Draining);
        }
        place
    }

    /// Sends those away who have not been let in, now and from now on, and gives
    /// the others `notice`.
    pub(crate) fn drain(&self, notice: &Bytes) {
        self.draining.store(true, Ordering::SeqCst);
        for entry in &self.handles {
            entry.value().drain(notice);
        }
    }

    /// Whether the gate is about to go.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// So many at most from now on. Those who are there stay, and newcomers wait
    /// until enough of them have gone.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        let Bounds {
            sessions,
            unverified,
            of_address,
        } = &self.limits;
        sessions.set(limits.sessions_per_gate);
        unverified.set(limits.unverified_per_gate);
        of_address.set(limits.connections_per_address);
    }

    /// Has every connection look at what holds for it.
    pub(crate) fn stir_all(&self) {
        for entry in &self.handles {
            entry.value().stir();
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
        self.handles.len()
    }

    /// Whether each of them is about to end.
    #[cfg(test)]
    pub(crate) fn are_closing(&self) -> bool {
        let batch = &mut crate::outbound::Batch::default();
        self.handles
            .iter()
            .all(|entry| entry.value().collect(batch).asked.is_some())
    }

    /// Adds one to the silent ones, and takes the oldest out if they are too many.
    /// How many sessions there may be.
    pub(crate) fn sessions_limit(&self) -> usize {
        self.limits.sessions.get()
    }

    /// Frames and bytes that wait for clients, of all of them.
    pub(crate) fn queued(&self) -> Taken {
        let queued = self.handles.iter().map(|handle| handle.queued());
        queued.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    fn join_silent(&self, number: u64) -> Option<u64> {
        let mut silent = self.silent();
        silent.insert(number);
        if silent.len() > self.limits.unverified.get().max(1) {
            silent.pop_first()
        } else {
            None
        }
    }

    fn silent(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// It is a client at `ip`, which may have too many already.
    pub(crate) fn come_from(&mut self, ip: IpAddr) -> Result<(), CloseReason> {
        let Some(address) = counted(ip) else {
            return Ok(());
        };
        let of = &self.connections;
        let mut of_address = of.addresses.entry(address).or_insert(0);
        if *of_address >= of.limits.of_address.get().max(1) {
            return Err(CloseReason::AddressFull);
        }
        *of_address += 1;
        self.address = Some(address);
        Ok(())
    }

    /// The client has said who it is: it counts as a session now, or is told why
    /// it cannot.
    pub(crate) fn speak(&mut self) -> Result<(), CloseReason> {
        let of = &self.connections;
        let was_silent = of.silent().remove(&self.number);
        self.stage = Stage::Neither;
        if !was_silent {
            return Err(CloseReason::CrowdedOut);
        }
        if of.sessions.fetch_add(1, Ordering::Relaxed) >= of.limits.sessions.get() {
            of.sessions.fetch_sub(1, Ordering::Relaxed);
            return Err(CloseReason::GateFull);
        }
        self.stage = Stage::Session;
        Ok(())
    }
}

impl Place {
    /// This connection goes on with the session of the one `before`, and `handle` is its
    /// own. It is no more than one session, whatever the bound.
    pub(crate) fn succeed(&mut self, before: &mut Place, handle: &Arc<Handle>) {
        let of = &self.connections;
        of.silent().remove(&self.number);
        of.handles.insert(self.number, Arc::clone(handle));
        self.stage = std::mem::replace(&mut before.stage, Stage::Neither);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let of = &self.connections;
        of.handles.remove(&self.number);
        if let Some(address) = self.address {
            of.addresses.remove_if_mut(&address, |_, of_address| {
                *of_address = of_address.saturating_sub(1);
                *of_address == 0
            });
        }
        match self.stage {
            Stage::Silent => {
                of.silent().remove(&self.number);
            }
            Stage::Session => {
                of.sessions.fetch_sub(1, Ordering::Relaxed);
            }
            Stage::Neither => {}
        }
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
    use crate::outbound::{Batch, Outbound};

    fn handle() -> Arc<Handle> {
        Arc::new(Handle::new(Outbound::new(9, 900)))
    }

    fn connections(sessions: usize, unverified: usize, of_address: usize) -> Arc<Connections> {
        Arc::new(Connections::new(Bounds {
            sessions: Amount::new(sessions),
            unverified: Amount::new(unverified),
            of_address: Amount::new(of_address),
        }))
    }

    fn asked(handle: &Handle) -> Option<CloseReason> {
        handle.collect(&mut Batch::default()).asked
    }

    fn enter(connections: &Arc<Connections>, ip: &str) -> Result<Place, CloseReason> {
        let mut place = connections.enter(&handle());
        place.come_from(ip.parse().unwrap())?;
        Ok(place)
    }

    #[test]
    fn gate_is_full_until_a_session_goes() {
        let connections = connections(2, 10, 10);
        let mut places: Vec<_> = (0..3)
            .map(|_| enter(&connections, "127.0.0.1").unwrap())
            .collect();
        assert_eq!(places[0].speak(), Ok(()));
        assert_eq!(places[1].speak(), Ok(()));
        assert_eq!(places[2].speak(), Err(CloseReason::GateFull));
        places.remove(0);
        let mut next = enter(&connections, "127.0.0.1").unwrap();
        assert_eq!(next.speak(), Ok(()));
        drop((places, next));
        assert_eq!(connections.len(), 0);
        assert_eq!(connections.sessions.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn silent_ones_crowd_out_the_oldest_of_them_and_never_a_session() {
        let connections = connections(1, 2, 10);
        let handles: Vec<_> = (0..5).map(|_| handle()).collect();
        let mut session = connections.enter(&handles[0]);
        session.speak().unwrap();
        let mut oldest = connections.enter(&handles[1]);
        let second = connections.enter(&handles[2]);
        let _third = connections.enter(&handles[3]);
        let reasons: Vec<_> = handles.iter().map(|handle| asked(handle)).collect();
        let out = Some(CloseReason::CrowdedOut);
        assert_eq!(reasons, [None, out, None, None, None]);
        assert_eq!(oldest.speak(), out.map_or(Ok(()), Err), "it is too late");
        drop(second);
        let _fourth = connections.enter(&handles[4]);
        assert_eq!(asked(&handles[3]), None, "there is a place again");
    }

    #[test]
    fn address_is_full_and_its_neighbours_are_not() {
        let connections = connections(100, 100, 1);
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
        let connections = connections(100, 100, 1);
        let _first = enter(&connections, "2001:db8::1").unwrap();
        assert!(enter(&connections, "2001:db8::2").is_err());
        let _other = enter(&connections, "2001:db8:0:1::1").unwrap();
    }

    #[test]
    fn loopback_is_not_counted() {
        let connections = connections(100, 100, 1);
        let _places: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1", "::1", "::ffff:127.0.0.1"]
            .map(|ip| enter(&connections, ip).unwrap())
            .into();
        assert!(connections.addresses.is_empty());
    }

    #[test]
    fn drain_sends_away_who_is_not_in_and_who_comes_later() {
        let connections = connections(100, 100, 1);
        let (before, active, after) = (handle(), handle(), handle());
        active.activate("hello".into(), false);
        let _before = connections.enter(&before);
        let _active = connections.enter(&active);
        connections.drain(&"draining".into());
        let _after = connections.enter(&after);
        assert_eq!(asked(&before), Some(CloseReason::Draining));
        assert_eq!(asked(&active), None);
        assert_eq!(asked(&after), Some(CloseReason::Draining));
    }
}
