//! A gate as its daemon drives it: clients, their frames, and a life for each
//! login.

mod effects;
mod verification;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use protocol::{Login, NodeId, NodeName, SessionId, v1::CloseReason};
use session::gate::Life;

use crate::{
    directory::{Change, View},
    messages::{Message, Verdict},
    rest::{ClientState, Rest},
};

/// How many frames of a session may be unfinished.
const WINDOW: u32 = 3;

#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) id: NodeId,
    pub(crate) view: View,
    pub(crate) enter: NodeName,
    owner_name: NodeName,
    pub(crate) lives: BTreeMap<Login, Entry>,
    /// Verifications that have not been answered: of whom, and by which owner.
    asked: BTreeMap<u64, (NodeId, usize)>,
    /// Answers that have come, and that the connection has not read.
    answers: VecDeque<(NodeId, usize, Login)>,
    /// To be ended, and unknown: perhaps they are in an answer.
    remembered: BTreeSet<Login>,
    /// Who is to be told of an end.
    replacing: BTreeMap<Login, Vec<NodeId>>,
    reported_to: Option<NodeId>,
    ended: Vec<Login>,
    pub(crate) draining: bool,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) life: Life,
    session: SessionId,
    pub(crate) client: Option<usize>,
    /// What the client has sent and the gate has not read.
    socket: VecDeque<u32>,
    window: u32,
    /// Where it was last sent away to.
    goes_to: Option<NodeName>,
}

impl Gate {
    pub(crate) fn new(id: NodeId, enter: NodeName, view: View, rest: &mut Rest) -> Self {
        let mut gate = Gate {
            id,
            view,
            enter,
            owner_name: "scene@0".parse().unwrap(),
            lives: BTreeMap::new(),
            asked: BTreeMap::new(),
            answers: VecDeque::new(),
            remembered: BTreeSet::new(),
            replacing: BTreeMap::new(),
            reported_to: None,
            ended: Vec::new(),
            draining: false,
        };
        gate.report(rest);
        gate
    }

    pub(crate) fn client_sends(&mut self, login: Login, number: u32, rest: &mut Rest) {
        if let Some(entry) = self.lives.get_mut(&login) {
            entry.socket.push_back(number);
            self.pump(login, rest);
        }
    }

    /// The client's connection ends, for this reason.
    pub(crate) fn end_client(&mut self, login: Login, reason: CloseReason, rest: &mut Rest) {
        let Some(entry) = self.lives.get_mut(&login) else {
            return;
        };
        if let Some(client) = entry.client.take() {
            rest.close(client, reason);
        }
        let effects = entry.life.client_gone();
        self.perform(login, effects, rest);
    }

    pub(crate) fn give_up(&mut self, login: Login, rest: &mut Rest) {
        let effects = self.lives.get_mut(&login).map(|entry| entry.life.give_up());
        self.perform(login, effects.unwrap_or_default(), rest);
    }

    /// A connection reads its answer, and batched ends are told.
    pub(crate) fn work(&mut self, rest: &mut Rest) -> bool {
        if let Some((owner, client, login)) = self.answers.pop_front() {
            self.activate(owner, client, login, rest);
            self.forget_remembered();
            return true;
        }
        if self.ended.is_empty() {
            return false;
        }
        let ended = std::mem::take(&mut self.ended);
        if let Some(owner) = self.reported_to {
            self.tell(owner, Message::Ended(ended), rest);
        }
        true
    }

    pub(crate) fn hear(&mut self, change: Change, rest: &mut Rest) {
        match change {
            Change::Upserted { node, name, ready } => {
                self.report(rest);
                let logins: Vec<Login> = self.lives.keys().copied().collect();
                for login in logins.into_iter().filter(|_| ready) {
                    let Some(entry) = self.lives.get_mut(&login) else {
                        continue;
                    };
                    let effects = entry.life.scene_ready(&name, node);
                    self.perform(login, effects, rest);
                }
            }
            Change::Removed(node) => {
                rest.channels.cut(node, self.id);
                let failed: Vec<u64> = self.asked.keys().copied().collect();
                for ticket in failed {
                    if self.asked[&ticket].0 == node {
                        self.verified(node, ticket, Verdict::Unavailable, rest);
                    }
                }
                let logins: Vec<Login> = self.lives.keys().copied().collect();
                for login in logins {
                    let Some(entry) = self.lives.get_mut(&login) else {
                        continue;
                    };
                    let effects = entry.life.scene_gone(node, &self.view);
                    self.perform(login, effects, rest);
                }
            }
        }
    }

    pub(crate) fn take(&mut self, source: NodeId, message: Message, rest: &mut Rest) {
        match message {
            Message::Verified { ticket, verdict } => self.verified(source, ticket, verdict, rest),
            Message::Replace(login) => {
                if !self.lives.contains_key(&login) {
                    if !self.asked.is_empty() || !self.answers.is_empty() {
                        self.remembered.insert(login);
                    }
                    return self.tell(source, Message::Replaced(login), rest);
                }
                self.replacing.entry(login).or_default().push(source);
                rest.record.counts.replaced += 1;
                self.end_client(login, CloseReason::Replaced, rest);
            }
            Message::Finished { login, frames } => {
                let entry = self.lives.get_mut(&login);
                let entry = entry.unwrap_or_else(|| panic!("{login} finished late"));
                assert!(
                    entry.window >= frames,
                    "{login} finished more than was sent"
                );
                entry.window -= frames;
                self.pump(login, rest);
            }
            Message::Left {
                login,
                holding,
                offline,
                extra_data,
            } => self.left(source, login, holding, offline, extra_data, rest),
            Message::Change { login, holding, to } => {
                let Some(entry) = self.lives.get_mut(&login) else {
                    return;
                };
                let life = &mut entry.life;
                let effects = life.change(source, holding, to, Bytes::new(), &self.view);
                self.perform(login, effects, rest);
            }
            Message::Close(login) => self.end_client(login, CloseReason::ClosedByScene, rest),
            other => panic!("a gate is told {other:?}"),
        }
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (String, Login, NodeId)> {
        let lives = self.lives.iter();
        lives.map(|(login, entry)| (entry.session.to_string(), *login, self.id))
    }

    fn tell(&self, to: NodeId, message: Message, rest: &mut Rest) {
        if !self.view.is_gone(to) {
            rest.channels.send(self.id, to, message);
        }
    }

    /// What has to hold when everything is at rest.
    pub(crate) fn check_rest(&self, rest: &Rest) {
        assert!(self.asked.is_empty() && self.answers.is_empty());
        assert!(self.remembered.is_empty() && self.replacing.is_empty());
        assert!(self.ended.is_empty());
        for (login, entry) in &self.lives {
            let client = entry
                .client
                .unwrap_or_else(|| panic!("{login} has no client"));
            assert_eq!(rest.clients[client].state, ClientState::Active(*login));
            assert_eq!(entry.window, 0, "frames of {login} that are not finished");
            let sent = rest.clients[client].sent;
            rest.record.check_all_handled(*login, sent);
            let holder = entry.life.holder();
            let holder = holder.unwrap_or_else(|| panic!("{login} is held by nobody: {entry:?}"));
            assert!(
                rest.record.is_entered(holder, *login),
                "{login} is not in {holder}"
            );
        }
    }
}
