//! One member's end of the stream of changes.

use protocol::v1::{JoinResponse, join_response::Response};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

/// Changes that may wait for one member; past it the member gets the whole
/// directory instead, when there is room again.
pub(crate) const QUEUE: usize = 256;

/// Where a member hears of changes. Dropping it ends the member's stream.
pub(crate) struct Subscriber {
    queue: mpsc::Sender<Result<JoinResponse, Status>>,
    stream: u64,
    /// It has to hear the whole directory before any change: it is new, it asked
    /// for it, or it missed a change for want of room.
    owed: bool,
    _ended: DropGuard,
}

impl Subscriber {
    /// The subscriber behind a Join stream. `ended` is cancelled when it goes.
    pub(crate) fn new(
        queue: mpsc::Sender<Result<JoinResponse, Status>>,
        stream: u64,
        ended: CancellationToken,
    ) -> Self {
        Subscriber {
            queue,
            stream,
            owed: true,
            _ended: ended.drop_guard(),
        }
    }

    pub(crate) fn stream(&self) -> u64 {
        self.stream
    }

    /// Puts the first of all responses; says how many were put.
    pub(crate) fn welcome(&mut self, response: JoinResponse) -> u64 {
        self.put(response).into()
    }

    /// Tells of a change; says whether it did.
    pub(crate) fn tell(&mut self, response: &JoinResponse) -> bool {
        if self.owed {
            return false;
        }
        let told = self.put(response.clone());
        self.owed = !told;
        told
    }

    pub(crate) fn owe_snapshot(&mut self) {
        self.owed = true;
    }

    /// Whether the whole directory may go now. Not before half of the queue is
    /// free: a member that is slow would otherwise get one after another, each
    /// of them as large as the group.
    pub(crate) fn takes_snapshot(&self) -> bool {
        self.owed && self.queue.capacity() >= QUEUE / 2
    }

    /// Gives the whole directory; says how many responses were put.
    pub(crate) fn catch_up(&mut self, snapshot: JoinResponse) -> u64 {
        let put = self.put(snapshot);
        self.owed = !put;
        put.into()
    }

    fn put(&self, response: JoinResponse) -> bool {
        self.queue.try_send(Ok(response)).is_ok()
    }
}

pub(crate) fn respond(response: Response) -> JoinResponse {
    JoinResponse {
        response: Some(response),
    }
}
