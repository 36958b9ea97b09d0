//! The task that writes to the sockets of those who were delivered something.
//!
//! What one read of a link brings is dispatched first: a socket for which there
//! are several frames in it gets them in one write, and one wake does for
//! everybody, however many they are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::Notify, task::yield_now};
use tokio_util::sync::CancellationToken;

use crate::{
    handle::{Flushed, Handle},
    metrics::Metrics,
    outbound::Batch,
};

/// After so many sockets others have their turn: a write takes microseconds.
const AT_ONCE: usize = 64;

/// Connections with something to be written. Each is listed once, so there are
/// never more of them than connections.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    /// Locked for an instruction or two.
    listed: Mutex<Vec<Arc<Handle>>>,
    wake: Notify,
}

impl Flusher {
    /// Writes to these soon, and leaves the list empty.
    pub(crate) fn list(&self, handles: &mut Vec<Arc<Handle>>) {
        if !handles.is_empty() {
            self.listed().append(handles);
            self.wake.notify_one();
        }
    }

    /// Writes until the gate leaves its group. From then on connections end, and
    /// write what they have left themselves.
    pub(crate) async fn run(&self, metrics: &Metrics, leaving: CancellationToken) {
        let mut handles = Vec::new();
        let mut batch = Batch::default();
        loop {
            tokio::select! {
                biased;
                () = leaving.cancelled() => return,
                () = self.wake.notified() => {}
            }
            // The lists change places, so that neither has to grow again.
            std::mem::swap(&mut handles, &mut *self.listed());
            self.flush(&mut handles, &mut batch, metrics).await;
        }
    }

    async fn flush(&self, handles: &mut Vec<Arc<Handle>>, batch: &mut Batch, metrics: &Metrics) {
        let mut again = Vec::new();
        let (mut frames, mut bytes) = (0, 0);
        for (number, handle) in handles.drain(..).enumerate() {
            if number % AT_ONCE == AT_ONCE - 1 {
                yield_now().await;
            }
            let (taken, flushed) = handle.flush(batch);
            frames += taken.0 as u64;
            bytes += taken.1 as u64;
            if flushed == Flushed::More {
                again.push(handle);
            }
        }
        metrics.frames_out.increment(frames);
        metrics.bytes_out.increment(bytes);
        if !again.is_empty() {
            self.list(&mut again);
            yield_now().await;
        }
    }

    fn listed(&self) -> MutexGuard<'_, Vec<Arc<Handle>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
