//! A login's seat at the gate: its connection, its life, and the windows on the
//! way to the scene that holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{
    ErrorKind, Login, NodeId, SessionId,
    client::Frame,
    v1::{self, CloseReason},
};
use session::gate::Life;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    group::Group,
    handle::Handle,
    window::{SceneWindow, SessionWindow},
};

/// A login that has been let in. It outlives its client's connection until no
/// scene holds it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) login: Login,
    pub(crate) session_id: SessionId,
    /// When the client connected, Unix time in seconds.
    pub(crate) online_time: u64,
    pub(crate) handle: Arc<Handle>,
    /// Everything for the scene is sent under this lock, so that enter, frames
    /// and leave or offline go out in the order in which they were decided. It is
    /// never taken under a guard of a map; see [`Sessions`](crate::sessions).
    hold: Mutex<Hold>,
}

/// Who holds the login, and what is on its way there.
#[derive(Debug)]
pub(crate) struct Hold {
    /// None before its beginning, and after its end.
    pub(crate) life: Option<Life>,
    /// Frames of this holding that the scene has not finished.
    unfinished: SessionWindow,
    /// Of the scene that holds it, or that has not left it yet.
    window: Option<Arc<SceneWindow>>,
    /// When to stop waiting for a scene. Boxed, since that is rare.
    pub(crate) until: Option<Box<Instant>>,
    /// The client is not there any more.
    pub(crate) gone: bool,
    rare: Option<Box<Rare>>,
}

/// What most logins never need.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) channels: Vec<Arc<str>>,
    /// Who waits for the login's end.
    pub(crate) watchers: Vec<oneshot::Sender<()>>,
}

/// Room in the window of a scene that was taken beforehand.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) window: Arc<SceneWindow>,
    pub(crate) weight: u32,
}

/// What became of a client's frame.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It is on its way to the scene, and whether another one may follow.
    Yes { open: bool },
    /// No scene takes it now.
    Held(Frame),
    /// As many as may be are on their way.
    Full(Frame),
    /// This room is to be taken first.
    NoRoom(Frame, Room),
    /// It is larger than any message.
    TooLarge,
}

impl Seat {
    /// Of a login that has not begun.
    pub(crate) fn new(
        (login, session_id): (Login, SessionId),
        online_time: u64,
        handle: Arc<Handle>,
        unfinished: SessionWindow,
    ) -> Self {
        Seat {
            login,
            session_id,
            online_time,
            handle,
            hold: Mutex::new(Hold {
                life: None,
                unfinished,
                window: None,
                until: None,
                gone: false,
                rare: None,
            }),
        }
    }

    /// Sends the scene a frame, if one holds the session and there is room, which
    /// may have been `paid` for.
    pub(crate) fn forward(&self, group: &dyn Group, frame: Frame, paid: Option<Room>) -> Sent {
        let mut hold = self.lock();
        let hold = &mut *hold;
        let paid = paid.filter(|room| {
            let is_due = hold.sends_to(&room.window);
            if !is_due {
                room.window.free(room.weight as usize);
            }
            is_due
        });
        let (Some(scene), Some(window)) = (hold.holder(), &hold.window) else {
            return Sent::Held(frame);
        };
        if !window.is_reachable() {
            if let Some(room) = paid {
                window.free(room.weight as usize);
            }
            return Sent::Held(frame);
        }
        let weight = match paid {
            Some(room) => room.weight,
            None if hold.unfinished.is_full() => return Sent::Full(frame),
            None => {
                let weight = window.weight(frame.body.len());
                if !window.try_take(weight) {
                    let window = Arc::clone(window);
                    return Sent::NoRoom(frame, Room { window, weight });
                }
                weight
            }
        };
        let message = v1::Frame {
            login: self.login.0,
            cmd: frame.cmd.into(),
            body: frame.body,
        };
        match group.frame(scene, &message) {
            Ok(()) => {
                hold.unfinished.send(weight);
                Sent::Yes {
                    open: !hold.unfinished.is_full(),
                }
            }
            Err(error) => {
                window.free(weight as usize);
                match error.kind {
                    ErrorKind::TooLarge => Sent::TooLarge,
                    // The scene is gone, or the group is: that word is on its way.
                    _ => Sent::Held(Frame {
                        body: message.body,
                        ..frame
                    }),
                }
            }
        }
    }

    /// The scene has finished frames. Only the one that was sent them can have.
    pub(crate) fn finish(&self, scene: NodeId, frames: u32) {
        let mut hold = self.lock();
        let hold = &mut *hold;
        let Some(window) = hold.window.as_ref().filter(|w| w.scene() == scene) else {
            return;
        };
        let freed = hold.unfinished.finish(frames);
        window.free(freed.weight);
        if freed.opened {
            self.handle.stir();
        }
    }

    /// Asks the connection to end, if `source` may.
    pub(crate) fn close_by(&self, source: NodeId, reason: CloseReason) -> bool {
        let may = self.lock().is_of(source);
        if may {
            self.handle.close(reason);
        }
        may
    }

    /// Locks what changes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Hold> {
        // Nothing under the lock can panic half-way through a change.
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Whether the session is in this scene, or on its way out of it.
    pub(crate) fn is_of(&self, scene: NodeId) -> bool {
        self.window.as_ref().is_some_and(|w| w.scene() == scene)
    }

    /// Whether frames go, or will go, through this window.
    pub(crate) fn sends_to(&self, window: &Arc<SceneWindow>) -> bool {
        self.holder().is_some() && self.window.as_ref().is_some_and(|w| Arc::ptr_eq(w, window))
    }

    /// Whether another frame may follow those that are on their way.
    pub(crate) fn is_open(&self) -> bool {
        !self.unfinished.is_full()
    }

    /// A holding begins.
    pub(crate) fn begin(&mut self, window: Arc<SceneWindow>) {
        self.release();
        self.until = None;
        self.window = Some(window);
    }

    /// A holding has ended in order: whatever its scene has not finished, which is
    /// nothing, gives its room back.
    pub(crate) fn release(&mut self) {
        let left = self.unfinished.finish(u32::MAX).weight;
        if let Some(window) = self.window.take() {
            window.free(left);
        }
    }

    /// A holding has ended with its scene. Returns how many frames went with it.
    pub(crate) fn lose(&mut self) -> usize {
        let lost = self.unfinished.len();
        self.unfinished.finish(u32::MAX);
        self.window = None;
        lost
    }

    /// Those that want to hear of the end, and the channels.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// As [`rare`](Self::rare), for good.
    pub(crate) fn take_channels(&mut self) -> Vec<Arc<str>> {
        let rare = self.rare.as_mut();
        rare.map(|rare| std::mem::take(&mut rare.channels))
            .unwrap_or_default()
    }

    /// Those that wait for the end.
    pub(crate) fn take_watchers(&mut self) -> Vec<oneshot::Sender<()>> {
        let rare = self.rare.as_mut();
        rare.map(|rare| std::mem::take(&mut rare.watchers))
            .unwrap_or_default()
    }

    fn holder(&self) -> Option<NodeId> {
        self.life.as_ref()?.holder()
    }
}

#[cfg(test)]
mod tests {
    use protocol::CallError;
    use session::gate::Scenes;

    use super::*;
    use crate::tests::{NoGroup, handle};

    const SCENE: NodeId = NodeId::new(1, 1);

    struct Always;

    impl Scenes for Always {
        fn ready(&self, _: &protocol::NodeName) -> Option<NodeId> {
            Some(SCENE)
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

    /// A session of two frames, in a scene whose window has 1,000 bytes.
    fn seat() -> (Seat, Arc<SceneWindow>) {
        let who = (Login(1), "alice".parse().unwrap());
        let seat = Seat::new(who, 0, handle(), SessionWindow::new(2, 10_000));
        let window = Arc::new(SceneWindow::new(SCENE, 1_000));
        let mut hold = seat.lock();
        hold.life = Some(Life::begin("scene@0".parse().unwrap(), &Always).0);
        hold.begin(Arc::clone(&window));
        drop(hold);
        (seat, window)
    }

    fn taken() -> NoGroup {
        NoGroup(Ok(()))
    }

    #[test]
    fn finished_frames_make_room_in_both_windows() {
        let (seat, window) = seat();
        let sent = |way| matches!(way, Sent::Yes { .. });
        assert!(sent(seat.forward(&taken(), frame(100), None)));
        assert!(sent(seat.forward(&taken(), frame(100), None)));
        let full = seat.forward(&taken(), frame(100), None);
        assert!(matches!(full, Sent::Full(_)));
        seat.finish(NodeId::new(1, 9), 1);
        assert!(!seat.lock().is_open(), "no scene but its own finishes them");
        seat.finish(SCENE, 1);
        assert!(sent(seat.forward(&taken(), frame(100), None)));
        seat.finish(SCENE, 9);
        assert_eq!(window.available(), 1_000);
    }

    #[test]
    fn frames_for_a_scene_that_cannot_be_reached_are_held() {
        let (seat, window) = seat();
        window.set_reachable(false);
        let held = seat.forward(&taken(), frame(100), None);
        assert!(matches!(held, Sent::Held(_)));
        assert!(window.try_take(164));
        let paid = Room {
            window: Arc::clone(&window),
            weight: 164,
        };
        let held = seat.forward(&taken(), frame(100), Some(paid));
        assert!(matches!(held, Sent::Held(_)));
        assert_eq!(window.available(), 1_000);
        window.set_reachable(true);
        let sent = seat.forward(&taken(), frame(100), None);
        assert!(matches!(sent, Sent::Yes { .. }));
    }

    #[test]
    fn frame_that_is_not_taken_gives_its_room_back() {
        for (kind, too_large) in [(ErrorKind::TooLarge, true), (ErrorKind::Unavailable, false)] {
            let (seat, window) = seat();
            let group = NoGroup(Err(CallError::new(kind, "no")));
            match seat.forward(&group, frame(100), None) {
                Sent::TooLarge => assert!(too_large),
                Sent::Held(kept) => assert!(!too_large && kept == frame(100)),
                other => panic!("{other:?}"),
            }
            assert_eq!(
                (window.available(), seat.lock().unfinished.len()),
                (1_000, 0)
            );
        }
    }

    #[test]
    fn room_that_was_paid_for_in_another_holding_is_given_back() {
        let (seat, window) = seat();
        let before = Arc::new(SceneWindow::new(SCENE, 500));
        assert!(before.try_take(164));
        let paid = Room {
            window: Arc::clone(&before),
            weight: 164,
        };
        let way = seat.forward(&taken(), frame(100), Some(paid));
        assert!(matches!(way, Sent::Yes { .. }));
        assert_eq!((before.available(), window.available()), (500, 836));
    }

    #[test]
    fn late_word_of_an_earlier_holding_frees_nothing_of_a_later_one() {
        let (seat, earlier) = seat();
        seat.forward(&taken(), frame(100), None);
        let later = Arc::new(SceneWindow::new(NodeId::new(1, 2), 1_000));
        seat.lock().begin(Arc::clone(&later));
        assert_eq!(earlier.available(), 1_000, "it ended in order");
        seat.forward(&taken(), frame(100), None);
        seat.finish(SCENE, 1);
        assert_eq!((earlier.available(), later.available()), (1_000, 836));
        assert_eq!(seat.lock().lose(), 1);
    }
}
