//! A client's frames that have been read and cannot go to a scene yet.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use protocol::{client::Frame, v1::CloseReason};

use crate::{
    group::Group,
    live::Amount,
    pace::Pause,
    seat::{Room, Seat, Sent},
};

/// Frames in the order in which they came. It is empty as long as there is a
/// scene, and room on the way to it.
pub(crate) struct Backlog {
    frames: VecDeque<Frame>,
    bytes: usize,
    budget: Arc<Budget>,
    /// The room that the first frame waits for.
    room: Option<(Room, BoxFuture<'static, ()>)>,
    pause: Option<Pause>,
}

/// What all backlogs of a gate may hold together, before nothing more is read for
/// them: the sockets hold the rest. Without it every client could park its bound
/// while a scene is away.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Amount,
    held: AtomicUsize,
}

/// What a held frame costs beside its body.
const FRAME_OVERHEAD: usize = 64;

/// The way of frames to a scene.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) seat: &'a Seat,
    pub(crate) group: &'a dyn Group,
}

/// How much is read while no scene holds the session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl Budget {
    /// For so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Budget {
            limit: Amount::new(limit),
            held: AtomicUsize::new(0),
        }
    }

    /// As much from now on.
    pub(crate) fn set(&self, limit: usize) {
        self.limit.set(limit);
    }

    fn is_spent(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= self.limit.get()
    }

    fn take(&self, body: usize) {
        self.held
            .fetch_add(body + FRAME_OVERHEAD, Ordering::Relaxed);
    }

    fn give(&self, body: usize) {
        self.held
            .fetch_sub(body + FRAME_OVERHEAD, Ordering::Relaxed);
    }
}

impl Backlog {
    /// Empty, and with the others on this budget.
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Backlog {
            frames: VecDeque::new(),
            bytes: 0,
            budget: Arc::clone(budget),
            room: None,
            pause: None,
        }
    }

    /// Why the socket is not to be read, if it is not.
    pub(crate) fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// How many frames wait.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The room that is waited for.
    pub(crate) fn room(&mut self) -> Option<&mut BoxFuture<'static, ()>> {
        self.room.as_mut().map(|(_, taken)| taken)
    }

    /// A frame has come: it goes at once, or behind those that wait.
    pub(crate) fn offer(
        &mut self,
        way: Way<'_>,
        bound: Bound,
        frame: Frame,
    ) -> Result<(), CloseReason> {
        if self.frames.is_empty() {
            return self.send(way, bound, frame, None).map(|_| ());
        }
        self.keep(frame.body.len());
        self.frames.push_back(frame);
        self.pause = self.is_full(bound).then_some(Pause::Held);
        Ok(())
    }

    /// Something has changed: sends what can go.
    pub(crate) fn go_on(&mut self, way: Way<'_>, bound: Bound) -> Result<(), CloseReason> {
        {
            let hold = way.seat.lock();
            if let Some((room, _)) = &self.room
                && hold.sends_to(&room.window)
            {
                // It keeps its turn.
                return Ok(());
            }
            self.room = None;
            self.pause = (!hold.is_open()).then_some(Pause::SessionWindow);
        }
        self.flush(way, bound, None)
    }

    /// The room that was waited for has been taken.
    pub(crate) fn let_in(&mut self, way: Way<'_>, bound: Bound) -> Result<(), CloseReason> {
        let paid = self.room.take().map(|(room, _)| room);
        self.pause = None;
        self.flush(way, bound, paid)
    }

    fn flush(
        &mut self,
        way: Way<'_>,
        bound: Bound,
        mut paid: Option<Room>,
    ) -> Result<(), CloseReason> {
        while let Some(frame) = self.frames.pop_front() {
            self.release(frame.body.len());
            if !self.send(way, bound, frame, paid.take())? {
                return Ok(());
            }
        }
        // A queue that was needed once need not stay.
        self.frames = VecDeque::new();
        Ok(())
    }

    /// Sends a frame, or puts it in front. Says whether it went.
    fn send(
        &mut self,
        way: Way<'_>,
        bound: Bound,
        frame: Frame,
        paid: Option<Room>,
    ) -> Result<bool, CloseReason> {
        match way.seat.forward(way.group, frame, paid) {
            Sent::Yes { open } => {
                self.pause = (!open).then_some(Pause::SessionWindow);
                return Ok(true);
            }
            Sent::Held(frame) => {
                self.put_back(frame);
                self.pause = self.is_full(bound).then_some(Pause::Held);
            }
            Sent::Full(frame) => {
                self.put_back(frame);
                self.pause = Some(Pause::SessionWindow);
            }
            Sent::NoRoom(frame, room) => {
                self.put_back(frame);
                self.pause = Some(Pause::SceneWindow);
                let (window, weight) = (room.window.clone(), room.weight);
                let taken = Box::pin(async move { window.take(weight).await });
                self.room = Some((room, taken));
            }
            Sent::TooLarge => return Err(CloseReason::FrameTooLarge),
        }
        Ok(false)
    }

    /// Forgets what waits: the client is gone.
    pub(crate) fn clear(&mut self) {
        for frame in std::mem::take(&mut self.frames) {
            self.release(frame.body.len());
        }
        self.room = None;
    }

    fn put_back(&mut self, frame: Frame) {
        self.keep(frame.body.len());
        self.frames.push_front(frame);
    }

    fn keep(&mut self, body: usize) {
        self.bytes += body;
        self.budget.take(body);
    }

    fn release(&mut self, body: usize) {
        self.bytes -= body;
        self.budget.give(body);
    }

    fn is_full(&self, bound: Bound) -> bool {
        let full = self.frames.len() >= bound.frames || self.bytes >= bound.bytes;
        full || self.budget.is_spent()
    }
}

/// A connection that is torn down gives back what it held, too.
impl Drop for Backlog {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use protocol::{CallError, ErrorKind, Login};
    use session::gate::{Life, Scenes};

    use super::*;
    use crate::{
        seat::Seat,
        tests::{NoGroup, handle},
        window::{SceneWindow, SessionWindow},
    };

    struct Nobody;

    impl Scenes for Nobody {
        fn ready(&self, _: &protocol::NodeName) -> Option<protocol::NodeId> {
            None
        }

        fn knows(&self, _: &protocol::NodeName) -> bool {
            true
        }
    }

    fn frame(body: usize) -> Frame {
        Frame {
            cmd: 1,
            flags: 0,
            body: vec![0; body].into(),
        }
    }

    /// Of a session whose scene is away.
    fn seat(login: u64) -> Seat {
        let who = (Login(login), "alice".parse().unwrap());
        let seat = Seat::new(who, 0, handle(), SessionWindow::new(16, 10_000));
        seat.lock().life = Some(Life::begin("scene@0".parse().unwrap(), &Nobody).0);
        seat
    }

    #[test]
    fn what_all_sessions_hold_is_bounded_and_given_back() {
        let group = NoGroup(Err(CallError::new(ErrorKind::Unavailable, "no")));
        let budget = Arc::new(Budget::new(1_000));
        let bound = Bound {
            frames: 16,
            bytes: 10_000,
        };
        let (first, second) = (seat(1), seat(2));
        let way = |seat| Way {
            seat,
            group: &group,
        };
        let mut of_first = Backlog::new(&budget);
        let mut of_second = Backlog::new(&budget);
        of_first.offer(way(&first), bound, frame(900)).unwrap();
        assert_eq!(of_first.pause(), None, "there is room for more");
        of_second.offer(way(&second), bound, frame(10)).unwrap();
        assert_eq!(of_second.pause(), Some(Pause::Held));
        drop(of_second);
        of_first.clear();
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        // A scene comes: everything goes, and the budget is whole again.
        of_first.offer(way(&first), bound, frame(900)).unwrap();
        let mut hold = first.lock();
        let scene = protocol::NodeId::new(1, 1);
        hold.life = hold.life.take().map(|mut life| {
            life.scene_ready(&"scene@0".parse().unwrap(), scene);
            life
        });
        hold.begin(Arc::new(SceneWindow::new(scene, 10_000)));
        drop(hold);
        let taken = NoGroup(Ok(()));
        let way = Way {
            seat: &first,
            group: &taken,
        };
        of_first.go_on(way, bound).unwrap();
        assert_eq!(
            (of_first.len(), budget.held.load(Ordering::Relaxed)),
            (0, 0)
        );
    }
}
