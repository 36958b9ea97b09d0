//! A scene as its host drives it: a script whose handlers take their time.

mod script;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::{Login, NodeId, NodeName, SessionId};
use session::scene::{Enter, Entered, SeatId, Sessions};

use crate::{
    directory::{Change, View},
    messages::Message,
    owner::OwnerHost,
    rest::Rest,
};

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) id: NodeId,
    pub(crate) name: NodeName,
    pub(crate) view: View,
    pub(crate) sessions: Sessions<()>,
    /// Jobs that wait for something.
    under_way: Vec<(SeatId, Work)>,
    /// Concurrent handlers that wait for something.
    detached: Vec<(NodeId, Login, u32)>,
    /// Who asks whether a gate's sessions are gone.
    fences: Vec<(NodeId, NodeId, usize)>,
    /// Who has been here.
    entered: BTreeSet<Login>,
    /// As which node it has taken each holding.
    taken_as: BTreeMap<(Login, u32), NodeId>,
    /// Who is here, as its script sees it.
    present: BTreeMap<SessionId, Login>,
    /// Where its sessions go, when it is to end.
    pub(crate) drains_to: Option<NodeName>,
    pub(crate) owner: Option<OwnerHost>,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Frame(NodeId, Login, u32),
    Enter,
    End(Login, u32),
}

impl Scene {
    pub(crate) fn new(id: NodeId, name: NodeName, view: View, rest: &mut Rest) -> Self {
        let is_owner = name.index() == 0;
        let owner = is_owner.then(|| OwnerHost::new(id, &view, rest));
        Scene {
            id,
            name,
            view,
            sessions: Sessions::default(),
            under_way: Vec::new(),
            detached: Vec::new(),
            fences: Vec::new(),
            entered: BTreeSet::new(),
            taken_as: BTreeMap::new(),
            present: BTreeMap::new(),
            drains_to: None,
            owner,
        }
    }

    /// It has lost the group, and is in it again as another node. Its script goes
    /// on.
    pub(crate) fn rejoin(&mut self, id: NodeId, view: View, rest: &mut Rest) {
        (self.id, self.view) = (id, view);
        self.fences.clear();
        for seat in self.sessions.lose_all() {
            self.run_jobs(seat, rest);
        }
        self.entered.clear();
        self.owner = self
            .owner
            .is_some()
            .then(|| OwnerHost::new(id, &self.view, rest));
        self.after(rest);
    }

    pub(crate) fn hear(&mut self, change: &Change, rest: &mut Rest) {
        if let Change::Removed(node) = change {
            rest.channels.cut(*node, self.id);
            self.lose_gate(*node, rest);
        }
        if let Some(owner) = &mut self.owner {
            owner.hear(change, &self.view, rest);
        }
        self.after(rest);
    }

    pub(crate) fn take(&mut self, source: NodeId, message: Message, rest: &mut Rest) {
        let seat = match message {
            Message::Enter {
                session,
                login,
                holding,
                from_scene,
                extra_data,
            } => {
                assert_eq!(self.sessions.supersede(&session, login), None, "{session}");
                rest.record.seated(self.id, &session, login, holding);
                self.taken_as.insert((login, holding), self.id);
                let is_back = from_scene.as_ref() == Some(&self.name);
                assert!(
                    !is_back || self.entered.insert(login),
                    "{login} is back where it left"
                );
                self.entered.insert(login);
                let from_scene = from_scene.map_or_else(String::new, |name| name.to_string());
                let enter = Enter {
                    gate: source,
                    session,
                    login,
                    holding,
                    online_time: login.0,
                    from_scene,
                    extra_data,
                };
                let entered = self.sessions.enter(enter, |_| ());
                let Entered::Seated(seat) = entered else {
                    panic!("{login} enters {}: {entered:?}", self.id);
                };
                self.ask_to_leave(rest);
                Some(seat)
            }
            Message::Frame { login, number } => {
                let body = Bytes::copy_from_slice(&number.to_le_bytes());
                self.sessions.frame(source, login, 1, body)
            }
            Message::Leave {
                login,
                holding,
                to_scene,
                extra_data,
            } => {
                let to = to_scene.to_string();
                self.sessions.leave(source, login, holding, to, extra_data)
            }
            Message::Offline { login, holding } => self.sessions.offline(source, login, holding),
            Message::Stay { login } => {
                self.sessions.stay(source, login);
                if self.drains_to.is_some() {
                    self.drains_to = Some(self.name.clone());
                    self.ask_to_leave(rest);
                }
                None
            }
            Message::Fence { gate, revision } => {
                self.fences.push((source, gate, revision));
                None
            }
            other => {
                let owner = self.owner.as_mut();
                let owner = owner.unwrap_or_else(|| panic!("a scene is told {other:?}"));
                owner.take(source, other, self.drains_to.is_some(), &self.view, rest);
                None
            }
        };
        if let Some(seat) = seat {
            self.run_jobs(seat, rest);
        }
        self.after(rest);
    }

    /// As which nodes it is, and has been, in the group.
    pub(crate) fn nodes(&self) -> BTreeSet<NodeId> {
        let nodes = self.taken_as.values().copied();
        nodes.chain([self.id]).collect()
    }

    /// The script asks for another scene, for a session that it has.
    pub(crate) fn change(&mut self, session: &str, to: NodeName, rest: &mut Rest) {
        if to != self.name
            && let Some(held) = self.sessions.ask(session)
        {
            let (login, holding) = (held.login, held.holding);
            self.tell(held.gate, Message::Change { login, holding, to }, rest);
        }
    }

    pub(crate) fn drain(&mut self, to: NodeName, rest: &mut Rest) {
        self.drains_to = Some(to);
        self.ask_to_leave(rest);
        self.after(rest);
    }

    /// Whether it drains, and nothing is left to be done.
    pub(crate) fn is_done(&self) -> bool {
        let is_idle = self.sessions.is_idle() && !self.sessions.has_news();
        self.drains_to.is_some() && is_idle && self.detached.is_empty()
    }

    pub(crate) fn check_rest(&self, rest: &Rest) {
        assert!(self.under_way.is_empty() && self.detached.is_empty());
        assert!(self.fences.is_empty(), "{:?}", self.fences);
        assert_eq!(self.present.len(), self.sessions.connected());
        let held = rest.record.held_by(self.id);
        assert_eq!(self.sessions.connected(), held, "sessions of {}", self.id);
        assert_eq!(self.sessions.is_idle(), held == 0, "seats of {}", self.id);
        if let Some(owner) = &self.owner {
            owner.check_rest();
        }
    }

    fn lose_gate(&mut self, gate: NodeId, rest: &mut Rest) {
        for seat in self.sessions.lose_gate(gate) {
            self.run_jobs(seat, rest);
        }
    }

    fn ask_to_leave(&mut self, rest: &mut Rest) {
        let Some(to) = self.drains_to.clone() else {
            return;
        };
        for held in self.sessions.ask_all() {
            let (login, holding, to) = (held.login, held.holding, to.clone());
            self.tell(held.gate, Message::Change { login, holding, to }, rest);
        }
    }

    /// What follows from anything that has happened.
    fn after(&mut self, rest: &mut Rest) {
        if !rest.chance(30) {
            self.tell_news(rest);
        }
        let fences = std::mem::take(&mut self.fences);
        for (asker, gate, revision) in fences {
            match self.is_behind(gate, revision) {
                true => self.fences.push((asker, gate, revision)),
                false => self.tell(asker, Message::Fenced(gate), rest),
            }
        }
    }

    /// Whether it may still hold sessions of the gate, or of any that is not there.
    fn is_behind(&self, gate: NodeId, revision: usize) -> bool {
        if self.view.revision < revision {
            return true;
        }
        if gate != NodeId::BROKER {
            return self.view.nodes.contains_key(&gate) || self.sessions.holds(gate);
        }
        let mut gates = self.sessions.gates();
        gates.any(|gate| !self.view.nodes.contains_key(&gate))
    }

    fn tell_news(&mut self, rest: &mut Rest) {
        for finished in self.sessions.take_finished() {
            for (login, frames) in finished.logins.into_iter().zip(finished.frames) {
                self.tell(finished.gate, Message::Finished { login, frames }, rest);
            }
        }
        for left in self.sessions.take_left() {
            let message = Message::Left {
                login: left.login,
                holding: left.holding,
                offline: left.offline,
                extra_data: left.extra_data,
            };
            self.tell(left.gate, message, rest);
        }
    }

    fn tell(&self, to: NodeId, message: Message, rest: &mut Rest) {
        if !self.view.is_gone(to) {
            rest.channels.send(self.id, to, message);
        }
    }
}
