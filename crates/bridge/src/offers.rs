//! Who of a group offers a method, and who of those carries least.
//!
//! A state machine without I/O: what the directory says of nodes goes in, and each
//! call asks whom it is for. Nodes stand under what they offer, so that a call looks
//! at those alone that could answer it, and nothing is allocated for it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ffrpc::NodeRecord;
use foldhash::HashMap;
use protocol::{NodeId, method::SERVICE, v1::Role};

use crate::cmd::read_cmd;

/// The nodes of a group, by what they offer.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    nodes: Vec<Option<Offerer>>,
    /// Places in `nodes` that nobody has.
    free: Vec<usize>,
    ids: HashMap<NodeId, usize>,
    /// Who was last heard of under a name.
    names: HashMap<String, NodeId>,
    /// Places of the nodes that are ready, by what they offer.
    methods: HashMap<String, Vec<usize>>,
    cmds: HashMap<u32, Vec<usize>>,
    /// By what a method begins with. A group has few of them.
    families: Vec<(String, Vec<usize>)>,
    /// How many choices were made.
    turn: u64,
}

/// Whom a call goes to. Has to be given back when the call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) node: NodeId,
    place: usize,
}

#[derive(Debug)]
struct Offerer {
    record: Arc<NodeRecord>,
    /// As last heard.
    load: u64,
    /// Calls of this bridge that have not ended.
    under_way: u64,
    /// The turn in which it was last chosen; 0 for never.
    chosen: u64,
    /// No broker has a link to it, so that its process may have ended.
    unreachable: bool,
}

/// What a node can be found under.
enum Offered<'a> {
    Method(&'a str),
    Cmd(u32),
    Family(&'a str),
}

impl Offers {
    /// A node is new, or this is its record now.
    pub(crate) fn upsert(&mut self, record: Arc<NodeRecord>) {
        self.names.insert(record.name.to_string(), record.id);
        let Some(place) = self.ids.get(&record.id).copied() else {
            return self.insert(record);
        };
        let before = self.nodes[place].as_mut().map(|offerer| {
            offerer.load = record.load;
            std::mem::replace(&mut offerer.record, Arc::clone(&record))
        });
        if let Some(before) = before
            && !offer_the_same(&before, &record)
        {
            self.withdraw(place, &before);
            self.enter(place, &record);
        }
    }

    /// A node is gone.
    pub(crate) fn remove(&mut self, node: NodeId) {
        let Some(place) = self.ids.remove(&node) else {
            return;
        };
        self.free.push(place);
        if let Some(offerer) = self.nodes[place].take() {
            let name = offerer.record.name.as_str();
            // It may have a new holder already.
            if self.names.get(name) == Some(&node) {
                self.names.remove(name);
            }
            self.withdraw(place, &offerer.record);
        }
    }

    /// The node carries so much now.
    pub(crate) fn load(&mut self, node: NodeId, load: u64) {
        if let Some(offerer) = self.get_mut(node) {
            offerer.load = load;
        }
    }

    /// Whether a broker has said that it has no link to the node.
    pub(crate) fn unreachable(&mut self, node: NodeId, unreachable: bool) {
        if let Some(offerer) = self.get_mut(node) {
            offerer.unreachable = unreachable;
        }
    }

    /// Nobody is known any more.
    pub(crate) fn clear(&mut self) {
        *self = Offers {
            turn: self.turn,
            ..Offers::default()
        };
    }

    /// The node that offers `method`, is `allowed` by name, and carries least: what it
    /// has said last, and the calls that it was sent from here and that have not
    /// ended. Of two that carry the same it is whoever was chosen longest ago. One
    /// that no broker has a link to is left for when there is nobody else.
    pub(crate) fn choose(
        &mut self,
        method: &str,
        allowed: impl Fn(&str) -> bool,
    ) -> Option<Chosen> {
        let cmd = read_cmd(method).and_then(|cmd| self.cmds.get(&cmd));
        let families = self.families.iter();
        let fitting = families.filter(|(prefix, _)| method.starts_with(prefix.as_str()));
        let places = self.methods.get(method).into_iter().chain(cmd);
        let places = places.chain(fitting.map(|(_, places)| places)).flatten();
        let (_, place) = places
            .filter_map(|place| Some((self.nodes[*place].as_ref()?, *place)))
            .filter(|(offerer, _)| allowed(offerer.record.name.as_str()))
            .min_by_key(|(offerer, _)| offerer.rank())?;
        self.take(place)
    }

    /// The node of this name, if it is ready and no broker or bridge, whatever it offers.
    pub(crate) fn named(&mut self, name: &str) -> Option<Chosen> {
        let node = self.names.get(name)?;
        let place = *self.ids.get(node)?;
        let callable = is_callable(&self.nodes[place].as_ref()?.record);
        callable.then(|| self.take(place)).flatten()
    }

    /// A call has ended. Its node may be gone.
    pub(crate) fn ended(&mut self, chosen: Chosen) {
        if let Some(Some(offerer)) = self.nodes.get_mut(chosen.place)
            && offerer.record.id == chosen.node
        {
            offerer.under_way = offerer.under_way.saturating_sub(1);
        }
    }

    fn insert(&mut self, record: Arc<NodeRecord>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            self.nodes.len() - 1
        });
        self.ids.insert(record.id, place);
        self.enter(place, &record);
        self.nodes[place] = Some(Offerer {
            load: record.load,
            record,
            under_way: 0,
            chosen: 0,
            unreachable: false,
        });
    }

    fn take(&mut self, place: usize) -> Option<Chosen> {
        self.turn += 1;
        let offerer = self.nodes[place].as_mut()?;
        offerer.chosen = self.turn;
        offerer.under_way += 1;
        let node = offerer.record.id;
        Some(Chosen { node, place })
    }

    fn get_mut(&mut self, node: NodeId) -> Option<&mut Offerer> {
        let place = *self.ids.get(&node)?;
        self.nodes[place].as_mut()
    }

    /// Puts a node under what it offers.
    fn enter(&mut self, place: usize, record: &NodeRecord) {
        for offered in offered(record) {
            match offered {
                Offered::Method(name) => self.methods.entry(name.to_owned()).or_default(),
                Offered::Cmd(cmd) => self.cmds.entry(cmd).or_default(),
                Offered::Family(prefix) => family(&mut self.families, prefix),
            }
            .push(place);
        }
    }

    /// Takes it away again.
    fn withdraw(&mut self, place: usize, record: &NodeRecord) {
        let without = |places: &mut Vec<usize>| {
            places.retain(|other| *other != place);
            places.is_empty()
        };
        for offered in offered(record) {
            match offered {
                Offered::Method(name) => {
                    if self.methods.get_mut(name).is_some_and(without) {
                        self.methods.remove(name);
                    }
                }
                Offered::Cmd(cmd) => {
                    if self.cmds.get_mut(&cmd).is_some_and(without) {
                        self.cmds.remove(&cmd);
                    }
                }
                Offered::Family(prefix) => self
                    .families
                    .retain_mut(|(own, places)| own != prefix || !without(places)),
            }
        }
    }
}

impl Offerer {
    /// The lowest is chosen.
    fn rank(&self) -> (bool, u64, u64, NodeId) {
        let load = self.load.saturating_add(self.under_way);
        (self.unreachable, load, self.chosen, self.record.id)
    }
}

fn family<'a>(families: &'a mut Vec<(String, Vec<usize>)>, prefix: &str) -> &'a mut Vec<usize> {
    let place = families.iter().position(|(own, _)| own == prefix);
    let place = place.unwrap_or_else(|| {
        families.push((prefix.to_owned(), Vec::new()));
        families.len() - 1
    });
    &mut families[place].1
}

/// What a node offers while it is ready. A scene answers to all services, and serves
/// those that its script has said.
fn offered(record: &NodeRecord) -> impl Iterator<Item = Offered<'_>> {
    let (scene, callable) = (record.role == Role::Scene, is_callable(record));
    let methods = record.methods.iter().filter(move |_| callable);
    let methods = methods.filter_map(move |name| match name.strip_suffix('*') {
        Some(SERVICE) if scene => None,
        Some(prefix) => Some(Offered::Family(prefix)),
        None => Some(Offered::Method(name)),
    });
    let cmds = record.script.iter().filter(move |_| scene && callable);
    methods.chain(cmds.flat_map(|script| script.services.iter().copied().map(Offered::Cmd)))
}

/// Whether calls of other groups may go there: not to who only carries what others say.
/// A broker has no link to itself, so that they would wait in vain.
fn is_callable(record: &NodeRecord) -> bool {
    record.is_ready() && !matches!(record.role, Role::Master | Role::Slave | Role::Bridge)
}

fn offer_the_same(one: &NodeRecord, other: &NodeRecord) -> bool {
    one.is_ready() == other.is_ready()
        && one.role == other.role
        && one.methods == other.methods
        && services(one) == services(other)
}

fn services(record: &NodeRecord) -> &[u32] {
    record
        .script
        .as_ref()
        .map_or(&[], |script| &script.services)
}
