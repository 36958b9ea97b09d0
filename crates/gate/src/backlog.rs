//! A client's frames that have been read and cannot go to a scene yet.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use protocol::{client::Frame, v1::CloseReason};

use crate::{
    group::Group,
    pace::Pause,
    seat::{Room, Seat, Sent},
};

/// Frames in the order in which they came. It is empty as long as there is a
/// scene, and room on the way to it.
#[derive(Default)]
pub(crate) struct Backlog {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The room that the first frame waits for.
    room: Option<(Room, BoxFuture<'static, ()>)>,
    pause: Option<Pause>,
}

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

impl Backlog {
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
        self.bytes += frame.body.len();
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
            self.bytes -= frame.body.len();
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

    fn put_back(&mut self, frame: Frame) {
        self.bytes += frame.body.len();
        self.frames.push_front(frame);
    }

    fn is_full(&self, bound: Bound) -> bool {
        self.frames.len() >= bound.frames || self.bytes >= bound.bytes
    }
}
