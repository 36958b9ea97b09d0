//! How much may be on its way to a scene: a few frames of each session, and a
//! number of bytes of all of them together.

use std::sync::atomic::{AtomicBool, Ordering};

use protocol::NodeId;
use tokio::sync::Semaphore;

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
    capacity: u32,
    share: u32,
    /// What each weighs, the oldest first. They are few.
    unfinished: Vec<u32>,
    weight: usize,
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
    capacity: u32,
    room: Semaphore,
    reachable: AtomicBool,
}

impl SessionWindow {
    /// For `capacity` frames and a weight of `share`, at least one frame.
    pub(crate) fn new(capacity: usize, share: usize) -> Self {
        SessionWindow {
            capacity: u32::try_from(capacity.max(1)).unwrap_or(u32::MAX),
            share: u32::try_from(share.max(1)).unwrap_or(u32::MAX),
            unfinished: Vec::new(),
            weight: 0,
        }
    }

    /// Whether the next frame has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.unfinished.len() >= self.capacity as usize || self.weight >= self.share as usize
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
        let capacity = u32::try_from(capacity.max(1)).unwrap_or(u32::MAX);
        SceneWindow {
            scene,
            capacity,
            room: Semaphore::new(capacity as usize),
            reachable: AtomicBool::new(true),
        }
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
            .min(self.capacity)
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
        if let Ok(permit) = self.room.acquire_many(weight).await {
            permit.forget();
        }
    }

    /// Gives room back.
    pub(crate) fn free(&self, weight: usize) {
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

    proptest! {
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
