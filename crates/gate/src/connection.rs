//! The task of one connection: it moves frames between the socket, the scene
//! and the mailbox, and keeps the clock. What any of it means is decided in
//! [`Session`], and where the session is, in its [`Seat`](crate::seat::Seat).

use std::{
    future::poll_fn,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use protocol::{
    client::{CMD_PING, Frame, HEAD_BYTES, encode_frame},
    v1::CloseReason,
};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::debug;

use crate::{
    arrival::Client,
    backlog::{Backlog, Bound, Way},
    close::Farewell,
    connections::Place,
    handle::{Handle, Taken},
    outbound::Batch,
    owner::Authority,
    pace::{Deadline, Due, Pace, Plan, Stage},
    presence::{NoEntry, Presence},
    session::{Accepted, Effect, End, Event, Session},
    shared::Shared,
    transport::{Incoming, Progress, Transport},
    verification::{self, Verdict},
};

/// After so many frames of one read, others have their turn.
const FRAMES_AT_ONCE: usize = 64;

/// One client's connection.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    handle: Own,
    client: Client,
    /// Unix time of the connection, in seconds.
    online_time: u64,
    session: Session,
    transport: Transport,
    batch: Batch,
    pace: Pace,
    /// What is waited for, while it is.
    plan: Option<Plan>,
    verifying: Option<BoxFuture<'static, Verdict>>,
    authority: Option<Authority>,
    presence: Option<Presence>,
    /// Frames for which there is no scene, or no room on the way to it.
    backlog: Backlog,
    /// When to stop waiting for a scene.
    give_up: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    place: Place,
}

/// A connection's own handle. A seat may keep the handle for longer: if the task
/// is torn down, what was lent must not keep the socket open.
struct Own(Arc<Handle>);

/// What a connection has waited for.
enum Wake {
    Socket(Progress),
    Verdict(Verdict),
    /// There is room for the first frame that waits.
    Room,
    Mail,
    Time,
}

impl Connection {
    /// Of a client that has a place and a socket.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        handle: Arc<Handle>,
        mut transport: Transport,
        client: Client,
        place: Place,
    ) -> Self {
        if let Some(socket) = transport.lend() {
            handle.lend(socket);
        }
        // It may have changed since the socket was taken over.
        transport.set_max_body(shared.frame_bytes());
        let online_time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        Connection {
            shared: Arc::clone(shared),
            handle: Own(handle),
            client,
            online_time,
            session: Session::default(),
            transport,
            batch: Batch::default(),
            pace: Pace::new(&shared.rules, client.since),
            plan: None,
            verifying: None,
            authority: None,
            presence: None,
            backlog: Backlog::new(&shared.held),
            give_up: None,
            timer: Box::pin(sleep_until(client.since + shared.rules.verify_timeout())),
            place,
        }
    }

    /// Runs until the client is gone.
    pub(crate) async fn run(mut self: Box<Self>) {
        // Not as steps that are futures: each of those would stand in the task of
        // every connection, for as long as it lives.
        let end = poll_fn(|cx| self.poll_end(cx)).await;
        Box::pin(self.finish(end)).await;
    }

    /// Looks how things stand, waits for something, does what follows, and goes
    /// round again.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let plan = match self.plan.take() {
                Some(plan) => plan,
                None => match self.look() {
                    Ok(plan) => plan,
                    Err(end) => return Poll::Ready(end),
                },
            };
            let Poll::Ready(wake) = self.poll_wake(cx, &plan) else {
                self.plan = Some(plan);
                return Poll::Pending;
            };
            if let Some(end) = self.follow(wake, plan.deadline) {
                return Poll::Ready(end);
            }
        }
    }

    /// Looks how things stand, and what to wait for.
    fn look(&mut self) -> Result<Plan, End> {
        let mail = self.handle.collect(&mut self.batch);
        self.count(mail.taken);
        let end = match mail.asked {
            Some(reason) => self.on(Event::Ended(reason)),
            None if mail.stirred => self.go_on(),
            None => None,
        };
        match end {
            Some(end) => Err(end),
            None => Ok(self.look_ahead()),
        }
    }

    /// Does what follows from what was waited for.
    fn follow(&mut self, wake: Wake, deadline: Option<Deadline>) -> Option<End> {
        match wake {
            Wake::Socket(Progress::Incoming(incoming)) => self.hear(incoming),
            Wake::Socket(Progress::Ended(reason)) => self.on(Event::Ended(reason)),
            Wake::Socket(Progress::Written) | Wake::Mail => None,
            Wake::Verdict(verdict) => {
                self.verifying = None;
                let outcome = verdict.map(|(authority, accepted)| {
                    self.authority = Some(authority);
                    accepted
                });
                self.on(Event::Verified(outcome))
            }
            Wake::Room => self.send(Backlog::let_in),
            Wake::Time => {
                let Deadline { at, due } = deadline?;
                if Instant::now() < at {
                    return None;
                }
                match due {
                    Due::Look => None,
                    Due::GiveUp => self.give_up(),
                    Due::End(reason) => self.on(Event::Ended(reason)),
                }
            }
        }
    }

    /// Something has changed on the way to the scene, or in what clients may do.
    fn go_on(&mut self) -> Option<End> {
        self.transport.set_max_body(self.shared.frame_bytes());
        self.give_up = self
            .presence
            .as_ref()?
            .seat()
            .lock()
            .until
            .as_deref()
            .copied();
        self.send(Backlog::go_on)
    }

    /// No scene has come for the session, unless one has at the last moment.
    fn give_up(&mut self) -> Option<End> {
        let seat = self.presence.as_ref()?.seat();
        let sessions = &self.shared.sessions;
        // It asks the connection to end, and the next step hears of it.
        sessions.decide(seat, |life, _| life.give_up());
        self.give_up = None;
        None
    }

    /// Whether the socket is to be read, and how long to wait at most.
    fn look_ahead(&mut self) -> Plan {
        let stage = if self.session.is_silent() {
            Stage::Silent
        } else if self.session.is_active() {
            Stage::Active
        } else {
            Stage::Waiting
        };
        let blocked = self.backlog.pause();
        let now = Instant::now();
        let plan = self.pace.plan(stage, blocked, self.give_up, now);
        if let Some(pause) = plan.stopped {
            self.shared.sessions.metrics.paused(pause);
        }
        plan
    }

    /// Waits for the first thing that happens.
    fn poll_wake(&mut self, cx: &mut Context<'_>, plan: &Plan) -> Poll<Wake> {
        // The socket comes first: what the others are for is looked at in each
        // round anyway, or does not happen while the socket is read.
        match self
            .transport
            .poll_progress(cx, plan.reading, &mut self.batch)
        {
            Poll::Ready(Progress::Written) => {
                let taken = self.handle.refill(&mut self.batch);
                self.count(taken);
                if taken.0 > 0 {
                    return Poll::Ready(Wake::Socket(Progress::Written));
                }
                // Nothing has changed that a plan depends on, and nothing is to be
                // read.
            }
            Poll::Ready(progress) => return Poll::Ready(Wake::Socket(progress)),
            Poll::Pending => {}
        }
        if let Some(verifying) = &mut self.verifying
            && let Poll::Ready(verdict) = verifying.as_mut().poll(cx)
        {
            return Poll::Ready(Wake::Verdict(verdict));
        }
        if let Some(room) = self.backlog.room()
            && room.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Wake::Room);
        }
        if self.handle.poll_woken(cx).is_ready() {
            return Poll::Ready(Wake::Mail);
        }
        if let Some(Deadline { at, .. }) = plan.deadline {
            // A timer that goes off too early is set again when it has: moving it
            // with every frame would cost more.
            if self.timer.is_elapsed() || self.timer.deadline() > at {
                self.timer.as_mut().reset(at);
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::Time);
            }
        }
        Poll::Pending
    }

    /// Counts what has left the queue.
    fn count(&self, (frames, bytes): Taken) {
        if frames > 0 {
            let metrics = &self.shared.sessions.metrics;
            metrics.frames_out.increment(frames as u64);
            metrics.bytes_out.increment(bytes as u64);
        }
    }

    /// Hears what one read has brought, as far as the client may send it now.
    fn hear(&mut self, mut incoming: Incoming) -> Option<End> {
        let now = Instant::now();
        for left in (0..FRAMES_AT_ONCE).rev() {
            self.pace.hear(now);
            if let Incoming::Frame(frame) = incoming {
                let metrics = &self.shared.sessions.metrics;
                metrics.frames_in.increment(1);
                let bytes = HEAD_BYTES + frame.body.len();
                metrics.bytes_in.increment(bytes as u64);
                if let Some(end) = self.on(Event::Frame(frame)) {
                    return Some(end);
                }
            }
            if left == 0 || self.backlog.pause().is_some() || !self.pace.has_room(now) {
                break;
            }
            incoming = match self.transport.next_read()? {
                Ok(frame) => Incoming::Frame(frame),
                Err(reason) => return self.on(Event::Ended(reason)),
            };
        }
        None
    }

    /// Lets the session decide, and does it.
    fn on(&mut self, event: Event) -> Option<End> {
        match self.session.on(event)? {
            Effect::Verify(key) => {
                if let Err(reason) = self.place.speak() {
                    return self.on(Event::Ended(reason));
                }
                let asking = verification::ask(&self.shared, key, self.online_time, self.client.ip);
                self.verifying = Some(asking);
                None
            }
            Effect::Enter(accepted) => self.enter(&accepted),
            Effect::Forward(frame) => self.forward(frame),
            Effect::Pong(body) => {
                self.handle.push(encode_frame(CMD_PING, 0, &body), false);
                None
            }
            Effect::End(end) => Some(end),
        }
    }

    /// Lets the client in.
    fn enter(&mut self, accepted: &Accepted) -> Option<End> {
        let (authority, online_time) = (self.authority?, self.online_time);
        match Presence::enter(
            &self.shared,
            &self.handle.0,
            accepted,
            authority,
            online_time,
        ) {
            Ok(presence) => {
                debug!(
                    session_id = presence.session_id().as_str(), login = %presence.login(),
                    ip = %self.client.ip.to_canonical(), "session opened"
                );
                self.presence = Some(presence);
                None
            }
            Err(NoEntry::Refused(reason)) => self.on(Event::Ended(reason)),
            // The next step hears why.
            Err(NoEntry::Closing) => None,
        }
    }

    /// Sends a frame to the scene, now or when it can be.
    fn forward(&mut self, frame: Frame) -> Option<End> {
        self.send(|backlog, way, bound| backlog.offer(way, bound, frame))
    }

    fn send(
        &mut self,
        send: impl FnOnce(&mut Backlog, Way<'_>, Bound) -> Result<(), CloseReason>,
    ) -> Option<End> {
        let way = Way {
            seat: self.presence.as_ref()?.seat(),
            group: &*self.shared.group,
        };
        match send(&mut self.backlog, way, self.shared.bound()) {
            Ok(()) => None,
            Err(reason) => self.on(Event::Ended(reason)),
        }
    }

    /// Ends the connection: for the scene first, then for the client.
    async fn finish(mut self: Box<Self>, end: End) {
        self.client
            .record(&self.shared, end.reason, self.presence.as_ref());
        self.shared.sessions.metrics.unsent(self.backlog.len());
        let lent = self.handle.shut(end.reason, &mut self.batch).await;
        self.transport.take_back(lent);
        self.backlog.clear();
        self.presence = None;
        // Those who are crowded out are many: as many hear of it as there are
        // hands to tell them.
        let crowd = end.reason == CloseReason::CrowdedOut;
        let hand = crowd.then(|| self.shared.refusals.try_acquire());
        if matches!(hand, Some(Err(_))) {
            drop(self.transport);
        } else {
            self.transport.close(self.batch, Farewell::of(&end)).await;
        }
        drop(hand);
        // The script may let in a client that is not there any more. It keeps its
        // place until that is known, and then the owner hears that it is not.
        if let Some(verifying) = self.verifying {
            tokio::select! {
                verdict = verifying => if let Ok((_, accepted)) = verdict {
                    let Shared { sessions, group, .. } = &*self.shared;
                    sessions.owner.ended(accepted.login, &**group);
                },
                () = self.shared.leaving.cancelled() => {}
            }
        }
        drop(self.place);
    }
}

impl Deref for Own {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.abandon(CloseReason::SocketError);
    }
}
