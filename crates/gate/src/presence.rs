//! A client that has been let in, for as long as it is there.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Login, SessionId, v1::CloseReason};
use session::gate::Life;
use tracing::error;

use crate::{
    handle::Handle, owner::Authority, seat::Seat, session::Accepted, shared::Shared, table::NoSeat,
};

/// A client's seat. Whichever way the connection ends, the seat hears of it.
pub(crate) struct Presence {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
}

/// What a client that was let in is told.
pub(crate) struct Answer {
    pub(crate) frame: Bytes,
    /// It may go on over another connection when this one is lost.
    pub(crate) may_come_back: bool,
    /// When it connected, Unix time in seconds.
    pub(crate) online_time: u64,
}

/// Why a client that was let in does not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// It has to be told this.
    Refused(CloseReason),
    /// Its connection is about to end, and says itself why.
    Closing,
}

impl Presence {
    /// Seats a client that was let in by this authority, gives it its answer, and
    /// lets it enter its scene.
    pub(crate) fn enter(
        shared: &Arc<Shared>,
        handle: &Arc<Handle>,
        accepted: &Accepted,
        authority: Authority,
        answer: Answer,
    ) -> Result<Presence, NoEntry> {
        let Shared {
            sessions, group, ..
        } = &**shared;
        let seat = Arc::new(Seat::new(
            (accepted.login, accepted.session_id.clone()),
            answer.online_time,
            Arc::clone(handle),
            shared.new_window(),
        ));
        // From here on whoever finds the seat waits until it has begun, so that
        // nothing that happens in the group is missed.
        let mut hold = seat.lock();
        if let Err(no_seat) = sessions.table.insert(&seat) {
            return Err(NoEntry::Refused(reason_of(&no_seat, &seat)));
        }
        sessions.metrics.sessions.increment(1);
        let presence = Presence {
            shared: Arc::clone(shared),
            seat: Arc::clone(&seat),
        };
        // Either an owner that is new finds the seat and is told of it, or this
        // finds that it was not.
        let refusal = if !sessions.owner.admits(authority) {
            Some(NoEntry::Refused(CloseReason::VerifyUnavailable))
        } else if !handle.activate(answer.frame, answer.may_come_back) {
            Some(NoEntry::Closing)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            sessions.end(&**group, &seat, &mut hold);
            drop(hold);
            return Err(refusal);
        }
        // Nothing of a scene comes before the answer, for none knows the login yet.
        let to = sessions.ways().enter;
        let (life, effects) = Life::begin(to, &sessions.directory);
        hold.life = Some(life);
        sessions.carry_out(&seat, &mut hold, effects);
        drop(hold);
        Ok(presence)
    }

    /// Its seat.
    pub(crate) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Who it is.
    pub(crate) fn session_id(&self) -> &SessionId {
        &self.seat.session_id
    }

    /// The number of its login.
    pub(crate) fn login(&self) -> Login {
        self.seat.login
    }
}

fn reason_of(no_seat: &NoSeat, seat: &Seat) -> CloseReason {
    match no_seat {
        NoSeat::Replaced(_) => CloseReason::Replaced,
        NoSeat::Taken(_) => {
            let session_id = seat.session_id.as_str();
            error!(session_id, error = %no_seat, "login given twice by the verifying scene");
            CloseReason::VerifyUnavailable
        }
    }
}

/// Here rather than in a method, so that a connection whose task is torn down
/// leaves nobody behind in a scene.
impl Drop for Presence {
    fn drop(&mut self) {
        let sessions = &self.shared.sessions;
        // Its task ends it in an orderly way and with its own reason before.
        self.seat.handle.close(CloseReason::SocketError);
        sessions.client_gone(&self.seat);
        sessions.metrics.sessions.decrement(1);
    }
}
