//! How much may be on its way to a scene: a few frames of each session, and a
//! number of bytes of all of them together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use protocol::NodeId;
use tokio::sync::{Notify, Semaphore};

use crate::live::Amount;

/// What a frame weighs on its way besides its body, so that empty frames
/// weigh something too.
const FRAME_OVERHEAD: usize = 64;

/// The frames of one session that its scene has not finished. When there are
/// as many as there may be, the gate stops reading the client's socket.
///
/// They may also not weigh more than the session's share of its scene's window:
/// a few clients whose handlers take their time leave room for the others. The
/// frame that passes the share is the last one, so that one always fits.
#[derive(Debug)]
pub(crate) struct SessionWindow {
    room: Arc<SessionRoom>,
    /// What each weighs, the oldest first. They are few.
    unfinished: Vec<u32>,
    weight: usize,
}

/// What each session may have unfinished now: at least one frame.
#[derive(Debug)]
pub(crate) struct SessionRoom {
    capacity: Amount,
    share: Amount,
}

/// What a scene's word that frames are finished has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Freed {
    /// What they weighed.
    pub(crate) weight: usize,
    /// Whether the window was full and is not any more.
    pub(crate) opened: bool,
}

/// What this gate may have on its way to one scene. Those who wait for room
/// get it in the order in which they came, whatever they need: nobody starves.
#[derive(Debug)]
pub(crate) struct SceneWindow {
    scene: NodeId,
    capacity: Amount,
    room: Semaphore,
    /// Room that has been taken, and does not come back when it is freed: there was
    /// more of it once.
    owed: AtomicUsize,
    resized: Notify,
    reachable: AtomicBool,
}

impl SessionRoom {
    /// For `capacity` frames and a weight of `share`.
    pub(crate) fn new(capacity: usize, share: usize) -> Self {
        SessionRoom {
            capacity: Amount::new(capacity),
            share: Amount::new(share),
        }
    }

    /// As much from now on. What is on its way is finished.
    pub(crate) fn set(&self, capacity: usize, share: usize) {
        self.capacity.set(capacity);
        self.share.set(share);
    }
}

impl SessionWindow {
    /// For `capacity` frames and a weight of `share`, at least one frame.
    #[cfg(test)]
    pub(crate) fn new(capacity: usize, share: usize) -> Self {
        SessionWindow::within(&Arc::new(SessionRoom::new(capacity, share)))
    }

    /// For as much as there is room now.
    pub(crate) fn within(room: &Arc<SessionRoom>) -> Self {
        SessionWindow {
            room: Arc::clone(room),
            unfinished: Vec::new(),
            weight: 0,
        }
    }

    /// Whether the next frame has to wait.
    pub(crate) fn is_full(&self) -> bool {
        let SessionRoom { capacity, share } = &*self.room;
        self.unfinished.len() >= capacity.get().max(1) || self.weight >= share.get().max(1)
    }

    /// How many frames are not finished.
    pub(crate) fn len(&self) -> usize {
        self.unfinished.len()
    }

    /// A frame of this weight is on its way.
    pub(crate) fn send(&mut self, weight: u32) {
        self.unfinished.push(weight);
        self.weight += weight as usize;
    }

    /// The oldest `frames` are finished. Handlers may finish in another order
    /// than frames were sent in; in the end every weight is freed once. More
    /// than there are is taken for all there are.
    pub(crate) fn finish(&mut self, frames: u32) -> Freed {
        let was_full = self.is_full();
        let frames = (frames as usize).min(self.unfinished.len());
        let weight: usize = self.unfinished.drain(..frames).map(|w| w as usize).sum();
        self.weight -= weight;
        Freed {
            weight,
            opened: was_full && !self.is_full(),
        }
    }
}

impl SceneWindow {
    /// For `capacity` bytes to `scene`.
    pub(crate) fn new(scene: NodeId, capacity: usize) -> Self {
        let capacity = sound(capacity);
        SceneWindow {
            scene,
            capacity: Amount::new(capacity),
            room: Semaphore::new(capacity),
            owed: AtomicUsize::new(0),
            resized: Notify::new(),
            reachable: AtomicBool::new(true),
        }
    }

    /// For `capacity` bytes from now on; what is on its way arrives. To be called by
    /// one at a time.
    pub(crate) fn resize(&self, capacity: usize) {
        let (before, after) = (self.capacity.get(), sound(capacity));
        self.capacity.set(after);
        if after > before {
            self.free(after - before);
        } else {
            let taken = self.room.forget_permits(before - after);
            self.owed
                .fetch_add(before - after - taken, Ordering::AcqRel);
        }
        // Whoever waits for more than there is now would wait for ever.
        self.resized.notify_waiters();
    }

    /// Whether what is sent to the scene gets there now, as far as is known.
    pub(crate) fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    /// A broker has said that it has no link to the scene, or the scene has been
    /// heard of since. Frames are held meanwhile: if the scene is gone in the end,
    /// they go to its successor.
    pub(crate) fn set_reachable(&self, reachable: bool) {
        self.reachable.store(reachable, Ordering::Relaxed);
    }

    /// Whose window it is.
    pub(crate) fn scene(&self) -> NodeId {
        self.scene
    }

    /// What a frame with such a body weighs. A frame that is larger than the
    /// whole window weighs the whole window: it passes alone.
    pub(crate) fn weight(&self, body: usize) -> u32 {
        u32::try_from(body.saturating_add(FRAME_OVERHEAD))
            .unwrap_or(u32::MAX)
            .min(u32::try_from(self.capacity.get()).unwrap_or(u32::MAX))
    }

    /// Takes room if there is some and nobody waits for it.
    pub(crate) fn try_take(&self, weight: u32) -> bool {
        match self.room.try_acquire_many(weight) {
            Ok(permit) => {
                permit.forget();
                true
            }
            Err(_) => false,
        }
    }

    /// Takes room, in turn. Cancelled, it has taken none and lost its turn.
    pub(crate) async fn take(&self, weight: u32) {
        loop {
            let resized = self.resized.notified();
            let part = weight.min(u32::try_from(self.capacity.get()).unwrap_or(u32::MAX));
            tokio::select! {
                biased;
                permit = self.room.acquire_many(part) => {
                    if let Ok(permit) = permit {
                        permit.forget();
                    }
                    // As much as was asked for is freed in the end.
                    self.owed.fetch_add((weight - part) as usize, Ordering::AcqRel);
                    return;
                }
                () = resized => {}
            }
        }
    }

    /// Gives room back.
    pub(crate) fn free(&self, weight: usize) {
        let mut weight = weight;
        if self.owed.load(Ordering::Acquire) > 0 {
            let pay = |owed: usize| Some(owed.saturating_sub(weight));
            let owed = self
                .owed
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, pay);
            weight = weight.saturating_sub(owed.unwrap_or_else(|owed| owed));
        }
        if weight > 0 {
            self.room.add_permits(weight);
        }
    }

    /// How much room there is.
    #[cfg(test)]
    pub(crate) fn available(&self) -> usize {
        self.room.available_permits()
    }
}

/// At least one byte, and no more than a frame's weight can say.
fn sound(capacity: usize) -> usize {
    capacity.clamp(1, u32::MAX as usize)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::*;

    const SCENE: NodeId = NodeId::new(1, 2);

    #[test]
    fn full_window_opens_with_the_first_finished_frame() {
        let mut window = SessionWindow::new(2, 1_000);
        window.send(10);
        assert!(!window.is_full());
        window.send(20);
        assert!(window.is_full());
        let freed = window.finish(1);
        assert_eq!(
            freed,
            Freed {
                weight: 10,
                opened: true
            }
        );
        let freed = window.finish(99);
        assert_eq!(
            freed,
            Freed {
                weight: 20,
                opened: false
            }
        );
    }

    #[test]
    fn a_session_takes_no_more_than_its_share() {
        let mut window = SessionWindow::new(16, 100);
        window.send(60);
        assert!(!window.is_full());
        window.send(60);
        assert!(window.is_full());
        assert_eq!(window.finish(1).weight, 60);
        assert!(!window.is_full());
        assert_eq!((window.finish(9).weight, window.len()), (60, 0));
    }

    #[test]
    fn frame_larger_than_the_whole_window_passes_alone() {
        let window = SceneWindow::new(SCENE, 100);
        assert_eq!(window.weight(1_000_000), 100);
        assert!(window.try_take(window.weight(1_000_000)));
        assert!(!window.try_take(window.weight(0)));
        window.free(100);
        assert!(window.try_take(window.weight(0)));
    }

    #[tokio::test]
    async fn large_frame_is_not_overtaken_for_ever_by_small_ones() {
        let window = Arc::new(SceneWindow::new(SCENE, 100));
        assert!(window.try_take(100));
        let (taken_tx, mut taken_rx) = mpsc::channel(1);
        let waiting = Arc::clone(&window);
        tokio::spawn(async move {
            waiting.take(90).await;
            let _ = taken_tx.send(()).await;
        });
        tokio::task::yield_now().await;
        // Small frames that come later find room free, and still wait.
        window.free(50);
        assert!(!window.try_take(10));
        window.free(50);
        taken_rx.recv().await.unwrap();
        assert!(window.try_take(10));
        assert!(!window.try_take(1));
    }

    #[tokio::test]
    async fn who_waits_for_more_than_there_is_any_more_passes_alone() {
        let window = Arc::new(SceneWindow::new(SCENE, 100));
        assert!(window.try_take(60));
        let (taken_tx, mut taken_rx) = mpsc::channel(1);
        let waiting = Arc::clone(&window);
        tokio::spawn(async move {
            waiting.take(90).await;
            let _ = taken_tx.send(()).await;
        });
        tokio::task::yield_now().await;
        window.resize(50);
        window.free(60);
        taken_rx.recv().await.unwrap();
        assert!(!window.try_take(1));
        window.free(90);
        assert_eq!(window.available(), 50);
    }

    proptest! {
        /// Whatever is taken and given back in between: in the end there is as much room
        /// as there was said to be last.
        #[test]
        fn window_that_changes_its_size_ends_with_its_last(
            first in 1usize..500,
            steps in prop::collection::vec((0u8..3, 1usize..500), 0..100),
        ) {
            let window = SceneWindow::new(SCENE, first);
            let (mut capacity, mut taken) = (first, Vec::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        window.resize(number);
                        capacity = number;
                    }
                    1 => {
                        let weight = window.weight(number);
                        if window.try_take(weight) {
                            taken.push(weight as usize);
                        }
                    }
                    _ => window.free(taken.pop().unwrap_or(0)),
                }
                let under_way: usize = taken.iter().sum();
                prop_assert_eq!(window.available(), capacity.saturating_sub(under_way));
            }
            taken.into_iter().for_each(|weight| window.free(weight));
            prop_assert_eq!(window.available(), capacity);
        }

        /// What is sent is freed once, and never more is unfinished than fits.
        #[test]
        fn weights_are_conserved(
            capacity in 1usize..20,
            share in 1usize..8_000,
            steps in prop::collection::vec((any::<bool>(), 0u32..6, 1u32..1_000), 0..200),
        ) {
            let mut window = SessionWindow::new(capacity, share);
            let (mut sent, mut freed) = (0usize, 0usize);
            for (send, frames, weight) in steps {
                if send {
                    if !window.is_full() {
                        window.send(weight);
                        sent += weight as usize;
                    }
                } else {
                    let was_full = window.is_full();
                    let step = window.finish(frames);
                    prop_assert_eq!(step.opened, was_full && !window.is_full());
                    freed += step.weight;
                }
                prop_assert!(window.unfinished.len() <= capacity);
                prop_assert!(window.weight < share + 1_000);
                prop_assert!(window.len() > 0 || !window.is_full());
            }
            prop_assert_eq!(sent, freed + window.finish(u32::MAX).weight);
        }
    }
}
