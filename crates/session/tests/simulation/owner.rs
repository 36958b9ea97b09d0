//! The owner as its host drives it: verifications, calls to gates, and fences.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Login, NodeId, SessionId};
use session::owner::{Owner, Step};

use crate::{
    directory::{Change, View},
    messages::{Message, Verdict},
    rest::Rest,
};

#[derive(Debug)]
pub(crate) struct OwnerHost {
    id: NodeId,
    pub(crate) owner: Owner,
    /// The script thinks about these.
    scripts: Vec<(NodeId, u64, SessionId)>,
    /// Who waits for which claim.
    claims: BTreeMap<Login, (NodeId, u64)>,
    /// Which gate has been asked to end which login.
    replacing: BTreeMap<Login, NodeId>,
    /// Which scenes have not answered yet.
    fences: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl OwnerHost {
    pub(crate) fn new(id: NodeId, view: &View, rest: &mut Rest) -> Self {
        let index = 0;
        let first = Login((view.revision as u64) << 16 | index);
        let (owner, steps) = Owner::new(first);
        let mut host = OwnerHost {
            id,
            owner,
            scripts: Vec::new(),
            claims: BTreeMap::new(),
            replacing: BTreeMap::new(),
            fences: BTreeMap::new(),
        };
        for gate in view.of_role("gate") {
            host.owner.expect(gate);
        }
        host.perform(steps, view, rest);
        host
    }

    pub(crate) fn hear(&mut self, change: &Change, view: &View, rest: &mut Rest) {
        match change {
            Change::Upserted { node, name, .. } if name.role() == "gate" => {
                self.owner.expect(*node);
            }
            Change::Upserted { .. } => {}
            Change::Removed(node) => {
                // Calls to it, and of it, have ended.
                self.scripts.retain(|(gate, ..)| gate != node);
                self.replacing.retain(|_, gate| gate != node);
                let steps = self.owner.gate_gone(*node);
                self.perform(steps, view, rest);
                let fences: Vec<NodeId> = self.fences.keys().copied().collect();
                for gate in fences {
                    self.fenced(gate, *node, view, rest);
                }
            }
        }
    }

    pub(crate) fn take(
        &mut self,
        source: NodeId,
        message: Message,
        draining: bool,
        view: &View,
        rest: &mut Rest,
    ) {
        let steps = match message {
            Message::Verify { ticket, session } => {
                self.owner.expect(source);
                match draining {
                    true => self.answer(source, ticket, Verdict::Unavailable, rest),
                    false => self.scripts.push((source, ticket, session)),
                }
                Vec::new()
            }
            Message::Report { held, complete } => self.owner.report(source, held, complete),
            Message::Ended(logins) => {
                let ended = logins.into_iter();
                ended
                    .flat_map(|login| self.owner.ended(source, login))
                    .collect()
            }
            Message::Replaced(login) => {
                let asked = self.replacing.remove(&login);
                assert_eq!(asked, Some(source), "{login} is replaced unasked");
                self.owner.replaced(login)
            }
            Message::Fenced(gate) => return self.fenced(gate, source, view, rest),
            other => panic!("the owner is told {other:?}"),
        };
        self.perform(steps, view, rest);
    }

    /// A script has decided, or the wait for a claim is over.
    pub(crate) fn work(&mut self, view: &View, rest: &mut Rest) -> bool {
        if !self.claims.is_empty() && rest.chance(15) {
            let at = rest.random.index(self.claims.len());
            if let Some((&login, &(gate, ticket))) = self.claims.iter().nth(at) {
                self.claims.remove(&login);
                self.answer(gate, ticket, Verdict::Unavailable, rest);
                let steps = self.owner.withdraw(login);
                self.perform(steps, view, rest);
                return true;
            }
        }
        if self.scripts.is_empty() {
            return false;
        }
        let at = rest.random.index(self.scripts.len());
        let (gate, ticket, session) = self.scripts.swap_remove(at);
        let (login, steps) = self.owner.claim(session, gate);
        self.claims.insert(login, (gate, ticket));
        self.perform(steps, view, rest);
        true
    }

    pub(crate) fn check_rest(&self) {
        assert!(
            self.scripts.is_empty() && self.claims.is_empty(),
            "{self:?}"
        );
        assert!(
            self.replacing.is_empty() && self.fences.is_empty(),
            "{self:?}"
        );
        assert_eq!(self.owner.waiting(), 0);
    }

    fn perform(&mut self, steps: Vec<Step>, view: &View, rest: &mut Rest) {
        for step in steps {
            rest.say(|| format!("  owner {}: {step:?}", self.id));
            match step {
                Step::Grant(login) => {
                    let claim = self.claims.remove(&login);
                    let (gate, ticket) = claim.unwrap_or_else(|| panic!("{login} is no claim"));
                    // The one who waited for it may have given up just now.
                    if rest.chance(5) {
                        self.answer(gate, ticket, Verdict::Unavailable, rest);
                        let steps = self.owner.withdraw(login);
                        self.perform(steps, view, rest);
                    } else {
                        self.answer(gate, ticket, Verdict::Accepted(login), rest);
                    }
                }
                Step::Supersede(login) => {
                    rest.record.counts.superseded += 1;
                    let claim = self.claims.remove(&login);
                    let (gate, ticket) = claim.unwrap_or_else(|| panic!("{login} is no claim"));
                    self.answer(gate, ticket, Verdict::Superseded, rest);
                }
                Step::Replace { gate, login } => {
                    let asked = self.replacing.insert(login, gate);
                    assert_eq!(asked, None, "{login} is replaced twice");
                    self.tell(gate, Message::Replace(login), view, rest);
                }
                Step::Fence { gate } => {
                    let scenes: BTreeSet<NodeId> = view.of_role("scene").collect();
                    let revision = view.revision;
                    for scene in &scenes {
                        self.tell(*scene, Message::Fence { gate, revision }, view, rest);
                    }
                    self.fences.insert(gate, scenes);
                }
            }
        }
    }

    fn fenced(&mut self, gate: NodeId, scene: NodeId, view: &View, rest: &mut Rest) {
        let Some(scenes) = self.fences.get_mut(&gate) else {
            return;
        };
        scenes.remove(&scene);
        if scenes.is_empty() {
            self.fences.remove(&gate);
            let steps = self.owner.fenced(gate);
            self.perform(steps, view, rest);
        }
    }

    fn answer(&self, gate: NodeId, ticket: u64, verdict: Verdict, rest: &mut Rest) {
        let verified = Message::Verified { ticket, verdict };
        rest.channels.send(self.id, gate, verified);
    }

    fn tell(&self, to: NodeId, message: Message, view: &View, rest: &mut Rest) {
        if !view.is_gone(to) {
            rest.channels.send(self.id, to, message);
        }
    }
}
