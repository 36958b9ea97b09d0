//! Seats: one job at a time.

use std::{collections::VecDeque, mem};

use bytes::Bytes;
use protocol::{Login, NodeId, SessionId};

use super::{Complaint, Job, Key, SeatId, Sessions, State, either};

#[derive(Debug)]
pub(super) struct Seat<N> {
    pub(super) session: SessionId,
    pub(super) name: N,
    /// The holding that messages to the session go to.
    pub(super) holding: Option<Key>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) under_way: UnderWay,
    complaints: u8,
}

/// The job of a seat that has begun and not ended.
#[derive(Debug)]
pub(super) enum UnderWay {
    Nothing,
    /// An enter or a frame.
    Turn,
    Offline(Key),
    Leave(Key, Bytes),
}

impl<N> Seat<N> {
    pub(super) fn new(session: &SessionId, name: N) -> Self {
        Seat {
            session: session.clone(),
            name,
            holding: None,
            jobs: VecDeque::new(),
            under_way: UnderWay::Nothing,
            complaints: 0,
        }
    }
}

impl<N> Sessions<N> {
    /// Begins the next job of a seat, unless one is under way, or the next is a
    /// leave whose login has [detached](Sessions::detach) frames. Every job that
    /// was begun has to be [ended](Sessions::end).
    pub fn begin(&mut self, seat: SeatId) -> Option<(Job, &SessionId, &N)> {
        let seat = self.seats.get_mut(&seat)?;
        if !matches!(seat.under_way, UnderWay::Nothing) {
            return None;
        }
        if let Some(&Job::Leave { login, holding, .. }) = seat.jobs.front()
            && let key = (login, holding)
            && let Some(holding) = either(&mut self.holdings, &mut self.orphans, key)
        {
            if holding.detached > 0 {
                return None;
            }
            if holding.state.is_connected() {
                holding.state = State::Going;
                self.gone += 1;
            }
        }
        let job = seat.jobs.pop_front()?;
        seat.under_way = match &job {
            Job::Enter { .. } | Job::Frame { .. } => UnderWay::Turn,
            Job::Offline { login, holding, .. } => UnderWay::Offline((*login, *holding)),
            Job::Leave {
                login,
                holding,
                extra_data,
                ..
            } => UnderWay::Leave((*login, *holding), extra_data.clone()),
        };
        Some((job, &seat.session, &seat.name))
    }

    /// Ends the job of a seat that is under way. A seat that nobody sits in and
    /// nothing waits for is cleared.
    pub fn end(&mut self, seat: SeatId) {
        self.end_with(seat, None);
    }

    /// [Ends](Sessions::end) the job of a frame, and says whether there is another
    /// one to begin.
    pub fn end_frame(&mut self, id: SeatId) -> bool {
        let Some(seat) = self.seats.get_mut(&id) else {
            return false;
        };
        if matches!(seat.under_way, UnderWay::Turn) && seat.holding.is_some() {
            seat.under_way = UnderWay::Nothing;
            return !seat.jobs.is_empty();
        }
        self.end(id);
        true
    }

    /// [Ends](Sessions::end) a leave; if `extra_data` is given, it goes along
    /// instead of what was asked for.
    pub fn end_with(&mut self, id: SeatId, extra_data: Option<Bytes>) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        let under_way = mem::replace(&mut seat.under_way, UnderWay::Nothing);
        if let UnderWay::Leave(key, _) = &under_way
            && seat.holding == Some(*key)
        {
            seat.holding = None;
        }
        let is_over = seat.holding.is_none() && seat.jobs.is_empty();
        match under_way {
            UnderWay::Nothing | UnderWay::Turn => {}
            UnderWay::Offline(key) => self.done(key, true, Bytes::new()),
            UnderWay::Leave(key, asked) => {
                self.done(key, false, extra_data.unwrap_or(asked));
            }
        }
        if is_over && let Some(seat) = self.seats.remove(&id) {
            self.names.remove(seat.session.as_str());
        }
    }

    /// The handler of a frame lets the session's next jobs begin, and goes on.
    /// Comes before the frame's job is ended; its [`finish_detached`] follows.
    ///
    /// [`finish_detached`]: Sessions::finish_detached
    pub fn detach(&mut self, login: Login, holding: u32) {
        if let Some(holding) = self.holding((login, holding)) {
            holding.detached += 1;
        }
    }

    /// A frame of this holding has been handled. A gate that was lost has given
    /// it up, and may count those of the next holding already.
    pub fn finish(&mut self, gate: NodeId, login: Login, holding: u32) {
        if self.orphans.is_empty() || !self.orphans.contains_key(&(login, holding)) {
            self.finished.push((gate, login));
        }
    }

    /// A detached frame of this holding has been handled. Returns the seat of a
    /// leave that has waited for that, and can begin.
    pub fn finish_detached(&mut self, gate: NodeId, login: Login, holding: u32) -> Option<SeatId> {
        self.finish(gate, login, holding);
        let key = (login, holding);
        let holding = self.holding(key)?;
        holding.detached = holding.detached.saturating_sub(1);
        if holding.detached > 0 {
            return None;
        }
        match &mut holding.state {
            State::Leaving => Some(holding.held.seat),
            State::Done {
                offline,
                extra_data,
            } => {
                let (offline, extra_data) = (*offline, mem::take(extra_data));
                self.done(key, offline, extra_data);
                None
            }
            State::Here { .. } | State::Going => None,
        }
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
