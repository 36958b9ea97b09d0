//! How holdings end, and what gates are told of it.

use std::mem;

use bytes::Bytes;
use protocol::{Login, NodeId, SessionId};

use super::{Held, Job, Key, SeatId, Sessions, State};

/// Frames that have been handled: how many of which login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The gate that sent them.
    pub gate: NodeId,
    /// The logins.
    pub logins: Vec<Login>,
    /// How many of each, in the same order.
    pub frames: Vec<u32>,
}

/// A holding that has ended. Said behind every frame of it that was
/// [`Finished`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The gate to tell.
    pub gate: NodeId,
    /// The login.
    pub login: Login,
    /// The number of the holding.
    pub holding: u32,
    /// Whether its offline was raised, and not its leave.
    pub offline: bool,
    /// What goes along to the next scene.
    pub extra_data: Bytes,
}

impl<N> Sessions<N> {
    /// A gate is about to be asked to send a session to another scene. `None` if
    /// the session is not here, has been asked for already, or is leaving.
    pub fn ask(&mut self, session: &str) -> Option<Held> {
        let held = self.find(session)?;
        let holding = self.holdings.get_mut(&held.login)?;
        match &mut holding.state {
            State::Here { asked } if !*asked => {
                *asked = true;
                Some(held)
            }
            _ => None,
        }
    }

    /// [Asks](Sessions::ask) for all for which that can be done, in the order in
    /// which they logged in.
    pub fn ask_all(&mut self) -> Vec<Held> {
        let mut all = Vec::new();
        for holding in self.holdings.values_mut() {
            if let State::Here { asked } = &mut holding.state
                && !mem::replace(asked, true)
            {
                all.push(holding.held);
            }
        }
        all.sort_unstable_by_key(|held| held.login);
        all
    }

    /// A gate has refused what it was asked for, and the session stays: it can be
    /// asked for again. Returns who it is, if it is here.
    pub fn stay(&mut self, gate: NodeId, login: Login) -> Option<SessionId> {
        let holding = self.holdings.get_mut(&login)?;
        match &mut holding.state {
            State::Here { asked } if holding.held.gate == gate => {
                *asked = false;
                let seat = self.seats.get(&holding.held.seat)?;
                Some(seat.session.clone())
            }
            _ => None,
        }
    }

    /// A session goes to another scene, behind the frames that it has sent.
    /// Returns its seat; `None` if that gate has no such holding here, which is
    /// answered at once, or it is going already.
    pub fn leave(
        &mut self,
        gate: NodeId,
        login: Login,
        holding: u32,
        to_scene: String,
        extra_data: Bytes,
    ) -> Option<SeatId> {
        let known = self.holdings.get_mut(&login);
        let Some(known) = known.filter(|known| known.is(gate, holding)) else {
            self.answer_unknown(gate, login, holding);
            return None;
        };
        // Where it is going already, that is answered when it is done.
        let State::Here { .. } = known.state else {
            return None;
        };
        let seat = self.seats.get_mut(&known.held.seat)?;
        known.state = State::Leaving;
        seat.jobs.push_back(Job::Leave {
            login,
            holding,
            to_scene,
            extra_data,
        });
        Some(known.held.seat)
    }

    /// A client is gone. Returns its seat; `None` if that gate has no such
    /// holding here, which is answered at once, or nothing is to be done any more:
    /// its leave, or its offline, is under way.
    pub fn offline(&mut self, gate: NodeId, login: Login, holding: u32) -> Option<SeatId> {
        let known = self.holdings.get(&login);
        match known.filter(|known| known.is(gate, holding)) {
            Some(_) => self.vacate(login).map(|held| held.seat),
            None => {
                self.answer_unknown(gate, login, holding);
                None
            }
        }
    }

    /// A gate is gone, and its clients with it: it is told nothing any more.
    /// Returns the seats of those that have something to be done now, in the order
    /// in which they logged in.
    pub fn lose_gate(&mut self, gate: NodeId) -> Vec<SeatId> {
        self.lose(|held_by| held_by == gate)
    }

    /// Every gate is gone: the scene has lost its group, and may be in it again
    /// as another node. Returns the seats of all that have something to be done
    /// now.
    pub fn lose_all(&mut self) -> Vec<SeatId> {
        self.lose(|_| true)
    }

    fn lose(&mut self, lost: impl Fn(NodeId) -> bool) -> Vec<SeatId> {
        self.finished.retain(|(gate, _)| !lost(*gate));
        self.left.retain(|left| !lost(left.gate));
        let held = self.holdings.values().map(|holding| holding.held);
        let mut all: Vec<Held> = held.filter(|held| lost(held.gate)).collect();
        all.sort_unstable_by_key(|held| held.login);
        let mut seats = Vec::new();
        for held in all {
            if self.vacate(held.login).is_some() {
                seats.push(held.seat);
            } else if let Some(seat) = self.seats.get_mut(&held.seat)
                && seat.holding == Some(held.key())
            {
                // Its leave is under way.
                seat.holding = None;
            }
            let holding = self.holdings.remove(&held.login);
            self.orphans
                .extend(holding.map(|holding| (held.key(), holding)));
        }
        seats
    }

    /// The scene ends before everybody has left, and takes no sessions any more:
    /// all are offline here. Their gates are told which frames are handled, and of
    /// no ends: they hold the sessions as soon as the scene is gone. Returns the
    /// seats of all that have something to be done now.
    pub fn abandon_all(&mut self) -> Vec<SeatId> {
        let mut logins: Vec<Login> = self.holdings.keys().copied().collect();
        logins.sort_unstable();
        self.abandoned = true;
        let seats = logins.into_iter().filter_map(|login| self.vacate(login));
        seats.map(|held| held.seat).collect()
    }

    /// Ends a login: its offline comes behind what it still waits for, or takes
    /// the place of a leave that has not begun.
    pub(super) fn vacate(&mut self, login: Login) -> Option<Held> {
        let holding = self.holdings.get_mut(&login)?;
        if !holding.state.is_connected() {
            return None;
        }
        holding.state = State::Going;
        self.gone += 1;
        let held = holding.held;
        if let Some(seat) = self.seats.get_mut(&held.seat) {
            seat.holding = None;
            let offline = Job::Offline {
                login,
                holding: held.holding,
                online_time: held.online_time,
            };
            let is_leave = |job: &Job| match job {
                Job::Leave { login, holding, .. } => (*login, *holding) == held.key(),
                _ => false,
            };
            match seat.jobs.iter_mut().find(|job| is_leave(job)) {
                Some(leave) => *leave = offline,
                None => seat.jobs.push_back(offline),
            }
        }
        Some(held)
    }

    /// The last job of a holding is done.
    pub(super) fn done(&mut self, key: Key, offline: bool, extra_data: Bytes) {
        let Some(holding) = self.holding(key) else {
            return;
        };
        if holding.detached > 0 {
            holding.state = State::Done {
                offline,
                extra_data,
            };
            return;
        }
        let gate = holding.held.gate;
        self.gone -= 1;
        if self.orphans.remove(&key).is_some() {
            return;
        }
        let (login, holding) = key;
        self.holdings.remove(&login);
        if !self.abandoned {
            self.left.push(Left {
                gate,
                login,
                holding,
                offline,
                extra_data,
            });
        }
    }

    /// Nobody of that kind is here, so that the gate can go on without waiting.
    /// It takes no notice of this where it has been answered before.
    pub(super) fn answer_unknown(&mut self, gate: NodeId, login: Login, holding: u32) {
        if self.abandoned {
            return;
        }
        self.left.push(Left {
            gate,
            login,
            holding,
            offline: true,
            extra_data: Bytes::new(),
        });
    }

    /// Whether a gate is to be told something.
    pub fn has_news(&self) -> bool {
        !self.finished.is_empty() || !self.left.is_empty()
    }

    /// What has been handled since this was last asked, gate by gate.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        let mut finished = mem::take(&mut self.finished);
        finished.sort_unstable();
        let mut gates: Vec<Finished> = Vec::new();
        for run in finished.chunk_by(|one, other| one == other) {
            let (gate, login) = run[0];
            if gates.last().is_none_or(|last| last.gate != gate) {
                gates.push(Finished {
                    gate,
                    logins: Vec::new(),
                    frames: Vec::new(),
                });
            }
            if let Some(last) = gates.last_mut() {
                last.logins.push(login);
                last.frames
                    .push(u32::try_from(run.len()).unwrap_or(u32::MAX));
            }
        }
        finished.clear();
        self.finished = finished;
        gates
    }

    /// Who has left since this was last asked. Comes behind [`take_finished`],
    /// and is said behind it.
    ///
    /// [`take_finished`]: Sessions::take_finished
    pub fn take_left(&mut self) -> Vec<Left> {
        mem::take(&mut self.left)
    }
}
