//! When nothing new happens, everything comes to its end.

use std::collections::BTreeSet;

use protocol::{Login, NodeId};

use super::World;
use crate::rest::{Client, ClientState};

impl World {
    /// Everything that has begun comes to its end.
    pub(crate) fn settle(&mut self) {
        self.rest.calm = true;
        while self.end_some_lease() {}
        loop {
            for name in self.names() {
                self.start(&name);
            }
            let mut moved = self.deliver();
            for node in self.nodes() {
                moved |= self.inform(node);
                moved |= self.work(node);
            }
            if !moved {
                break;
            }
        }
        self.check_rest();
        self.rest.calm = false;
    }

    /// Nobody is there any more.
    pub(crate) fn check_empty(&self) {
        for gate in self.gates.values() {
            assert!(gate.lives.is_empty());
        }
        for scene in self.scenes.values() {
            assert!(scene.sessions.is_idle());
        }
        self.rest.record.check_all_offline();
    }

    fn check_rest(&self) {
        let mut lives: BTreeSet<(String, Login, NodeId)> = BTreeSet::new();
        for gate in self.gates.values() {
            gate.check_rest(&self.rest);
            lives.extend(gate.sessions());
        }
        let verifying = |client: &&Client| client.state == ClientState::Verifying;
        assert_eq!(self.rest.clients.iter().filter(verifying).count(), 0);
        for scene in self.scenes.values() {
            scene.check_rest(&self.rest);
        }
        let mut owners = self
            .scenes
            .values()
            .filter_map(|scene| scene.owner.as_ref());
        let owner = &owners.next().unwrap().owner;
        let granted: BTreeSet<_> = owner
            .granted()
            .map(|(session, login, gate)| (session.to_string(), login, gate))
            .collect();
        assert_eq!(
            granted, lives,
            "what the owner knows, and what the gates have"
        );
        let active = self.rest.clients.iter();
        let active = active.filter(|client| matches!(client.state, ClientState::Active(_)));
        assert_eq!(active.count(), lives.len());
        let sessions: BTreeSet<_> = lives.iter().map(|(session, ..)| session).collect();
        assert_eq!(sessions.len(), lives.len(), "sessions with two logins");
    }
}
