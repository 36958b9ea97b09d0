//! The scene's half: who is in the scene, and what each session still waits for.
//!
//! A session has a *seat*, found by its id; a login of it that is here has a
//! *holding*, found by its number. The seat has a queue of jobs, and at most one
//! of them is under way. So a session's enter, frames, and leave or offline are
//! handled one after the other in the order in which they arrived, also when a
//! handler has to wait, and also when a newer login takes the session over.
//!
//! A handler that lets later jobs begin while it waits *detaches* its frame. A
//! leave begins only when no frame of its login is detached any more, and a
//! holding has ended when that is so and its leave or offline is done: then its
//! gate is told that the session has [`Left`], behind every frame that is
//! [`Finished`].
//!
//! A holding whose gate is lost is put aside: it goes on to its end in its seat,
//! and nobody is told. If it was the scene that had lost the group, the same
//! login enters again, with a higher number, and waits in the seat for its turn.
//!
//! ```text
//!  enter ──► Here ──leave──► Leaving ──begins──► Left behind ──done──► Left
//!              │                │ offline, or gate gone
//!              └──offline───────┴──────────────► Offline ─────done──► Left
//! ```

mod end;
mod names;
mod seats;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use foldhash::HashMap;
use protocol::{Login, NodeId, SessionId};

pub use self::end::{Finished, Left};
use self::{
    names::ByName,
    seats::{Seat, UnderWay},
};

/// The sessions of a scene. `N` is what the host keeps with each.
///
/// The maps whose keys are numbers hash cheaply: the group gives these numbers,
/// and no client chooses them.
#[derive(Debug)]
pub struct Sessions<N> {
    seats: HashMap<SeatId, Seat<N>>,
    holdings: HashMap<Login, Holding>,
    /// Holdings that have lost their gates, and have something left to be done.
    orphans: HashMap<Key, Holding>,
    /// How many of both are neither here nor about to leave.
    gone: usize,
    names: ByName,
    next: SeatId,
    finished: Vec<(NodeId, Login)>,
    left: Vec<Left>,
    /// The scene ends, and gates are told of handled frames alone.
    abandoned: bool,
}

/// A login, and the number of a holding of it.
type Key = (Login, u32);

/// A seat; never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeatId(u64);

/// A session that begins.
#[derive(Clone, Debug)]
pub struct Enter {
    /// The gate that the client is connected to.
    pub gate: NodeId,
    /// Who it is.
    pub session: SessionId,
    /// The number of its login.
    pub login: Login,
    /// The number of this holding of it.
    pub holding: u32,
    /// When it connected, Unix time in seconds.
    pub online_time: u64,
    /// The scene that it comes from; empty when it has just been let in.
    pub from_scene: String,
    /// What that scene sends along.
    pub extra_data: Bytes,
}

/// Where a session is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The gate.
    pub gate: NodeId,
    /// Its login.
    pub login: Login,
    /// The number of this holding of it.
    pub holding: u32,
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
        /// The number of the holding of it.
        holding: u32,
        /// What the client wants.
        cmd: u16,
        /// What it sent.
        body: Bytes,
    },
    /// Say that it goes to another scene.
    Leave {
        /// The login that goes.
        login: Login,
        /// The number of the holding that ends.
        holding: u32,
        /// Where it goes.
        to_scene: String,
        /// What goes along, if the host does not say otherwise.
        extra_data: Bytes,
    },
    /// Say that it is gone.
    Offline {
        /// The login that is gone.
        login: Login,
        /// The number of the holding that ends.
        holding: u32,
        /// When it had connected, Unix time in seconds.
        online_time: u64,
    },
}

/// What becomes of a frame.
#[derive(Debug)]
pub enum Arrived<'s, N> {
    /// Its job has begun, and has to be [ended](Sessions::end_frame).
    Begun {
        /// Where the session is.
        held: Held,
        /// What is kept with the seat.
        name: &'s N,
        /// What was sent.
        body: Bytes,
    },
    /// It waits in this seat for its turn.
    Waits(SeatId),
    /// Nobody of that login is here.
    Stale,
}

/// What became of an enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The session is here, in this seat.
    Seated(SeatId),
    /// A newer login holds the session; this one is to be closed.
    Stale,
    /// This login has entered before, and has not left.
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

/// A login that is here, until its gate can be told that it is not.
#[derive(Debug)]
struct Holding {
    held: Held,
    state: State,
    /// Frames whose handlers let later jobs begin, and are not done.
    detached: u32,
}

#[derive(Debug)]
enum State {
    Here {
        /// The gate has been asked for another scene.
        asked: bool,
    },
    /// Its leave waits for its turn.
    Leaving,
    /// Its leave is under way, or its offline is or waits for its turn.
    Going,
    /// That is done, and frames are detached still.
    Done { offline: bool, extra_data: Bytes },
}

impl Held {
    fn key(&self) -> Key {
        (self.login, self.holding)
    }
}

impl Holding {
    /// Whether it is what a gate means.
    fn is(&self, gate: NodeId, holding: u32) -> bool {
        self.held.gate == gate && self.held.holding == holding
    }
}

impl State {
    /// Whether messages can be sent to the client, and it counts as connected.
    fn is_connected(&self) -> bool {
        matches!(self, State::Here { .. } | State::Leaving)
    }
}

/// A holding that is among those that have gates, or those that have none.
fn either<'a>(
    holdings: &'a mut HashMap<Login, Holding>,
    orphans: &'a mut HashMap<Key, Holding>,
    key: Key,
) -> Option<&'a mut Holding> {
    match holdings.get_mut(&key.0) {
        Some(holding) if holding.held.key() == key => Some(holding),
        _ => orphans.get_mut(&key),
    }
}

impl<N> Default for Sessions<N> {
    fn default() -> Self {
        Sessions {
            seats: HashMap::default(),
            holdings: HashMap::default(),
            orphans: HashMap::default(),
            gone: 0,
            names: ByName::default(),
            next: SeatId(1),
            finished: Vec::new(),
            left: Vec::new(),
            abandoned: false,
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
        if older.login >= login {
            return None;
        }
        if self.vacate(older.login).is_none()
            && let Some(seat) = self.seats.get_mut(&older.seat)
        {
            // Its leave is under way, and ends as it would.
            seat.holding = None;
        }
        Some(older)
    }

    /// A session begins; its older login has been [superseded]. `name` makes what
    /// is kept with a seat.
    ///
    /// [superseded]: Sessions::supersede
    pub fn enter(&mut self, enter: Enter, name: impl FnOnce(&SessionId) -> N) -> Entered {
        if let Some(known) = self.holdings.get(&enter.login) {
            if known.held.holding != enter.holding {
                self.answer_unknown(enter.gate, enter.login, enter.holding);
            }
            return Entered::Again;
        }
        if self.orphans.contains_key(&(enter.login, enter.holding)) {
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
        let held = Held {
            gate: enter.gate,
            login: enter.login,
            holding: enter.holding,
            online_time: enter.online_time,
            seat,
        };
        self.holdings.insert(
            enter.login,
            Holding {
                held,
                state: State::Here { asked: false },
                detached: 0,
            },
        );
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.holding = Some(held.key());
            seat.jobs.push_back(Job::Enter {
                from_scene: enter.from_scene,
                extra_data: enter.extra_data,
            });
        }
        Entered::Seated(seat)
    }

    /// A client sent something. Returns its seat; `None` if that gate has no
    /// such login here, which makes the frame a finished one; or a lost one, if the
    /// scene [ends](Sessions::abandon_all).
    pub fn frame(&mut self, gate: NodeId, login: Login, cmd: u16, body: Bytes) -> Option<SeatId> {
        let holding = self.holdings.get(&login).filter(|holding| {
            holding.held.gate == gate && matches!(holding.state, State::Here { .. })
        });
        let seat = holding.and_then(|holding| self.seats.get_mut(&holding.held.seat));
        let (Some(holding), Some(seat)) = (holding, seat) else {
            if !self.abandoned {
                self.finished.push((gate, login));
            }
            return None;
        };
        seat.jobs.push_back(Job::Frame {
            gate,
            login,
            holding: holding.held.holding,
            cmd,
            body,
        });
        Some(holding.held.seat)
    }

    /// As [`frame`](Sessions::frame), of a frame whose turn it is at once if
    /// nothing of the session is under way and nothing waits.
    pub fn begin_frame(
        &mut self,
        gate: NodeId,
        login: Login,
        cmd: u16,
        body: Bytes,
    ) -> Arrived<'_, N> {
        let holding = self.holdings.get(&login).filter(|holding| {
            holding.held.gate == gate && matches!(holding.state, State::Here { .. })
        });
        let seat = holding.and_then(|holding| self.seats.get_mut(&holding.held.seat));
        let (Some(holding), Some(seat)) = (holding, seat) else {
            if !self.abandoned {
                self.finished.push((gate, login));
            }
            return Arrived::Stale;
        };
        let held = holding.held;
        if matches!(seat.under_way, UnderWay::Nothing) && seat.jobs.is_empty() {
            seat.under_way = UnderWay::Turn;
            return Arrived::Begun {
                held,
                name: &seat.name,
                body,
            };
        }
        seat.jobs.push_back(Job::Frame {
            gate,
            login,
            holding: held.holding,
            cmd,
            body,
        });
        Arrived::Waits(held.seat)
    }

    /// Who sits in a seat.
    pub fn session(&self, seat: SeatId) -> Option<&SessionId> {
        self.seats.get(&seat).map(|seat| &seat.session)
    }

    /// Where a session is connected: from its enter until its leave is done, or
    /// its offline is known.
    pub fn find(&self, session: &str) -> Option<Held> {
        let seat = self.seats.get(&self.names.find(session)?)?;
        let (login, _) = seat.holding?;
        let holding = self.holdings.get(&login)?;
        Some(holding.held)
    }

    /// How many sessions are connected.
    pub fn connected(&self) -> usize {
        self.holdings.len() + self.orphans.len() - self.gone
    }

    /// Whether nobody is here and nothing is left to be done.
    pub fn is_idle(&self) -> bool {
        self.seats.is_empty() && self.holdings.is_empty() && self.orphans.is_empty()
    }

    /// Whether a session of this gate is here, or something of it is still to be
    /// done.
    pub fn holds(&self, gate: NodeId) -> bool {
        self.gates().any(|held_by| held_by == gate)
    }

    /// The gates of the sessions that are here, or of which something is still to
    /// be done; of each session anew.
    pub fn gates(&self) -> impl Iterator<Item = NodeId> {
        let all = self.holdings.values().chain(self.orphans.values());
        all.map(|holding| holding.held.gate)
    }

    /// A holding that is not over, whether its gate is there or not.
    fn holding(&mut self, key: Key) -> Option<&mut Holding> {
        either(&mut self.holdings, &mut self.orphans, key)
    }

    fn add_seat(&mut self, session: &SessionId, name: impl FnOnce(&SessionId) -> N) -> SeatId {
        let id = self.next;
        self.next = SeatId(id.0 + 1);
        self.names.insert(session.clone(), id);
        self.seats.insert(id, Seat::new(session, name(session)));
        id
    }
}
