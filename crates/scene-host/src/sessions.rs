//! Who is in the scene, and what each session still waits for.
//!
//! A table without I/O and without Python. A session has a *seat*, found by its
//! id or by the number of its login; the seat has a queue of jobs, and at most
//! one of them is under way. So a session's enter, frames and offline are
//! handled one after the other in the order in which they arrived, also when
//! a handler has to wait, and also when a newer login takes the session over.

mod names;

use std::{
    collections::{HashMap, VecDeque},
    mem,
};

use bytes::Bytes;
use protocol::{Login, NodeId, SessionId};

use self::names::ByName;
use crate::{Enter, Finished};

/// The sessions of a scene. `N` is what the host keeps with each.
#[derive(Debug)]
pub struct Sessions<N> {
    seats: HashMap<SeatId, Seat<N>>,
    logins: HashMap<Login, Held>,
    names: ByName,
    next: SeatId,
    finished: Vec<(NodeId, Login)>,
}

/// A seat; never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeatId(u64);

/// Where a session is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The gate.
    pub gate: NodeId,
    /// Its login.
    pub login: Login,
    /// When it connected, Unix time in seconds.
    pub online_time: u64,
    /// Its seat.
    pub seat: SeatId,
}

/// Something to be done for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Say that it is here.
    Enter {
        /// The scene that it comes from.
        from_scene: String,
        /// What that scene sends along.
        extra_data: Bytes,
    },
    /// Handle what its client sent.
    Frame {
        /// The gate that it came through.
        gate: NodeId,
        /// The login that sent it.
        login: Login,
        /// What the client wants.
        cmd: u16,
        /// What it sent.
        body: Bytes,
    },
    /// Say that it is gone.
    Offline {
        /// When it had connected, Unix time in seconds.
        online_time: u64,
    },
}

/// What became of an enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The session is here, in this seat.
    Seated(SeatId),
    /// A newer login holds the session; this one is to be closed.
    Stale,
    /// This login has entered before.
    Again,
}

/// A mistake of a client that is worth saying once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It sent a command that nobody handles.
    UnknownCmd = 1,
    /// It sent something that is not JSON.
    BadBody = 2,
}

#[derive(Debug)]
struct Seat<N> {
    session: SessionId,
    name: N,
    login: Option<Login>,
    jobs: VecDeque<Job>,
    busy: bool,
    complaints: u8,
}

impl<N> Default for Sessions<N> {
    fn default() -> Self {
        Sessions {
            seats: HashMap::new(),
            logins: HashMap::new(),
            names: ByName::default(),
            next: SeatId(1),
            finished: Vec::new(),
        }
    }
}

impl<N> Sessions<N> {
    /// Ends the older login of a session that begins anew, if there is one. The
    /// caller lets its offline run, and closes it, before the session [enters].
    ///
    /// [enters]: Sessions::enter
    pub fn supersede(&mut self, session: &SessionId, login: Login) -> Option<Held> {
        let older = self.find(session.as_str())?;
        if older.login < login {
            self.vacate(older.login)
        } else {
            None
        }
    }

    /// A session begins; its older login has been [superseded]. `name` makes what
    /// is kept with a seat.
    ///
    /// [superseded]: Sessions::supersede
    pub fn enter(&mut self, enter: Enter, name: impl FnOnce(&SessionId) -> N) -> Entered {
        if self.logins.contains_key(&enter.login) {
            return Entered::Again;
        }
        self.supersede(&enter.session, enter.login);
        if self.find(enter.session.as_str()).is_some() {
            return Entered::Stale;
        }
        let seat = match self.names.find(enter.session.as_str()) {
            Some(seat) => seat,
            None => self.add_seat(&enter.session, name),
        };
        self.logins.insert(
            enter.login,
            Held {
                gate: enter.gate,
                login: enter.login,
                online_time: enter.online_time,
                seat,
            },
        );
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.login = Some(enter.login);
            seat.jobs.push_back(Job::Enter {
                from_scene: enter.from_scene,
                extra_data: enter.extra_data,
            });
        }
        Entered::Seated(seat)
    }

    /// A client sent something. Returns its seat; `None` if that gate has no
    /// such login here, which makes the frame a finished one.
    pub fn frame(&mut self, gate: NodeId, login: Login, cmd: u16, body: Bytes) -> Option<SeatId> {
        let held = self.logins.get(&login).filter(|held| held.gate == gate);
        let seat = held.and_then(|held| self.seats.get_mut(&held.seat));
        let (Some(held), Some(seat)) = (held, seat) else {
            self.finished.push((gate, login));
            return None;
        };
        seat.jobs.push_back(Job::Frame {
            gate,
            login,
            cmd,
            body,
        });
        Some(held.seat)
    }

    /// A client is gone. Returns its seat; `None` if that gate has no such login
    /// here, as when it was replaced.
    pub fn offline(&mut self, gate: NodeId, login: Login) -> Option<SeatId> {
        self.logins.get(&login).filter(|held| held.gate == gate)?;
        self.vacate(login).map(|held| held.seat)
    }

    /// A gate is gone, and its clients with it. Returns their seats, in the
    /// order in which they logged in.
    pub fn lose_gate(&mut self, gate: NodeId) -> Vec<SeatId> {
        self.lose(|held| held.gate == gate)
    }

    /// Every gate is gone. Returns the seats of all clients.
    pub fn lose_all(&mut self) -> Vec<SeatId> {
        self.lose(|_| true)
    }

    fn lose(&mut self, lost: impl Fn(&Held) -> bool) -> Vec<SeatId> {
        let mut logins: Vec<Login> = self
            .logins
            .values()
            .filter(|held| lost(held))
            .map(|held| held.login)
            .collect();
        logins.sort_unstable();
        let seats = logins.into_iter().filter_map(|login| self.vacate(login));
        seats.map(|held| held.seat).collect()
    }

    /// Ends a login: its offline comes behind what it still waits for.
    fn vacate(&mut self, login: Login) -> Option<Held> {
        let held = self.logins.remove(&login)?;
        if let Some(seat) = self.seats.get_mut(&held.seat) {
            seat.login = None;
            seat.jobs.push_back(Job::Offline {
                online_time: held.online_time,
            });
        }
        Some(held)
    }

    fn add_seat(&mut self, session: &SessionId, name: impl FnOnce(&SessionId) -> N) -> SeatId {
        let id = self.next;
        self.next = SeatId(id.0 + 1);
        self.names.insert(session.clone(), id);
        self.seats.insert(
            id,
            Seat {
                session: session.clone(),
                name: name(session),
                login: None,
                jobs: VecDeque::new(),
                busy: false,
                complaints: 0,
            },
        );
        id
    }

    /// Where a session is connected.
    pub fn find(&self, session: &str) -> Option<Held> {
        let seat = self.seats.get(&self.names.find(session)?)?;
        self.logins.get(&seat.login?).copied()
    }

    /// How many sessions are connected.
    pub fn connected(&self) -> usize {
        self.logins.len()
    }

    /// Whether nobody is here and nothing is left to be done.
    pub fn is_idle(&self) -> bool {
        self.seats.is_empty()
    }

    /// Says whether a client makes this mistake for the first time.
    pub fn complain(&mut self, seat: SeatId, complaint: Complaint) -> bool {
        let Some(seat) = self.seats.get_mut(&seat) else {
            return false;
        };
        let is_new = seat.complaints & complaint as u8 == 0;
        seat.complaints |= complaint as u8;
        is_new
    }
}

impl<N> Sessions<N> {
    /// Begins the next job of a seat, unless one is under way. Every job that
    /// was begun has to be [ended](Sessions::end).
    pub fn begin(&mut self, seat: SeatId) -> Option<(Job, &SessionId, &N)> {
        let seat = self.seats.get_mut(&seat)?;
        if seat.busy {
            return None;
        }
        let job = seat.jobs.pop_front()?;
        seat.busy = true;
        Some((job, &seat.session, &seat.name))
    }

    /// Ends the job of a seat that is under way. A seat that nobody sits in and
    /// nothing waits for is cleared.
    pub fn end(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        seat.busy = false;
        if seat.login.is_none()
            && seat.jobs.is_empty()
            && let Some(seat) = self.seats.remove(&id)
        {
            self.names.remove(seat.session.as_str());
        }
    }

    /// A frame of this login has been handled.
    pub fn finish(&mut self, gate: NodeId, login: Login) {
        self.finished.push((gate, login));
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
}

#[cfg(test)]
mod tests;
