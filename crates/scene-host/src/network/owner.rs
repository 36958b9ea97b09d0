//! The owner of sessions, in the host of the scene that verifies clients: its
//! door to the network. What it decides is in [`session::owner`].
//!
//! Every scene has one. That of a scene which no gate has verify its clients is
//! never asked for anything.

mod awaited;
mod errands;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use ffrpc::NodeEvent;
use metrics::counter;
use protocol::{CallError, ErrorKind, Login, NodeId, NodeName, SessionId, v1::Role};
use session::owner::{Owner, Step};
use tokio::sync::{Notify, oneshot};
use tracing::{info, warn};

pub(crate) use self::errands::run_errands;

/// Where claims, and what gates say of their sessions, come to.
///
/// The lock is held for one step of the owner, by the task that reads the links
/// and by whoever has done an errand.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The gates that have their clients verified here.
    gates: Mutex<HashSet<NodeName>>,
    /// The low byte of every login given here: what tells it from those of another
    /// verifying scene.
    mark: u8,
    state: Mutex<State>,
    /// There are errands.
    errands: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// None out of the group.
    owner: Option<Owner>,
    /// Who waits for a grant.
    waiting: HashMap<Login, oneshot::Sender<Claimed>>,
    /// What is to be done when the first gate says something: by then the whole
    /// directory is known.
    opening: Vec<Step>,
    errands: Vec<Errand>,
    /// By gates that are gone: the scenes that may hold sessions of them still.
    fencing: BTreeMap<NodeId, BTreeSet<NodeId>>,
    /// Which membership in the group it is; errands of an earlier one are none of
    /// this owner's.
    membership: u64,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The client is let in, under this number.
    Granted(Login),
    /// A newer login of the session has come.
    Superseded,
}

/// Something to ask of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Errand {
    membership: u64,
    step: Step,
}

/// A claim that waits; withdrawn if nobody waits for it any more.
struct Claim<'d> {
    desk: &'d Desk,
    login: Login,
    is_over: bool,
}

impl Desk {
    pub(crate) fn new(scene: &NodeName, gates: impl IntoIterator<Item = NodeName>) -> Self {
        let gates: HashSet<NodeName> = gates.into_iter().collect();
        if !gates.is_empty() && scene.index() > u32::from(u8::MAX) {
            warn!(
                other = scene.index() & u32::from(u8::MAX),
                "login numbers may be those of another scene, if that verifies too: give verifying \
                 scenes indices up to 255"
            );
        }
        Desk {
            gates: Mutex::new(gates),
            mark: scene.index().to_le_bytes()[0],
            state: Mutex::default(),
            errands: Notify::new(),
        }
    }

    /// These gates have their clients verified here from now on. One that comes is
    /// waited for until it has said who is connected; those that are there say so by
    /// themselves.
    pub(crate) fn set_gates(&self, gates: impl IntoIterator<Item = NodeName>) {
        *self.lock_gates() = gates.into_iter().collect();
    }

    fn verifies_for(&self, gate: &NodeName) -> bool {
        self.lock_gates().contains(gate)
    }

    /// Held for a look-up.
    fn lock_gates(&self) -> MutexGuard<'_, HashSet<NodeName>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has happened in the group.
    pub(crate) fn follow(&self, event: &NodeEvent) {
        let mut state = self.lock();
        match event {
            NodeEvent::Joined(_) => {
                let (owner, steps) = Owner::new(self.first_login());
                *state = State {
                    owner: Some(owner),
                    opening: steps,
                    membership: state.membership + 1,
                    ..State::default()
                };
            }
            // Whoever waits hears that there is no owner.
            NodeEvent::Lost => {
                *state = State {
                    membership: state.membership + 1,
                    ..State::default()
                }
            }
            NodeEvent::Upserted(node) => {
                if node.role == Role::Gate
                    && self.verifies_for(&node.name)
                    && let Some(owner) = &mut state.owner
                {
                    owner.expect(node.id);
                }
                if node.role != Role::Gate {
                    let steps = state.owner.as_mut().map(|owner| owner.forget(node.id));
                    self.take(&mut state, steps);
                }
            }
            NodeEvent::Removed(node) => {
                let steps = state.owner.as_mut().map(|owner| owner.gate_gone(*node));
                self.take(&mut state, steps);
            }
            NodeEvent::Unreachable(_)
            | NodeEvent::Reachable(_)
            | NodeEvent::Exports(_)
            | NodeEvent::Loads(_) => {}
        }
    }

    /// Something of this gate has come: it is there, whether the directory knows
    /// it already or not.
    pub(crate) fn expect(&self, gate: NodeId) {
        if let Some(owner) = &mut self.lock().owner {
            owner.expect(gate);
        }
    }

    /// Whether this gate is there.
    pub(crate) fn knows(&self, gate: NodeId) -> bool {
        let state = self.lock();
        state.owner.as_ref().is_some_and(|owner| owner.knows(gate))
    }

    /// The script has let in a client of this gate as this session. Waits until
    /// no scene holds an older login of it. Whoever stops waiting withdraws.
    pub(crate) async fn claim(
        &self,
        session: SessionId,
        gate: NodeId,
    ) -> Result<Claimed, CallError> {
        let out = || CallError::new(ErrorKind::Unavailable, "the scene is out of the group");
        let (mut claim, answer) = {
            let mut state = self.lock();
            self.open(&mut state);
            let Some(owner) = &mut state.owner else {
                return Err(out());
            };
            let (login, steps) = owner.claim(session, gate);
            let (answer_tx, answer_rx) = oneshot::channel();
            state.waiting.insert(login, answer_tx);
            self.take(&mut state, Some(steps));
            let claim = Claim {
                desk: self,
                login,
                is_over: false,
            };
            (claim, answer_rx)
        };
        let answer = answer.await;
        claim.is_over = true;
        answer.map_err(|_| out())
    }

    /// A gate says who is connected there.
    pub(crate) fn report(&self, gate: NodeId, held: Vec<(SessionId, Login)>, complete: bool) {
        let mut state = self.lock();
        self.open(&mut state);
        if complete {
            info!(peer_id = %gate, sessions = held.len(), "gate has reported its sessions");
        }
        let owner = state.owner.as_mut();
        let steps = owner.map(|owner| owner.report(gate, held, complete));
        self.take(&mut state, steps);
    }

    /// Logins have ended at a gate.
    pub(crate) fn ended(&self, gate: NodeId, logins: impl IntoIterator<Item = Login>) {
        let mut state = self.lock();
        for login in logins {
            let owner = state.owner.as_mut();
            let steps = owner.map(|owner| owner.ended(gate, login));
            self.take(&mut state, steps);
        }
    }

    /// What an errand was about is so now.
    fn done(&self, errand: Errand) {
        let mut state = self.lock();
        if state.membership != errand.membership {
            return;
        }
        let steps = state.owner.as_mut().map(|owner| match errand.step {
            Step::Replace { login, .. } => owner.replaced(login),
            Step::Fence { gate } => owner.fenced(gate),
            Step::Grant(_) | Step::Supersede(_) => Vec::new(),
        });
        self.take(&mut state, steps);
    }

    fn withdraw(&self, login: Login) {
        let mut state = self.lock();
        counter!("redrabbit_owner_claims_total", "outcome" => "withdrawn").increment(1);
        state.waiting.remove(&login);
        // An owner of a later membership does not know of it.
        let steps = state.owner.as_mut().map(|owner| owner.withdraw(login));
        self.take(&mut state, steps);
    }

    fn open(&self, state: &mut State) {
        let opening = std::mem::take(&mut state.opening);
        self.take(state, Some(opening));
    }

    fn take(&self, state: &mut State, steps: Option<Vec<Step>>) {
        for step in steps.unwrap_or_default() {
            match step {
                Step::Grant(login) => self.answer(state, login, Claimed::Granted(login)),
                Step::Supersede(login) => self.answer(state, login, Claimed::Superseded),
                Step::Replace { .. } | Step::Fence { .. } => {
                    let membership = state.membership;
                    state.errands.push(Errand { membership, step });
                    self.errands.notify_one();
                }
            }
        }
    }

    fn answer(&self, state: &mut State, login: Login, claimed: Claimed) {
        let outcome = match claimed {
            Claimed::Granted(_) => "granted",
            Claimed::Superseded => "superseded",
        };
        counter!("redrabbit_owner_claims_total", "outcome" => outcome).increment(1);
        if let Some(waiting) = state.waiting.remove(&login) {
            // Whoever has stopped waiting withdraws it as soon as it has the lock.
            let _ = waiting.send(claimed);
        }
    }

    /// Higher than whatever an earlier run of this scene has given.
    fn first_login(&self) -> Login {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX >> 8) & (u64::MAX >> 8);
        Login(micros << 8 | u64::from(self.mark))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            warn!("owner goes on after a panic");
            PoisonError::into_inner(poisoned)
        })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.desk.withdraw(self.login);
        }
    }
}
