//! The other gates of the group, as far as this one has heard.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{NodeId, NodeName, v1::Stand};
use tokio::sync::Notify;

use super::address;
use crate::transport::Kind;

/// The gates of the group, this one among them.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// Held for a look at all of them.
    known: Mutex<HashMap<NodeId, Known>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    is_ready: bool,
    /// What it has said last, if its last answer was one.
    stand: Option<Stand>,
    /// Clients that are about to be sent there, and that it does not know of yet.
    pending: u64,
}

/// A gate that was chosen for a client: the client counts there from now on, until this
/// is dropped.
#[derive(Debug)]
pub(crate) struct Choice {
    gates: Arc<Gates>,
    gate: NodeId,
}

impl Gates {
    /// This is what is known of a gate now.
    pub(crate) fn upsert(&self, gate: NodeId, is_ready: bool) {
        let mut known = self.lock();
        let entry = known.entry(gate).or_default();
        let is_news = is_ready && !entry.is_ready;
        entry.is_ready = is_ready;
        drop(known);
        if is_news {
            self.changed.notify_one();
        }
    }

    pub(crate) fn remove(&self, gate: NodeId) {
        self.lock().remove(&gate);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Whether it is a gate.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.lock().contains_key(&node)
    }

    /// Waits until there is another one.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Those that are ready, in no order.
    pub(crate) fn ids(&self) -> Vec<NodeId> {
        let known = self.lock();
        let ready = known.iter().filter(|(_, gate)| gate.is_ready);
        ready.map(|(id, _)| *id).collect()
    }

    /// How a gate stands, or that it did not say so.
    pub(crate) fn heard(&self, gate: NodeId, stand: Option<Stand>) {
        if let Some(known) = self.lock().get_mut(&gate) {
            known.stand = stand;
        }
    }

    /// Whether a client of this kind could be sent anywhere.
    pub(crate) fn has_room(&self, verify: &NodeName) -> bool {
        let known = self.lock();
        let kinds = [Kind::Tcp, Kind::WebSocket];
        let mut fitting = known.values().filter(|gate| {
            let fits = |kind| gate.load(kind, verify).is_some();
            kinds.into_iter().any(fits)
        });
        fitting.next().is_some()
    }

    /// Of those that take clients of this kind, whom the same scene verifies, the one with
    /// the fewest. Between equals chance decides: other login gates choose as well.
    pub(crate) fn choose(self: &Arc<Self>, kind: Kind, verify: &NodeName) -> Option<Choice> {
        let mut known = self.lock();
        let loads = known
            .iter()
            .filter_map(|(id, gate)| Some((gate.load(kind, verify)?, rand::random::<u32>(), *id)));
        let (_, _, gate) = loads.min()?;
        known.get_mut(&gate)?.pending += 1;
        let gates = Arc::clone(self);
        Some(Choice { gates, gate })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// How many clients it has, if it takes another one of this kind.
    fn load(&self, kind: Kind, verify: &NodeName) -> Option<u64> {
        let stand = self.stand.as_ref().filter(|_| self.is_ready)?;
        let fits = stand.takes_clients
            && stand.verify == verify.as_str()
            && !address(stand, kind).is_empty();
        fits.then(|| stand.load.saturating_add(self.pending))
    }
}

impl Choice {
    pub(crate) fn gate(&self) -> NodeId {
        self.gate
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        if let Some(known) = self.gates.lock().get_mut(&self.gate) {
            known.pending = known.pending.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(load: u64) -> Stand {
        Stand {
            takes_clients: true,
            load,
            verify: "scene@0".to_owned(),
            tcp: "tcp://127.0.0.1:1".to_owned(),
            websocket: String::new(),
        }
    }

    fn id(serial: u32) -> NodeId {
        NodeId::new(1, serial)
    }

    fn gates(loads: &[u64]) -> Arc<Gates> {
        let gates = Arc::new(Gates::default());
        for (serial, load) in (1..).zip(loads) {
            gates.upsert(id(serial), true);
            gates.heard(id(serial), Some(stand(*load)));
        }
        gates
    }

    fn choose(gates: &Arc<Gates>) -> Option<Choice> {
        gates.choose(Kind::Tcp, &"scene@0".parse().unwrap())
    }

    fn load(gates: &Gates, serial: u32) -> Option<u64> {
        gates.lock()[&id(serial)].load(Kind::Tcp, &"scene@0".parse().unwrap())
    }

    #[test]
    fn client_counts_from_the_moment_that_its_gate_is_chosen() {
        let gates = gates(&[10, 11, 12]);
        let mut choices: Vec<Choice> = (0..6).map(|_| choose(&gates).unwrap()).collect();
        let mut counts = HashMap::<NodeId, u64>::from([(id(1), 10), (id(2), 11), (id(3), 12)]);
        for choice in &choices {
            *counts.get_mut(&choice.gate()).unwrap() += 1;
        }
        assert!(counts.values().all(|count| *count == 13), "{counts:?}");
        // One that is told of its client counts it itself.
        let at = choices.iter().position(|choice| choice.gate() == id(1));
        let first = choices.remove(at.unwrap());
        gates.heard(id(1), Some(stand(11)));
        drop(first);
        assert_eq!(load(&gates, 1), Some(13));
        choices.clear();
        assert_eq!(load(&gates, 1), Some(11));
    }

    #[test]
    fn gate_that_does_not_take_the_client_is_not_chosen() {
        let other = |change: fn(&mut Stand)| {
            let gates = gates(&[5]);
            let mut stand = stand(5);
            change(&mut stand);
            gates.heard(id(1), Some(stand));
            choose(&gates)
        };
        assert!(other(|_| {}).is_some());
        assert!(other(|stand| stand.takes_clients = false).is_none());
        assert!(other(|stand| stand.verify = "scene@1".to_owned()).is_none());
        assert!(other(|stand| stand.tcp.clear()).is_none());
        let gates = gates(&[5]);
        gates.heard(id(1), None);
        assert!(choose(&gates).is_none(), "it does not answer");
        gates.heard(id(1), Some(stand(5)));
        gates.upsert(id(1), false);
        assert!(choose(&gates).is_none(), "it drains");
        gates.upsert(id(1), true);
        assert!(choose(&gates).is_some());
        gates.remove(id(1));
        assert!(choose(&gates).is_none(), "it is gone");
    }
}
