//! The task of one connection: it moves frames between the socket, the session
//! and the mailbox, and keeps the clock. What any of it means is decided in
//! [`Session`].

use std::{
    pin::Pin,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use protocol::{
    NodeId,
    client::{CMD_PING, CMD_VERIFY, Frame, HEAD_BYTES, encode_frame},
    v1::CloseReason,
};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{debug, warn};

use crate::{
    arrival::Client,
    close::Farewell,
    connections::Place,
    handle::{Handle, Mail},
    outbound::Batch,
    pace::{Deadline, Pace, Pause, Plan, Stage},
    presence::{Entry, Presence},
    session::{Accepted, Effect, End, Event, Session},
    shared::Shared,
    transport::{Incoming, Progress, Transport},
    verification::{self, Verdict},
};

/// One client's connection.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    handle: Arc<Handle>,
    client: Client,
    /// Unix time of the connection, in seconds.
    online_time: u64,
    session: Session,
    transport: Transport,
    batch: Batch,
    pace: Pace,
    verifying: Option<BoxFuture<'static, Verdict>>,
    verifier: Option<NodeId>,
    presence: Option<Presence>,
    /// A frame that waits for room on the way to its scene.
    held: Option<Held>,
    timer: Pin<Box<Sleep>>,
    _place: Place,
}

struct Held {
    frame: Frame,
    weight: u32,
    room: BoxFuture<'static, ()>,
}

/// What a connection has waited for.
enum Wake {
    Socket(Progress),
    Verdict(Verdict),
    /// The held frame may go.
    Room,
    Mail,
    Time,
}

impl Connection {
    /// Of a client that has a place and a socket.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        handle: Arc<Handle>,
        transport: Transport,
        client: Client,
        place: Place,
    ) -> Self {
        let limits = &shared.config.limits;
        let online_time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        Connection {
            shared: Arc::clone(shared),
            handle,
            client,
            online_time,
            session: Session::default(),
            transport,
            batch: Batch::default(),
            pace: Pace::new(limits, client.since),
            verifying: None,
            verifier: None,
            presence: None,
            held: None,
            timer: Box::pin(sleep_until(client.since + limits.verify_timeout)),
            _place: place,
        }
    }

    /// Runs until the client is gone.
    pub(crate) async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.step().await {
                break end;
            }
        };
        self.finish(end).await;
    }

    /// Looks how things stand, waits for something, and does what follows.
    async fn step(&mut self) -> Option<End> {
        let mail = self.handle.collect(&mut self.batch);
        if let Some(reason) = mail.asked {
            return self.on(Event::Ended(reason));
        }
        let metrics = &self.shared.sessions.metrics;
        metrics.frames_out.increment(mail.taken.0 as u64);
        metrics.bytes_out.increment(mail.taken.1 as u64);
        let plan = self.look_ahead(&mail);
        match self.wait(&plan).await {
            Wake::Socket(Progress::Incoming(incoming)) => self.hear(incoming),
            Wake::Socket(Progress::Ended(reason)) => self.on(Event::Ended(reason)),
            Wake::Socket(Progress::Written) | Wake::Mail => None,
            Wake::Verdict(verdict) => {
                self.verifying = None;
                let outcome = verdict.map(|(scene, accepted)| {
                    self.verifier = Some(scene);
                    accepted
                });
                self.on(Event::Verified(outcome))
            }
            Wake::Room => {
                let Held { frame, weight, .. } = self.held.take()?;
                self.send(frame, weight)
            }
            Wake::Time => {
                let Deadline { at, reason } = plan.deadline?;
                let reason = reason.filter(|_| Instant::now() >= at)?;
                self.on(Event::Ended(reason))
            }
        }
    }

    /// Whether the socket is to be read, and how long to wait at most.
    fn look_ahead(&mut self, mail: &Mail) -> Plan {
        let stage = if self.session.is_silent() {
            Stage::Silent
        } else if self.session.is_active() {
            Stage::Active
        } else {
            Stage::Waiting
        };
        let blocked = if self.held.is_some() {
            Some(Pause::SceneWindow)
        } else if !mail.window_open {
            Some(Pause::SessionWindow)
        } else {
            None
        };
        let plan = self.pace.plan(stage, blocked, Instant::now());
        if let Some(pause) = plan.stopped {
            self.shared.sessions.metrics.paused(pause);
        }
        plan
    }

    async fn wait(&mut self, plan: &Plan) -> Wake {
        // A timer that goes off too early is set again when it has: moving it
        // with every frame would cost more.
        if let Some(Deadline { at, .. }) = plan.deadline
            && (self.timer.is_elapsed() || self.timer.deadline() > at)
        {
            self.timer.as_mut().reset(at);
        }
        let timer = plan.deadline.is_some().then_some(&mut self.timer);
        let room = self.held.as_mut().map(|held| &mut held.room);
        // The socket comes first: what the others are for is looked at in each
        // step anyway, or does not happen while the socket is read.
        tokio::select! {
            biased;
            progress = self.transport.progress(plan.reading, &mut self.batch) => {
                Wake::Socket(progress)
            }
            verdict = maybe(self.verifying.as_mut()) => Wake::Verdict(verdict),
            () = maybe(room) => Wake::Room,
            () = self.handle.woken() => Wake::Mail,
            () = maybe(timer) => Wake::Time,
        }
    }

    fn hear(&mut self, incoming: Incoming) -> Option<End> {
        self.pace.hear(Instant::now());
        let Incoming::Frame(frame) = incoming else {
            return None;
        };
        let metrics = &self.shared.sessions.metrics;
        metrics.frames_in.increment(1);
        metrics
            .bytes_in
            .increment((HEAD_BYTES + frame.body.len()) as u64);
        self.on(Event::Frame(frame))
    }

    /// Lets the session decide, and does it.
    fn on(&mut self, event: Event) -> Option<End> {
        match self.session.on(event)? {
            Effect::Verify(key) => {
                let asking = verification::ask(&self.shared, key, self.online_time, self.client.ip);
                self.verifying = Some(asking);
                None
            }
            Effect::Enter(accepted) => self.enter(accepted),
            Effect::Forward(frame) => self.forward(frame),
            Effect::Pong(body) => {
                self.handle.push(encode_frame(CMD_PING, 0, &body));
                None
            }
            Effect::End(end) => Some(end),
        }
    }

    /// Lets the client in: first its answer, then the word to the scene, so
    /// that nothing of the scene can come before the answer.
    fn enter(&mut self, accepted: Accepted) -> Option<End> {
        let scene = match &self.shared.config.enter {
            Some(name) => self.shared.group.resolve(name),
            None => self.verifier,
        };
        let Some(scene) = scene else {
            if let Some(withheld) = self.shared.verify_log.turn(Instant::now()) {
                warn!(withheld, "scene to enter is not in the group");
            }
            return self.on(Event::Ended(CloseReason::SceneLost));
        };
        if !self.handle.activate() {
            // Somebody has asked for the end: the next step hears of it.
            return None;
        }
        self.handle
            .push(encode_frame(CMD_VERIFY, 0, &accepted.reply));
        let entry = Entry {
            session_id: accepted.session_id,
            login: accepted.login,
            scene,
            online_time: self.online_time,
        };
        match Presence::enter(&self.shared, &self.handle, entry) {
            Ok(presence) => {
                debug!(
                    session_id = presence.session_id().as_str(), login = %presence.login(),
                    ip = %self.client.ip.to_canonical(), "session opened"
                );
                self.presence = Some(presence);
                None
            }
            Err(reason) => self.on(Event::Ended(reason)),
        }
    }

    /// Sends a frame to the scene, now or when there is room on the way.
    fn forward(&mut self, frame: Frame) -> Option<End> {
        let window = Arc::clone(self.presence.as_ref()?.window());
        let weight = window.weight(frame.body.len());
        if window.try_take(weight) {
            return self.send(frame, weight);
        }
        self.held = Some(Held {
            frame,
            weight,
            room: Box::pin(async move { window.take(weight).await }),
        });
        None
    }

    fn send(&mut self, frame: Frame, weight: u32) -> Option<End> {
        match self.presence.as_ref()?.send(frame, weight) {
            Ok(()) => None,
            Err(reason) => self.on(Event::Ended(reason)),
        }
    }

    /// Ends the connection: for the scene first, then for the client.
    async fn finish(mut self, end: End) {
        self.client
            .record(&self.shared, end.reason, self.presence.as_ref());
        // Withdrawn: a question that is still open, a place in the queue.
        self.verifying = None;
        self.held = None;
        self.handle.shut(end.reason, &mut self.batch);
        if let Some(presence) = self.presence.take() {
            presence.leave(end.offline);
        }
        self.transport.close(self.batch, Farewell::of(&end)).await;
    }
}

/// The output of a future that may not be there; then it never comes.
async fn maybe<F: Future + Unpin>(future: Option<&mut F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
