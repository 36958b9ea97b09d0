//! What happens, by chance.

use protocol::{Login, NodeId, NodeName, v1::CloseReason};

use crate::{
    messages::Message,
    rest::ClientState,
    world::{SCENES, World},
};

const SESSIONS: [&str; 6] = ["ann", "ben", "cyd", "dot", "eve", "fay"];

impl World {
    pub(crate) fn step(&mut self) {
        if self.rest.random.percent(self.pace) {
            match self.rest.random.of(0..10) {
                0..6 => {
                    self.deliver();
                }
                6..8 => self.on_any_node(World::inform_in_time),
                _ => self.on_any_node(World::work),
            }
            return;
        }
        match self.rest.random.of(0..1000) {
            0..450 => {
                self.deliver();
            }
            450..560 => self.on_any_node(World::inform_in_time),
            560..730 => self.on_any_node(World::work),
            730..770 => {
                let gates: Vec<NodeId> = self.gates.keys().copied().collect();
                let session = self.rest.random.pick(&SESSIONS);
                if let (Some(gate), Some(session)) = (self.rest.random.pick(&gates), session) {
                    self.connect(gate, session);
                }
            }
            770..900 => self.on_any_client(World::client_sends),
            900..915 => self.on_any_client(World::client_closes),
            915..955 => self.ask_for_change(),
            955..970 => self.say_something_stale(),
            970..972 => self.close_by_scene(),
            972..980 => self.give_up(),
            980..982 => self.kill_scene(),
            982..983 => self.rejoin_scene(),
            983..985 => self.kill_gate(),
            985..986 => self.restart_many(),
            986..988 => {
                let scenes: Vec<NodeId> = self.scenes.keys().copied().collect();
                if let Some(scene) = self.rest.random.pick(&scenes) {
                    let own = self.scenes[&scene].name.clone();
                    let to = match self.rest.chance(50) {
                        true => self.some_scene(),
                        false => own,
                    };
                    self.drain_scene(scene, to);
                }
            }
            988..989 => self.drain_gate(),
            989..992 => {
                self.end_some_lease();
            }
            _ => {
                let names = self.names();
                let name = names[self.rest.random.index(names.len())].clone();
                self.start(&name);
            }
        }
    }

    /// Some hear of everything later than others.
    fn inform_in_time(&mut self, node: NodeId) -> bool {
        let is_slow = node.as_u64().is_multiple_of(self.slow);
        (!is_slow || self.rest.chance(3)) && self.inform(node)
    }

    fn on_any_node(&mut self, what: fn(&mut World, NodeId) -> bool) {
        let nodes = self.nodes();
        if let Some(node) = self.rest.random.pick(&nodes) {
            what(self, node);
        }
    }

    fn on_any_client(&mut self, what: fn(&mut World, usize)) {
        let clients = self.rest.clients.iter().enumerate();
        let open = clients.filter(|(_, one)| !matches!(one.state, ClientState::Closed(_)));
        let open: Vec<usize> = open.map(|(index, _)| index).collect();
        if let Some(client) = self.rest.random.pick(&open) {
            what(self, client);
        }
    }

    /// A scene's name; sometimes there is none of that.
    fn some_scene(&mut self) -> NodeName {
        let index = self.rest.random.of(0..u64::from(SCENES) + 1);
        format!("scene@{index}").parse().unwrap()
    }

    fn ask_for_change(&mut self) {
        let to = self.some_scene();
        let session = self.rest.random.pick(&SESSIONS);
        let scenes: Vec<NodeId> = self.scenes.keys().copied().collect();
        for scene in scenes {
            if let (Some(scene), Some(session)) = (self.scenes.get_mut(&scene), session) {
                scene.change(session, to.clone(), &mut self.rest);
            }
        }
    }

    /// A scene asks for a change of what it does not hold, or not any more.
    fn say_something_stale(&mut self) {
        let Some((gate, login)) = self.some_life() else {
            return;
        };
        let to = self.some_scene();
        let holding = self.rest.random.of(0..4) as u32;
        let scenes: Vec<NodeId> = self.scenes.keys().copied().collect();
        let Some(scene) = self.rest.random.pick(&scenes) else {
            return;
        };
        if self.scenes[&scene].name != to {
            let change = Message::Change { login, holding, to };
            self.rest.channels.send(scene, gate, change);
        }
    }

    fn close_by_scene(&mut self) {
        let scenes: Vec<NodeId> = self.scenes.keys().copied().collect();
        if let (Some((gate, login)), Some(scene)) =
            (self.some_life(), self.rest.random.pick(&scenes))
        {
            self.rest.channels.send(scene, gate, Message::Close(login));
        }
    }

    fn give_up(&mut self) {
        if let Some((gate, login)) = self.some_life()
            && let Some(gate) = self.gates.get_mut(&gate)
        {
            gate.give_up(login, &mut self.rest);
        }
    }

    fn kill_scene(&mut self) {
        let scenes: Vec<NodeId> = self.scenes.keys().copied().collect();
        if let Some(scene) = self.rest.random.pick(&scenes) {
            self.kill(scene);
        }
    }

    fn rejoin_scene(&mut self) {
        let scenes: Vec<NodeId> = self.scenes.keys().copied().collect();
        if let Some(scene) = self.rest.random.pick(&scenes) {
            self.rejoin(scene);
        }
    }

    fn kill_gate(&mut self) {
        let gates: Vec<NodeId> = self.gates.keys().copied().collect();
        if let Some(gate) = self.rest.random.pick(&gates) {
            self.kill(gate);
        }
    }

    /// Gates and the owner's host die, and are back at once: all that knew of
    /// their sessions are scenes that have not heard of it.
    fn restart_many(&mut self) {
        for node in self.nodes() {
            let is_owner = self
                .scenes
                .get(&node)
                .is_some_and(|one| one.owner.is_some());
            if is_owner || self.gates.contains_key(&node) && self.rest.chance(50) {
                self.kill(node);
            }
        }
        while self.end_some_lease() {}
        for name in self.names() {
            self.start(&name);
        }
    }

    fn drain_gate(&mut self) {
        let gates: Vec<NodeId> = self.gates.keys().copied().collect();
        if let Some(id) = self.rest.random.pick(&gates)
            && let Some(gate) = self.gates.get_mut(&id)
        {
            gate.draining = true;
            let logins: Vec<Login> = gate.lives.keys().copied().collect();
            for login in logins {
                gate.end_client(login, CloseReason::Draining, &mut self.rest);
            }
        }
    }

    fn some_life(&mut self) -> Option<(NodeId, Login)> {
        let gates = self.gates.values();
        let lives = gates.flat_map(|gate| gate.lives.keys().map(|login| (gate.id, *login)));
        let lives: Vec<_> = lives.collect();
        self.rest.random.pick(&lives)
    }
}
