//! What the owner knows of one session.

use protocol::{Login, NodeId};

use super::Step;

#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Its logins that a scene may hold; one, but for the reports of gates.
    pub(super) present: Vec<Present>,
    /// The newest login, which waits for that.
    pub(super) claim: Option<Claim>,
}

#[derive(Debug)]
pub(super) struct Present {
    pub(super) login: Login,
    pub(super) gate: NodeId,
    /// Its gate has been asked to end it.
    replaced: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) login: Login,
    pub(super) gate: NodeId,
}

impl Seat {
    /// Has everybody replaced who is not the newest, once, where the gate is there
    /// to be asked.
    pub(super) fn replace_older(
        &mut self,
        is_there: impl Fn(NodeId) -> bool,
        steps: &mut Vec<Step>,
    ) {
        let newest = match self.claim {
            Some(_) => None,
            None => self.present.iter().map(|one| one.login).max(),
        };
        for one in &mut self.present {
            if Some(one.login) != newest && !one.replaced && is_there(one.gate) {
                one.replaced = true;
                let (gate, login) = (one.gate, one.login);
                steps.push(Step::Replace { gate, login });
            }
        }
    }

    /// Grants the claim, if nobody is there any more.
    pub(super) fn grant(&mut self) -> Option<Login> {
        if !self.present.is_empty() {
            return None;
        }
        let claim = self.claim.take()?;
        self.present.push(Present::new(claim.login, claim.gate));
        Some(claim.login)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty() && self.claim.is_none()
    }
}

impl Present {
    pub(super) fn new(login: Login, gate: NodeId) -> Self {
        Present {
            login,
            gate,
            replaced: false,
        }
    }
}
