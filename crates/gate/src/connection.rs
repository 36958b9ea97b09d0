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

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::{
    client::{
        CMD_PING, CMD_VERIFY, FLAG_COMPRESSED, FLAG_RESUME, Frame, HEAD_BYTES,
        compression::{InflateError, inflate},
        encode_frame,
        redirect::Ticket,
        resume::{CountError, ResumeOffer, ResumeToken, encode_resumed},
    },
    v1::CloseReason,
};
use tokio::{
    net::tcp::OwnedWriteHalf,
    sync::oneshot,
    time::{Instant, Sleep, sleep_until},
};
use tracing::debug;

use crate::{
    arrival::Client,
    backlog::{Backlog, Bound, Way},
    close::Farewell,
    connections::Place,
    handle::{Handle, NoRejoin, Taken},
    outbound::Batch,
    owner::Authority,
    pace::{Deadline, Due, Pace, Plan, Stage},
    presence::{Answer, NoEntry, Presence},
    resume::{Left, Newcomer, Resume},
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
    /// None while the client is away.
    transport: Option<Transport>,
    batch: Batch,
    pace: Pace,
    /// What is waited for, while it is.
    plan: Option<Plan>,
    verifying: Option<BoxFuture<'static, Verdict>>,
    authority: Option<Authority>,
    presence: Option<Presence>,
    /// Of a session that may be resumed.
    resume: Option<Box<Resume>>,
    away: Option<Away>,
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

/// A client whose socket is lost is waited for until then, and then gone for this
/// reason.
#[derive(Clone, Copy)]
struct Away {
    until: Instant,
    reason: CloseReason,
}

/// How the task of a connection ends.
enum Outcome {
    End(End),
    /// Its client goes on with a session, in another task.
    Resume(ResumeToken, u64),
}

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
            transport: Some(transport),
            batch: Batch::default(),
            pace: Pace::new(&shared.rules, client.since),
            plan: None,
            verifying: None,
            authority: None,
            presence: None,
            resume: None,
            away: None,
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
        match poll_fn(|cx| self.poll_end(cx)).await {
            Outcome::End(end) => Box::pin(self.finish(end)).await,
            Outcome::Resume(token, received) => Box::pin(self.bring_back(token, received)).await,
        }
    }

    /// Looks how things stand, waits for something, does what follows, and goes
    /// round again.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            let plan = match self.plan.take() {
                Some(plan) => plan,
                None => match self.look() {
                    Ok(plan) => plan,
                    Err(end) => return Poll::Ready(Outcome::End(end)),
                },
            };
            let Poll::Ready(wake) = self.poll_wake(cx, &plan) else {
                self.plan = Some(plan);
                return Poll::Pending;
            };
            if let Some(outcome) = self.follow(wake, plan.deadline) {
                return Poll::Ready(outcome);
            }
        }
    }

    /// Looks how things stand, and what to wait for.
    fn look(&mut self) -> Result<Plan, End> {
        let mail = self.handle.collect(&mut self.batch);
        self.count(mail.taken);
        let end = match mail.asked {
            Some(reason) => self.end(reason),
            // A gate that is going is nothing to come back to.
            None if self.away.is_some() && self.shared.connections.is_draining() => {
                self.end(CloseReason::Draining)
            }
            None if mail.stirred => {
                self.look_at_the_door();
                self.go_on()
            }
            None => None,
        };
        match end {
            Some(end) => Err(end),
            None => Ok(self.look_ahead()),
        }
    }

    /// Does what follows from what was waited for.
    fn follow(&mut self, wake: Wake, deadline: Option<Deadline>) -> Option<Outcome> {
        let end = match wake {
            Wake::Socket(Progress::Incoming(incoming)) => return self.hear(incoming),
            Wake::Socket(Progress::Ended(reason)) => self.lose(reason),
            Wake::Socket(Progress::Written) | Wake::Mail => None,
            Wake::Verdict(verdict) => {
                self.verifying = None;
                let outcome = verdict.map(|(authority, accepted)| {
                    self.authority = Some(authority);
                    accepted
                });
                return self.on(Event::Verified(outcome));
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
                    Due::End(reason) => self.end(reason),
                }
            }
        };
        end.map(Outcome::End)
    }

    /// Something has changed on the way to the scene, or in what clients may do.
    fn go_on(&mut self) -> Option<End> {
        if let Some(transport) = &mut self.transport {
            transport.set_max_body(self.shared.frame_bytes());
        }
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
        if let Some(Away { until, reason }) = self.away {
            return self.pace.wait(until, reason, self.give_up);
        }
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
        let progress = match &mut self.transport {
            Some(transport) => transport.poll_progress(cx, plan.reading, &mut self.batch),
            None => Poll::Pending,
        };
        match progress {
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
    fn hear(&mut self, mut incoming: Incoming) -> Option<Outcome> {
        let now = Instant::now();
        for left in (0..FRAMES_AT_ONCE).rev() {
            self.pace.hear(now);
            if let Incoming::Frame(mut frame) = incoming {
                let metrics = &self.shared.sessions.metrics;
                metrics.frames_in.increment(1);
                let bytes = HEAD_BYTES + frame.body.len();
                metrics.bytes_in.increment(bytes as u64);
                if let Err(reason) = self.inflate(&mut frame) {
                    return self.end(reason).map(Outcome::End);
                }
                if let Some(outcome) = self.on(Event::Frame(frame)) {
                    return Some(outcome);
                }
            }
            if left == 0 || self.backlog.pause().is_some() || !self.pace.has_room(now) {
                break;
            }
            incoming = match self.transport.as_mut()?.next_read()? {
                Ok(frame) => Incoming::Frame(frame),
                Err(reason) => return self.end(reason).map(Outcome::End),
            };
        }
        None
    }

    /// Makes of a message what it was before its client compressed it.
    fn inflate(&self, frame: &mut Frame) -> Result<(), CloseReason> {
        if frame.flags != FLAG_COMPRESSED || !self.session.is_active() || !self.session.compresses()
        {
            return Ok(());
        }
        match inflate(&frame.body, self.shared.frame_bytes()) {
            Ok(body) => {
                frame.body = body;
                frame.flags = 0;
                Ok(())
            }
            Err(InflateError::TooLarge { .. }) => Err(CloseReason::FrameTooLarge),
            Err(InflateError::Broken) => Err(CloseReason::ProtocolError),
        }
    }

    /// The session ends.
    fn end(&mut self, reason: CloseReason) -> Option<End> {
        match self.session.on(Event::Ended(reason))? {
            Effect::End(end) => Some(end),
            _ => None,
        }
    }

    /// The socket is lost. A client that may come back is waited for.
    fn lose(&mut self, reason: CloseReason) -> Option<End> {
        let is_loss = matches!(reason, CloseReason::SocketError | CloseReason::ClientClosed);
        // A gate that is going is nothing to come back to.
        let is_over = !is_loss || self.shared.connections.is_draining();
        let time = self.shared.resume_time();
        let (Some(_), Some(time), false) = (&self.resume, time, is_over) else {
            return self.end(reason);
        };
        self.transport = None;
        self.handle.part(&mut self.batch);
        self.batch = Batch::default();
        let until = Instant::now() + time;
        self.away = Some(Away { until, reason });
        self.shared.sessions.metrics.away.increment(1);
        self.note("client is away");
        None
    }

    /// Whether the client has come back.
    fn look_at_the_door(&mut self) {
        let Some(resume) = &self.resume else { return };
        let Some(mut newcomer) = resume.newcomer() else {
            return;
        };
        let answer = encode_resumed(resume.received.count());
        let lent = newcomer.transport.lend();
        let rejoined = self
            .handle
            .rejoin(newcomer.received, answer, lent, &mut self.batch);
        let (why, lent) = match rejoined {
            Ok((batch, lent)) => return self.change_socket(*newcomer, batch, lent),
            Err(refusal) => refusal,
        };
        newcomer.transport.take_back(lent);
        match why {
            // It is over in a moment.
            NoRejoin::NotYet => {
                resume.put_back(newcomer);
                self.handle.stir();
            }
            NoRejoin::Refused(CountError::Forgotten { .. }) => {
                newcomer.refuse(CloseReason::ResumeRefused);
            }
            NoRejoin::Refused(_) => newcomer.refuse(CloseReason::ProtocolError),
        }
    }

    /// The client is back, and its socket is this connection's from now on. Of the one
    /// before there is a batch that was not written, and what was lent of it.
    fn change_socket(&mut self, newcomer: Newcomer, batch: Batch, lent: Option<OwnedWriteHalf>) {
        let Newcomer {
            mut transport,
            client,
            mut place,
            left,
            ..
        } = newcomer;
        transport.set_max_body(self.shared.frame_bytes());
        let before = self.transport.replace(transport).map(|mut before| {
            before.take_back(lent);
            (before, batch)
        });
        place.succeed(&mut self.place, &self.handle.0);
        self.place = place;
        self.client.moved(&client);
        self.pace.back(Instant::now());
        if self.away.take().is_some() {
            self.shared.sessions.metrics.away.decrement(1);
        }
        self.note("client is back");
        // That task closes the one before.
        let _ = left.send(Left {
            socket: before,
            reason: CloseReason::Replaced,
            resumed: true,
        });
    }

    /// Something that happened to the session, for those who look.
    fn note(&self, what: &'static str) {
        if let Some(presence) = &self.presence {
            let session_id = presence.session_id().as_str();
            let ip = self.client.ip.to_canonical();
            debug!(session_id, login = %presence.login(), %ip, "{what}");
        }
    }

    /// Lets the session decide, and does it.
    fn on(&mut self, event: Event) -> Option<Outcome> {
        let end = match self.session.on(event)? {
            Effect::Verify(key) => {
                if let Err(reason) = self.place.speak() {
                    return self.end(reason).map(Outcome::End);
                }
                let asking = verification::ask(&self.shared, key, self.online_time, &self.client);
                self.verifying = Some(asking);
                None
            }
            Effect::Redeem(ticket) => return self.redeem(&ticket),
            Effect::Resume(token, received) => return Some(Outcome::Resume(token, received)),
            Effect::Enter(accepted) => self.enter(&accepted),
            Effect::Forward(frame) => self.take(frame),
            Effect::Pong(body) => {
                self.handle.push(encode_frame(CMD_PING, 0, &body), false);
                None
            }
            Effect::Acknowledged(count) => match self.handle.acknowledge(count) {
                Ok(()) => None,
                Err(_) => self.end(CloseReason::ProtocolError),
            },
            Effect::End(end) => Some(end),
        };
        end.map(Outcome::End)
    }

    /// Lets in a client that another gate has sent.
    fn redeem(&mut self, ticket: &Ticket) -> Option<Outcome> {
        if let Err(reason) = self.place.speak() {
            return self.end(reason).map(Outcome::End);
        }
        let sessions = &self.shared.sessions;
        let Some(reserved) = sessions.tickets.take(ticket) else {
            sessions.metrics.ticket("refused");
            return self.end(CloseReason::TicketRefused).map(Outcome::End);
        };
        sessions.metrics.ticket("used");
        self.authority = Some(reserved.authority);
        self.on(Event::Verified(Ok(Accepted {
            session_id: reserved.session_id,
            login: reserved.login,
            // The other gate has told it.
            reply: Bytes::new(),
        })))
    }

    /// What a client that was let in is told, and the way back where it asked for one.
    fn answer(&mut self, accepted: &Accepted) -> Answer {
        let offered = self.shared.resume_time();
        let time = offered.filter(|_| self.session.wishes_resume());
        let mut flags = 0;
        if self.session.compresses() {
            flags |= FLAG_COMPRESSED;
            self.handle.set_reads_compressed();
        }
        let frame = match time {
            None => encode_frame(CMD_VERIFY, flags, &accepted.reply),
            Some(time) => {
                let token = ResumeToken(rand::random());
                let resume = Resume::new(&self.shared, token, &self.handle.0);
                self.resume = Some(Box::new(resume));
                self.session.grant_resume();
                let offer = ResumeOffer {
                    token,
                    seconds: u32::try_from(time.as_secs()).unwrap_or(u32::MAX),
                    reply: accepted.reply.clone(),
                };
                encode_frame(CMD_VERIFY, flags | FLAG_RESUME, &offer.body())
            }
        };
        Answer {
            frame,
            may_come_back: time.is_some(),
            online_time: self.online_time,
        }
    }

    /// Lets the client in.
    fn enter(&mut self, accepted: &Accepted) -> Option<End> {
        let (authority, answer) = (self.authority?, self.answer(accepted));
        match Presence::enter(&self.shared, &self.handle.0, accepted, authority, answer) {
            Ok(presence) => {
                debug!(
                    session_id = presence.session_id().as_str(), login = %presence.login(),
                    ip = %self.client.ip.to_canonical(), "session opened"
                );
                self.presence = Some(presence);
                None
            }
            Err(NoEntry::Refused(reason)) => self.end(reason),
            // The next step hears why.
            Err(NoEntry::Closing) => None,
        }
    }

    /// A message of the client has come.
    fn take(&mut self, frame: Frame) -> Option<End> {
        if let Some(resume) = &mut self.resume
            && let Some(count) = resume.received.take(frame.body.len())
        {
            self.handle.tell_count(count);
        }
        self.forward(frame)
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
            Err(reason) => self.end(reason),
        }
    }

    /// Leaves the client at the door of its session, and closes what is left.
    async fn bring_back(mut self: Box<Self>, token: ResumeToken, received: u64) {
        let shared = Arc::clone(&self.shared);
        // Nobody but this task has written here.
        let lent = self
            .handle
            .shut(CloseReason::Replaced, &mut self.batch)
            .await;
        let Some(mut transport) = self.transport.take() else {
            return;
        };
        transport.take_back(lent);
        let (left_tx, left_rx) = oneshot::channel();
        let client = self.client;
        let newcomer = Newcomer {
            transport,
            client,
            place: self.place,
            received,
            left: left_tx,
        };
        shared.resumables.knock(token, Box::new(newcomer));
        let Ok(left) = left_rx.await else { return };
        let refused = (!left.resumed).then_some(left.reason);
        shared.sessions.metrics.resumed(refused);
        if let Some(reason) = refused {
            client.record(&shared, reason, None);
        }
        if let Some((transport, batch)) = left.socket {
            let farewell = Farewell::of(&End::of(left.reason));
            transport.close(batch, farewell).await;
        }
    }

    /// Ends the connection: for the scene first, then for the client.
    async fn finish(mut self: Box<Self>, end: End) {
        self.client
            .record(&self.shared, end.reason, self.presence.as_ref());
        self.shared.sessions.metrics.unsent(self.backlog.len());
        let lent = self.handle.shut(end.reason, &mut self.batch).await;
        self.backlog.clear();
        self.presence = None;
        self.resume = None;
        if self.away.take().is_some() {
            self.shared.sessions.metrics.away.decrement(1);
        }
        // Those who are crowded out are many: as many hear of it as there are
        // hands to tell them.
        let crowd = end.reason == CloseReason::CrowdedOut;
        let hand = crowd.then(|| self.shared.refusals.try_acquire());
        if let Some(mut transport) = self.transport.take()
            && !matches!(hand, Some(Err(_)))
        {
            transport.take_back(lent);
            transport.close(self.batch, Farewell::of(&end)).await;
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
