//! A group: its nodes, its directory, and what happens to them.

mod clients;
mod settle;

use std::collections::BTreeMap;

use protocol::{NodeId, NodeName, v1::CloseReason};

use crate::{
    directory::{Change, View},
    gate::Gate,
    rest::Rest,
    scene::Scene,
};

pub(crate) const GATES: u32 = 3;
pub(crate) const SCENES: u32 = 3;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rest: Rest,
    changes: Vec<Change>,
    pub(crate) gates: BTreeMap<NodeId, Gate>,
    pub(crate) scenes: BTreeMap<NodeId, Scene>,
    /// Their processes have ended, and their leases have not.
    dead: BTreeMap<NodeId, NodeName>,
    serial: u32,
    /// How often nodes get on with what there is, in percent; else, something new
    /// happens to them.
    pub(crate) pace: u64,
    /// One in so many nodes is slow to hear of the directory.
    pub(crate) slow: u64,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        let mut world = World {
            rest: Rest::new(seed, verbose),
            changes: Vec::new(),
            gates: BTreeMap::new(),
            scenes: BTreeMap::new(),
            dead: BTreeMap::new(),
            serial: 0,
            pace: 0,
            slow: 1,
        };
        world.pace = world.rest.random.of(50..98);
        world.slow = world.rest.random.of(2..8);
        let mut names = world.names();
        while !names.is_empty() {
            let name = names.swap_remove(world.rest.random.index(names.len()));
            world.start(&name);
        }
        world
    }

    /// Everything that there may be.
    pub(crate) fn names(&self) -> Vec<NodeName> {
        let gates = (0..GATES).map(|index| format!("gate@{index}"));
        let scenes = (0..SCENES).map(|index| format!("scene@{index}"));
        gates
            .chain(scenes)
            .map(|name| name.parse().unwrap())
            .collect()
    }

    /// A process of this name starts, unless there is one. It may take the name
    /// of one that has died at once.
    pub(crate) fn start(&mut self, name: &NodeName) {
        let gates = self.gates.keys().filter_map(|id| self.name_of(*id));
        let mut living = gates.chain(self.scenes.values().map(|scene| &scene.name));
        if living.any(|one| one == name) {
            return;
        }
        let dead = self.dead.iter().find(|(_, one)| *one == name);
        if let Some((&dead, _)) = dead {
            self.end_lease(dead);
        }
        self.serial += 1;
        let node = NodeId::new(1, self.serial);
        self.rest.say(|| format!("{name} starts as {node}"));
        let (name, ready) = (name.clone(), true);
        self.changes.push(Change::Upserted {
            node,
            name: name.clone(),
            ready,
        });
        let view = View::snapshot(&self.changes);
        if name.role() == "gate" {
            let enter = format!("scene@{}", self.rest.random.of(0..u64::from(SCENES)));
            let gate = Gate::new(node, enter.parse().unwrap(), view, &mut self.rest);
            self.gates.insert(node, gate);
        } else {
            let scene = Scene::new(node, name, view, &mut self.rest);
            self.scenes.insert(node, scene);
        }
    }

    /// A process ends where it stands.
    pub(crate) fn kill(&mut self, node: NodeId) {
        let Some(name) = self.name_of(node).cloned() else {
            return;
        };
        self.rest.say(|| format!("{name} ({node}) dies"));
        if let Some(gate) = self.gates.remove(&node) {
            for login in gate.lives.keys() {
                self.rest.record.gate_died(*login);
            }
            for client in 0..self.rest.clients.len() {
                if self.rest.clients[client].gate == node {
                    self.rest.close(client, CloseReason::SocketError);
                }
            }
        }
        if let Some(scene) = self.scenes.remove(&node) {
            for node in scene.nodes() {
                self.rest.record.scene_died(node);
            }
        }
        self.rest.channels.die(node, &mut self.rest.random);
        self.dead.insert(node, name);
    }

    /// A scene has lost the group, whose master has given it up, and joins again
    /// as another node while its process goes on.
    pub(crate) fn rejoin(&mut self, node: NodeId) {
        let Some(mut scene) = self.scenes.remove(&node) else {
            return;
        };
        self.serial += 1;
        let id = NodeId::new(1, self.serial);
        let name = scene.name.clone();
        self.rest
            .say(|| format!("{name} ({node}) loses the group and is back as {id}"));
        self.rest.record.scene_lost(node);
        self.rest.channels.die(node, &mut self.rest.random);
        self.changes.push(Change::Removed(node));
        let ready = scene.drains_to.is_none();
        self.changes.push(Change::Upserted {
            node: id,
            name,
            ready,
        });
        scene.rejoin(id, View::snapshot(&self.changes), &mut self.rest);
        self.scenes.insert(id, scene);
    }

    /// It ends, and says so.
    fn leave(&mut self, node: NodeId) {
        self.kill(node);
        self.end_lease(node);
    }

    fn end_lease(&mut self, node: NodeId) {
        if self.dead.remove(&node).is_some() {
            self.changes.push(Change::Removed(node));
        }
    }

    pub(crate) fn end_some_lease(&mut self) -> bool {
        let dead: Vec<NodeId> = self.dead.keys().copied().collect();
        let node = self.rest.random.pick(&dead);
        if let Some(node) = node {
            self.end_lease(node);
        }
        node.is_some()
    }

    /// A node takes its next message. Returns false if there is none anywhere.
    pub(crate) fn deliver(&mut self) -> bool {
        let Some((from, to, message)) = self.rest.channels.take_any(&mut self.rest.random) else {
            return false;
        };
        self.rest.say(|| format!("{from} -> {to}: {message:?}"));
        if let Some(gate) = self.gates.get_mut(&to) {
            gate.take(from, message, &mut self.rest);
        } else if let Some(scene) = self.scenes.get_mut(&to) {
            scene.take(from, message, &mut self.rest);
        }
        true
    }

    /// A node hears of the directory's next change. Returns false if it has
    /// heard of all.
    pub(crate) fn inform(&mut self, node: NodeId) -> bool {
        if let Some(gate) = self.gates.get_mut(&node) {
            let change = gate.view.hear(&self.changes);
            if let Some(change) = change.clone() {
                gate.hear(change, &mut self.rest);
            }
            return change.is_some();
        }
        let Some(scene) = self.scenes.get_mut(&node) else {
            return false;
        };
        let change = scene.view.hear(&self.changes);
        if let Some(change) = &change {
            scene.hear(change, &mut self.rest);
        }
        change.is_some()
    }

    /// A node does something that it has put off. Returns false if there is none.
    pub(crate) fn work(&mut self, node: NodeId) -> bool {
        if let Some(gate) = self.gates.get_mut(&node) {
            let worked = gate.work(&mut self.rest);
            if !worked && gate.draining && gate.lives.is_empty() {
                self.leave(node);
                return true;
            }
            return worked;
        }
        let Some(scene) = self.scenes.get_mut(&node) else {
            return false;
        };
        if let Some(owner) = &mut scene.owner
            && owner.work(&scene.view, &mut self.rest)
        {
            return true;
        }
        if scene.work(&mut self.rest) {
            return true;
        }
        // It may end before the last that it has said has arrived.
        let said = self.rest.channels.has_any_from(node) && !self.rest.chance(10);
        if scene.is_done() && !said {
            self.leave(node);
            return true;
        }
        false
    }

    pub(crate) fn drain_scene(&mut self, node: NodeId, to: NodeName) {
        let Some(scene) = self.scenes.get_mut(&node) else {
            return;
        };
        if scene.drains_to.is_some() {
            return;
        }
        self.rest
            .say(|| format!("{} ({node}) drains to {to}", scene.name));
        let (name, ready) = (scene.name.clone(), false);
        scene.drain(to, &mut self.rest);
        self.changes.push(Change::Upserted { node, name, ready });
    }

    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let gates = self.gates.keys().copied();
        gates.chain(self.scenes.keys().copied()).collect()
    }

    /// The name under which a living node is in the directory.
    pub(crate) fn name_of(&self, node: NodeId) -> Option<&NodeName> {
        let gate = self.gates.get(&node).map(|gate| &gate.view);
        let view = gate.or_else(|| self.scenes.get(&node).map(|scene| &scene.view))?;
        view.name_of(node)
    }
}
