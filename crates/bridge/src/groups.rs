//! All groups of a bridge, and what each is told of the others.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use ffrpc::NodeEvent;
use foldhash::HashMap;
use protocol::{GroupName, NodeName};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    announce::{Standing, announced},
    member::Member,
    metrics,
};

/// The groups of a bridge. Each has a number here, by which the rest of the crate
/// speaks of it.
pub(crate) struct Groups {
    pub(crate) bridge: NodeName,
    names: Vec<GroupName>,
    places: HashMap<String, usize>,
    members: Vec<Member>,
    /// Held while something is announced, so that what was seen last is said last.
    standings: Mutex<Vec<Standing>>,
    /// How many groups are reachable.
    reachable: watch::Sender<usize>,
    /// The bridge leaves by itself: that it reaches nobody then is no news.
    leaving: AtomicBool,
    /// Calls that have come, and those among them that were passed on and have not
    /// ended.
    pub(crate) arrived: AtomicU64,
    pub(crate) under_way: AtomicU64,
}

impl Groups {
    /// None of them is joined yet.
    pub(crate) fn new(bridge: NodeName, names: Vec<GroupName>) -> Self {
        let places = names.iter().enumerate();
        let places = places.map(|(place, name)| (name.to_string(), place));
        for name in &names {
            metrics::reachable(name.as_str(), false);
        }
        Groups {
            bridge,
            places: places.collect(),
            members: names
                .iter()
                .map(|name| Member::new(name.clone(), names.len()))
                .collect(),
            standings: Mutex::new(vec![Standing::default(); names.len()]),
            reachable: watch::Sender::new(0),
            leaving: AtomicBool::new(false),
            names,
            arrived: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
        }
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The group of this name that is another one than that at `from`.
    pub(crate) fn other(&self, from: usize, name: &str) -> Option<usize> {
        let place = self.places.get(name).copied();
        place.filter(|place| *place != from)
    }

    /// How many groups are reachable.
    pub(crate) fn reachable(&self) -> watch::Receiver<usize> {
        self.reachable.subscribe()
    }

    /// From now on the groups are lost on purpose.
    pub(crate) fn set_leaving(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Calls that were passed on and have not ended.
    pub(crate) fn calls(&self) -> u64 {
        self.under_way.load(Ordering::SeqCst)
    }

    /// Takes in what happens in the group at `place`.
    pub(crate) fn follow(&self, place: usize, event: &NodeEvent) {
        self.members[place].follow(event, &self.names);
        if matches!(event, NodeEvent::Joined(_) | NodeEvent::Lost) {
            self.look(place);
        }
    }

    /// Looks how the bridge stands in the group at `place`; if that has changed, all
    /// groups are told at once.
    pub(crate) fn look(&self, place: usize) {
        let member = &self.members[place];
        let Some(node) = member.node() else {
            return;
        };
        let mut standings = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let membership = node.membership().filter(|_| member.is_joined());
        let reach = *node.reach().borrow();
        let before = &standings[place];
        let next = before.next(&member.name, membership.as_ref(), reach);
        member.set_standing(next.trusted, next.reachable);
        if next == *before {
            return;
        }
        metrics::reachable(member.name.as_str(), next.reachable);
        if !self.leaving.load(Ordering::SeqCst) {
            log(&member.name, before, &next);
        }
        standings[place] = next;
        self.announce(&standings);
    }

    /// Says in each group what the others are.
    pub(crate) fn announce_all(&self) {
        self.announce(
            &self
                .standings
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn announce(&self, standings: &[Standing]) {
        for (place, member) in self.members.iter().enumerate() {
            if let Some(node) = member.node() {
                node.set_groups(announced(&self.names, standings, place));
            }
        }
        let reachable = standings.iter().filter(|standing| standing.reachable);
        self.reachable.send_replace(reachable.count());
    }
}

fn log(group: &GroupName, before: &Standing, next: &Standing) {
    if let Some(found) = &next.conflict
        && before.conflict != next.conflict
    {
        warn!(%group, found, "the master there is of another group: passing nothing on until it is of this one");
    }
    match (before.reachable, next.reachable) {
        (false, true) => info!(%group, "group reachable"),
        (true, false) => warn!(%group, "group unreachable"),
        _ => {}
    }
}
