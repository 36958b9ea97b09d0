//! The owner's part: which login of a session is the one, and since when.
//!
//! A login is *claimed* when the script has accepted its client, and *granted*
//! when no scene holds an older login of the session: each of them is replaced
//! first, at its gate, or its gate is gone and every scene has said so. Until then
//! the claim waits; a newer claim takes its place.
//!
//! An owner begins with nothing in hand. What its predecessor has granted is told
//! by the gates that are there, and of those that are not there any more every
//! scene is asked whether it holds something; nothing is granted before.

mod numbers;
mod seat;

use std::collections::{BTreeMap, HashMap};

use protocol::{Login, NodeId, SessionId};

use self::{
    numbers::Numbers,
    seat::{Claim, Present, Seat},
};

/// The logins of every session of a group.
#[derive(Debug)]
pub struct Owner {
    numbers: Numbers,
    /// The gates that are there.
    gates: HashMap<NodeId, Gate>,
    /// The gates that are gone, and of which scenes may hold sessions.
    fences: HashMap<NodeId, Fenced>,
    seats: HashMap<SessionId, Seat>,
    /// Whose they are, granted or not.
    logins: HashMap<Login, SessionId>,
    /// The claims that have not been granted, the oldest first.
    claims: BTreeMap<Login, SessionId>,
}

/// What has to be done. Every claim ends with one [`Grant`](Step::Grant), with one
/// [`Supersede`](Step::Supersede), or with its [withdrawal](Owner::withdraw).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Let the client in.
    Grant(Login),
    /// Turn the client away: a newer login of its session has come meanwhile, or
    /// its gate has gone.
    Supersede(Login),
    /// Ask the gate to end the login, and call [`Owner::replaced`] when it has.
    Replace {
        /// Where the client is.
        gate: NodeId,
        /// The number of its login.
        login: Login,
    },
    /// Ask every scene whether it still holds a session of the gate, and call
    /// [`Owner::fenced`] when none does. [`NodeId::BROKER`] stands for every gate
    /// that is not in the directory.
    Fence {
        /// The gate, which is gone.
        gate: NodeId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// It has not said yet, or not all, who is connected.
    Expected,
    Reported,
}

#[derive(Clone, Copy, Debug)]
struct Fenced {
    /// It had not reported: its sessions may be anybody.
    of_anybody: bool,
}

impl Owner {
    /// Its numbers are higher than `first`, and end with the same 8 bits: two
    /// owners whose bits differ never give the same one.
    pub fn new(first: Login) -> (Self, Vec<Step>) {
        let past = Fenced { of_anybody: true };
        let owner = Owner {
            numbers: Numbers::above(first),
            gates: HashMap::new(),
            fences: HashMap::from([(NodeId::BROKER, past)]),
            seats: HashMap::new(),
            logins: HashMap::new(),
            claims: BTreeMap::new(),
        };
        let gate = NodeId::BROKER;
        (owner, vec![Step::Fence { gate }])
    }

    /// There is this gate: it is in the directory, or something of it has come.
    /// Nothing is granted before it has reported, or is gone.
    pub fn expect(&mut self, gate: NodeId) {
        if !self.fences.contains_key(&gate) {
            self.gates.entry(gate).or_insert(Gate::Expected);
        }
    }

    /// Whether there is this gate.
    pub fn knows(&self, gate: NodeId) -> bool {
        self.gates.contains_key(&gate)
    }

    /// Something has come of this node that was taken for a gate, and it is none:
    /// nobody waits for its report.
    pub fn forget(&mut self, node: NodeId) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.gates.get(&node) == Some(&Gate::Expected) {
            self.gates.remove(&node);
            self.settle_all(&mut steps);
        }
        steps
    }

    /// A gate says who is connected there; `complete` with the last of it. Of two
    /// logins of a session the lower one is replaced.
    pub fn report(
        &mut self,
        gate: NodeId,
        held: Vec<(SessionId, Login)>,
        complete: bool,
    ) -> Vec<Step> {
        if self.fences.contains_key(&gate) {
            return Vec::new();
        }
        self.expect(gate);
        let mut steps = Vec::new();
        for (session, login) in held {
            self.numbers.heard(login);
            if self.logins.contains_key(&login) {
                continue;
            }
            self.logins.insert(login, session.clone());
            let seat = self.seats.entry(session.clone()).or_default();
            seat.present.push(Present::new(login, gate));
            self.settle(&session, &mut steps);
        }
        if complete {
            self.gates.insert(gate, Gate::Reported);
            self.settle_all(&mut steps);
        }
        steps
    }

    /// The script has let in a client of the gate as this session. A gate that is
    /// not [expected](Self::expect) has gone meanwhile.
    pub fn claim(&mut self, session: SessionId, gate: NodeId) -> (Login, Vec<Step>) {
        let login = self.numbers.next();
        if !self.gates.contains_key(&gate) {
            return (login, vec![Step::Supersede(login)]);
        }
        let mut steps = Vec::new();
        let seat = self.seats.entry(session.clone()).or_default();
        if let Some(older) = seat.claim.replace(Claim { login, gate }) {
            self.logins.remove(&older.login);
            self.claims.remove(&older.login);
            steps.push(Step::Supersede(older.login));
        }
        self.claims.insert(login, session.clone());
        self.settle(&session, &mut steps);
        self.logins.insert(login, session);
        (login, steps)
    }

    /// The gate has ended the login, as it was asked to.
    pub fn replaced(&mut self, login: Login) -> Vec<Step> {
        self.remove(login, |_| true)
    }

    /// Nobody has been told that the login is let in, and nobody will be.
    pub fn withdraw(&mut self, login: Login) -> Vec<Step> {
        if self.claims.remove(&login).is_none() {
            return self.remove(login, |_| true);
        }
        let mut steps = Vec::new();
        if let Some(session) = self.logins.remove(&login) {
            if let Some(seat) = self.seats.get_mut(&session) {
                seat.claim = None;
            }
            self.settle(&session, &mut steps);
        }
        steps
    }

    /// The login has ended at the gate, and no scene holds it.
    pub fn ended(&mut self, gate: NodeId, login: Login) -> Vec<Step> {
        self.remove(login, |present| present.gate == gate)
    }

    /// A gate is gone. Its clients are gone with it, but scenes that have not heard
    /// of it hold their sessions still.
    pub fn gate_gone(&mut self, gate: NodeId) -> Vec<Step> {
        let Some(was) = self.gates.remove(&gate) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        let of_anybody = was == Gate::Expected;
        let mut seats = self.seats.values();
        if of_anybody || seats.any(|seat| seat.present.iter().any(|one| one.gate == gate)) {
            self.fences.insert(gate, Fenced { of_anybody });
            steps.push(Step::Fence { gate });
        }
        for login in self.claims_of(gate) {
            steps.push(Step::Supersede(login));
            steps.extend(self.withdraw(login));
        }
        steps
    }

    /// No scene holds a session of the gate, which is gone.
    pub fn fenced(&mut self, gate: NodeId) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(fenced) = self.fences.remove(&gate) else {
            return steps;
        };
        let mut over: Vec<Login> = Vec::new();
        for seat in self.seats.values() {
            let its = seat.present.iter().filter(|one| one.gate == gate);
            over.extend(its.map(|one| one.login));
        }
        over.sort_unstable();
        for login in over {
            steps.extend(self.remove(login, |_| true));
        }
        if fenced.of_anybody {
            self.settle_all(&mut steps);
        }
        steps
    }

    /// The logins that have been granted and have not ended, with their gates.
    pub fn granted(&self) -> impl Iterator<Item = (&SessionId, Login, NodeId)> {
        self.seats.iter().flat_map(|(session, seat)| {
            let present = seat.present.iter();
            present.map(move |one| (session, one.login, one.gate))
        })
    }

    /// How many claims wait.
    pub fn waiting(&self) -> usize {
        self.claims.len()
    }

    /// The gates whose reports are missing. Until they come, nothing is granted.
    pub fn expected(&self) -> Vec<NodeId> {
        let gates = self.gates.iter();
        let mut expected: Vec<NodeId> = gates
            .filter(|(_, gate)| **gate == Gate::Expected)
            .map(|(id, _)| *id)
            .collect();
        expected.sort_unstable();
        expected
    }

    /// Whether it knows of every session that a scene may hold.
    fn is_complete(&self) -> bool {
        !self.gates.values().any(|gate| *gate == Gate::Expected)
            && !self.fences.values().any(|fenced| fenced.of_anybody)
    }

    fn claims_of(&self, gate: NodeId) -> Vec<Login> {
        let claims = self.claims.iter().filter(|(_, session)| {
            let claim = self.seats.get(*session).and_then(|seat| seat.claim);
            claim.is_some_and(|claim| claim.gate == gate)
        });
        claims.map(|(login, _)| *login).collect()
    }

    /// A login that was there is not any more.
    fn remove(&mut self, login: Login, which: impl Fn(&Present) -> bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(session) = self.logins.get(&login).cloned() else {
            return steps;
        };
        let Some(seat) = self.seats.get_mut(&session) else {
            return steps;
        };
        let its = |one: &Present| one.login == login && which(one);
        let Some(at) = seat.present.iter().position(its) else {
            return steps;
        };
        seat.present.remove(at);
        self.logins.remove(&login);
        self.settle(&session, &mut steps);
        steps
    }

    fn settle_all(&mut self, steps: &mut Vec<Step>) {
        if self.is_complete() {
            let waiting: Vec<SessionId> = self.claims.values().cloned().collect();
            for session in waiting {
                self.settle(&session, steps);
            }
        }
    }

    /// Replaces whoever is not the newest, and grants that when it is alone.
    fn settle(&mut self, session: &SessionId, steps: &mut Vec<Step>) {
        let is_complete = self.is_complete();
        let Some(seat) = self.seats.get_mut(session) else {
            return;
        };
        seat.replace_older(|gate| self.gates.contains_key(&gate), steps);
        if is_complete && let Some(login) = seat.grant() {
            self.claims.remove(&login);
            steps.push(Step::Grant(login));
        }
        if seat.is_empty() {
            self.seats.remove(session);
        }
    }
}

#[cfg(test)]
mod tests;
