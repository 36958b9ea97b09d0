//! How clients come in, and what the owner is told of those who have.

use std::collections::VecDeque;

use protocol::{Login, NodeId, SessionId, v1::CloseReason};
use session::gate::{Life, Scenes};

use super::{Entry, Gate};
use crate::{
    messages::{Message, Verdict},
    rest::{ClientState, Rest},
};

impl Gate {
    /// A client connects.
    pub(crate) fn connect(&mut self, client: usize, session: SessionId, rest: &mut Rest) {
        match self.view.ready(&self.owner_name) {
            Some(owner) if !self.draining => {
                let ticket = rest.next_ticket();
                self.asked.insert(ticket, (owner, client));
                rest.channels
                    .send(self.id, owner, Message::Verify { ticket, session });
            }
            _ => rest.close(client, CloseReason::VerifyUnavailable),
        }
    }

    pub(super) fn verified(
        &mut self,
        owner: NodeId,
        ticket: u64,
        verdict: Verdict,
        rest: &mut Rest,
    ) {
        let Some((_, client)) = self.asked.remove(&ticket) else {
            return;
        };
        match verdict {
            Verdict::Accepted(login) => self.answers.push_back((owner, client, login)),
            Verdict::Superseded => rest.close(client, CloseReason::Replaced),
            Verdict::Unavailable => rest.close(client, CloseReason::VerifyUnavailable),
        }
        self.forget_remembered();
    }

    pub(super) fn activate(&mut self, owner: NodeId, client: usize, login: Login, rest: &mut Rest) {
        if self.reported_to != Some(owner) {
            return rest.close(client, CloseReason::VerifyUnavailable);
        }
        if self.remembered.remove(&login) {
            return rest.close(client, CloseReason::Replaced);
        }
        if rest.clients[client].state != ClientState::Verifying {
            return self.ended.push(login);
        }
        rest.clients[client].state = ClientState::Active(login);
        let (life, effects) = Life::begin(self.enter.clone(), &self.view);
        let entry = Entry {
            life,
            session: rest.clients[client].session.clone(),
            client: Some(client),
            socket: VecDeque::new(),
            window: 0,
            goes_to: None,
        };
        self.lives.insert(login, entry);
        self.perform(login, effects, rest);
    }

    pub(super) fn forget_remembered(&mut self) {
        if self.asked.is_empty() && self.answers.is_empty() {
            self.remembered.clear();
        }
    }

    /// Says who is connected, to an owner that it has not said that to.
    pub(super) fn report(&mut self, rest: &mut Rest) {
        let mut scenes = self.view.nodes.iter();
        let Some((owner, _)) = scenes.find(|(_, (name, _))| *name == self.owner_name) else {
            return;
        };
        let owner = *owner;
        if self.reported_to == Some(owner) {
            return;
        }
        self.reported_to = Some(owner);
        let lives = self.lives.iter();
        let all: Vec<_> = lives
            .map(|(login, entry)| (entry.session.clone(), *login))
            .collect();
        for held in all.chunks(1) {
            let (held, complete) = (held.to_vec(), false);
            self.tell(owner, Message::Report { held, complete }, rest);
        }
        let (held, complete) = (Vec::new(), true);
        self.tell(owner, Message::Report { held, complete }, rest);
    }
}
