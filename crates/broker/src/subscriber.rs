//! One member's end of the stream of changes.

use std::time::Duration;

use protocol::v1::{Exports, JoinResponse, Loads, Renewal, join_response::Response};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;

use crate::directory::{Directory, LoadMark};

/// Changes that may wait for one member; past it the member gets the whole
/// directory instead, when there is room again.
pub(crate) const QUEUE: usize = 256;

/// How long lies between what a bridge is told of loads and what it is told next.
const LOADS_PERIOD: Duration = Duration::from_secs(1);

/// Where a member hears of changes. Dropping it ends the member's stream.
pub(crate) struct Subscriber {
    queue: mpsc::Sender<Result<JoinResponse, Status>>,
    stream: u64,
    /// It has to hear the whole directory before any change: it is new, it asked
    /// for it, or it missed a change for want of room.
    owed: bool,
    /// Its token is signed with a secret that was replaced.
    owes_token: bool,
    bridge: Option<Feed>,
    _ended: DropGuard,
}

/// What a bridge has been told beside the directory.
///
/// What it missed for want of room is not kept for it: it gets the exports as they
/// are then, and the loads that have changed since the last that it got.
#[derive(Default)]
struct Feed {
    has_exports: bool,
    /// `None` where it has to hear of everybody.
    loads: Option<LoadMark>,
    told_loads: Option<Instant>,
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
            owes_token: false,
            bridge: None,
            _ended: ended.drop_guard(),
        }
    }

    /// The same of a bridge.
    #[must_use]
    pub(crate) fn of_bridge(mut self) -> Self {
        self.bridge = Some(Feed::default());
        self
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

    pub(crate) fn owe_token(&mut self) {
        self.owes_token = true;
    }

    /// Gives the token that it does not have; says how many responses were put.
    pub(crate) fn give_token(&mut self, token: impl FnOnce() -> Vec<u8>) -> u64 {
        if !self.owes_token || !self.has_room() {
            return 0;
        }
        let token = token().into();
        let put = self.put(respond(Response::Renewal(Renewal { token })));
        self.owes_token = !put;
        put.into()
    }

    /// What a bridge was told of exports holds no more.
    pub(crate) fn owe_exports(&mut self) {
        if let Some(feed) = &mut self.bridge {
            feed.has_exports = false;
        }
    }

    /// Whether the whole directory may go now.
    pub(crate) fn takes_snapshot(&self) -> bool {
        self.owed && self.has_room()
    }

    /// Gives the whole directory; says how many responses were put.
    pub(crate) fn catch_up(&mut self, snapshot: JoinResponse) -> u64 {
        let put = self.put(snapshot);
        self.owed = !put;
        if let (true, Some(feed)) = (put, &mut self.bridge) {
            feed.loads = None;
        }
        put.into()
    }

    /// Gives a bridge the exports that it does not have; says how many responses
    /// were put.
    pub(crate) fn give_exports(&mut self, exports: &Exports) -> u64 {
        if self.bridge.as_ref().is_none_or(|feed| feed.has_exports) {
            return 0;
        }
        let put = self.put(respond(Response::Exports(exports.clone())));
        if let Some(feed) = &mut self.bridge {
            feed.has_exports = put;
        }
        put.into()
    }

    /// Gives a bridge the loads that it has not heard of, when it is time, and behind
    /// the directory that says whose they are. Says how many loads were given.
    pub(crate) fn give_loads(&mut self, directory: &Directory, now: Instant) -> u64 {
        let Some(feed) = &self.bridge else { return 0 };
        let early = feed
            .told_loads
            .is_some_and(|told| now.saturating_duration_since(told) < LOADS_PERIOD);
        if early || self.owed || !self.has_room() {
            return 0;
        }
        let (loads, mark) = directory.loads(feed.loads);
        let given = loads.len() as u64;
        if given == 0 || !self.put(respond(Response::Loads(Loads { loads }))) {
            return 0;
        }
        if let Some(feed) = &mut self.bridge {
            feed.loads = Some(mark);
            feed.told_loads = Some(now);
        }
        given
    }

    /// Half of the queue is free. What is as large as the group waits for that: a
    /// member that is slow would otherwise get one after another of such.
    fn has_room(&self) -> bool {
        self.queue.capacity() >= QUEUE / 2
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
