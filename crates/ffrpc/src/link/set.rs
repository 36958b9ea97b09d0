//! All links of a node: opened, pinged, opened again.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use protocol::{
    Envelope, NodeId, NodeName,
    envelope::EnvelopeKind,
    link::{LocalBroker, Traffic},
};
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tracing::{debug, info, warn};

use super::{Arrived, LinkReceiver, LinkSender, open_remote};
use crate::{channel::Broker, connect::Connector};

/// Where a broker is.
#[derive(Clone)]
pub(crate) enum Target {
    Remote(SocketAddr),
    /// Slaves say their addresses as text: names are resolved at each attempt.
    Named(String),
    Local(Arc<dyn LocalBroker>),
}

/// What has happened on one of the links.
pub(crate) enum LinkEvent {
    Opened,
    Arrived(Broker, Arrived),
    /// As `Arrived`, from a broker that was silent.
    Recovered(Broker, Arrived),
    /// It will be opened again; what was on its way is lost.
    Ended(Broker),
}

/// The links of one membership.
pub(crate) struct LinkSet {
    entries: Vec<Entry>,
    connector: Connector,
    outbox_bytes: usize,
    /// Whose turn it is to be looked at first.
    turn: usize,
    ticked: Option<Instant>,
    /// What went over links that have ended.
    ended: Sent,
}

/// Envelopes that were given to links, and their bytes.
#[derive(Clone, Copy, Default)]
struct Sent {
    messages: u64,
    bytes: u64,
}

struct Entry {
    broker: Broker,
    /// The name of the node that has to be there.
    name: NodeName,
    target: Target,
    credentials: Credentials,
    state: State,
    failures: u32,
}

#[derive(Clone)]
struct Credentials {
    node: NodeId,
    token: Bytes,
}

enum State {
    Opening(BoxFuture<'static, Result<(LinkSender, LinkReceiver), Status>>),
    Open {
        sender: LinkSender,
        receiver: LinkReceiver,
        heard: Instant,
        pinged: Instant,
        silent: bool,
    },
}

/// What has become of the links.
#[derive(Default)]
pub(crate) struct Ticked {
    /// They are others now, or others are silent.
    pub(crate) changed: bool,
    /// Links that have ended and are being opened again.
    pub(crate) ended: Vec<Broker>,
}

/// A link on which nothing has come for so long is pinged.
const PING: Duration = Duration::from_millis(250);
/// A ping goes that often in any case: a broker that is never sent anything
/// would take the link for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// A broker that has said nothing for so long is routed around, until it says
/// something.
const SILENT: Duration = Duration::from_secs(1);
/// After so long its link is opened anew. Not sooner: a broker that is merely
/// busy would be given the work of a new connection on top.
const DEAD: Duration = Duration::from_secs(5);
/// How often [`LinkSet::tick`] wants to be called.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// How long one attempt to open a link may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

impl LinkSet {
    pub(crate) fn new(connector: Connector, outbox_bytes: usize) -> Self {
        LinkSet {
            entries: Vec::new(),
            connector,
            outbox_bytes,
            turn: 0,
            ticked: None,
            ended: Sent::default(),
        }
    }

    /// Begins to open a link, unless there is one.
    pub(crate) fn add(
        &mut self,
        broker: Broker,
        name: &NodeName,
        target: Target,
        node: NodeId,
        token: &Bytes,
    ) {
        if self.entries.iter().any(|entry| entry.broker == broker) {
            return;
        }
        let mut entry = Entry {
            broker,
            name: name.clone(),
            target,
            credentials: Credentials {
                node,
                token: token.clone(),
            },
            state: State::Opening(futures_util::future::pending().boxed()),
            failures: 0,
        };
        entry.open(&self.connector, self.outbox_bytes);
        self.entries.push(entry);
    }

    /// Links are opened with this token from now on.
    pub(crate) fn renew(&mut self, token: &Bytes) {
        for entry in &mut self.entries {
            entry.credentials.token = token.clone();
        }
    }

    /// Ends a link for good. Says whether there was one.
    pub(crate) fn remove(&mut self, broker: Broker) -> bool {
        let Some(place) = self.entries.iter().position(|one| one.broker == broker) else {
            return false;
        };
        let entry = self.entries.remove(place);
        self.ended.add(&entry.state);
        true
    }

    /// Ends every link for good.
    pub(crate) fn clear(&mut self) {
        for entry in self.entries.drain(..) {
            self.ended.add(&entry.state);
        }
    }

    /// Waits until no link brings anything more, which brokers see to when the
    /// links are closed here.
    pub(crate) async fn run_dry(&mut self) {
        while self.senders().next().is_some() {
            if let LinkEvent::Ended(broker) = self.next().await {
                self.remove(broker);
            }
        }
    }

    /// Ends every link for good; what is queued still goes out.
    pub(crate) fn close(&mut self) {
        for (_, sender, _) in self.senders() {
            sender.close();
        }
    }

    /// The links that are open, and whether their brokers are silent.
    pub(crate) fn senders(&self) -> impl Iterator<Item = (Broker, &LinkSender, bool)> {
        self.entries.iter().filter_map(|entry| match &entry.state {
            State::Open { sender, silent, .. } => Some((entry.broker, sender, *silent)),
            State::Opening(_) => None,
        })
    }

    /// What went over the links to other processes, those that have ended among them,
    /// and what waits in them; how full the fullest is.
    pub(crate) fn traffic(&self) -> Traffic {
        let mut sum = Traffic {
            messages: self.ended.messages,
            bytes: self.ended.bytes,
            ..Traffic::default()
        };
        for (_, sender, _) in self.senders() {
            if let LinkSender::Stream(outbox) = sender {
                let traffic = outbox.traffic();
                sum.messages += traffic.messages;
                sum.bytes += traffic.bytes;
                sum.queued_messages += traffic.queued_messages;
                sum.queued_bytes += traffic.queued_bytes;
                sum.fill = sum.fill.max(traffic.fill);
            }
        }
        sum
    }

    /// Waits until something happens. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> LinkEvent {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Pings the brokers, finds out who is silent, and gives up those that stay
    /// so.
    pub(crate) fn tick(&mut self, now: Instant) -> Ticked {
        // If this process was away itself, nobody else was silent.
        let late = self.ticked.map_or(Duration::ZERO, |ticked| {
            now.saturating_duration_since(ticked).saturating_sub(TICK)
        });
        self.ticked = Some(now);
        let mut ticked = Ticked::default();
        for entry in &mut self.entries {
            let State::Open {
                sender,
                heard,
                pinged,
                silent,
                ..
            } = &mut entry.state
            else {
                continue;
            };
            let LinkSender::Stream(outbox) = sender else {
                continue;
            };
            if late > TICK {
                *heard += late;
            }
            let silence = now.saturating_duration_since(*heard);
            if silence >= DEAD {
                info!(peer = %entry.name, "link opened anew, its broker says nothing");
                outbox.close();
                ticked.ended.push(entry.broker);
                ticked.changed = true;
                self.ended.add(&entry.state);
                entry.open(&self.connector, self.outbox_bytes);
                continue;
            }
            if silence >= SILENT && !*silent {
                warn!(peer = %entry.name, "broker is silent, routing around it");
                *silent = true;
                ticked.changed = true;
            }
            if silence >= PING || now.saturating_duration_since(*pinged) >= SIGN_OF_LIFE {
                *pinged = now;
                ping(sender, entry.credentials.node);
            }
        }
        ticked
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<LinkEvent> {
        let count = self.entries.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            if let Poll::Ready(event) = self.poll_entry(index, context) {
                self.turn = index + 1;
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    fn poll_entry(&mut self, index: usize, context: &mut Context<'_>) -> Poll<LinkEvent> {
        let entry = &mut self.entries[index];
        loop {
            match &mut entry.state {
                State::Opening(opening) => match opening.poll_unpin(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok((sender, receiver))) => {
                        debug!(peer = %entry.name, "link open");
                        // From its first moment on the link is one that is watched.
                        ping(&sender, entry.credentials.node);
                        entry.state = State::Open {
                            sender,
                            receiver,
                            heard: Instant::now(),
                            pinged: Instant::now(),
                            silent: false,
                        };
                        return Poll::Ready(LinkEvent::Opened);
                    }
                    Poll::Ready(Err(status)) => {
                        let reason = status.message();
                        debug!(peer = %entry.name, reason, "link not opened, trying again");
                        entry.open(&self.connector, self.outbox_bytes);
                    }
                },
                State::Open {
                    receiver,
                    heard,
                    silent,
                    ..
                } => {
                    let reason = match receiver.poll_next(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Ok(arrived))) => {
                            *heard = Instant::now();
                            // Only now: a link that opens and ends at once is
                            // no success.
                            entry.failures = 0;
                            let event = match std::mem::take(silent) {
                                true => LinkEvent::Recovered,
                                false => LinkEvent::Arrived,
                            };
                            return Poll::Ready(event(entry.broker, arrived));
                        }
                        Poll::Ready(Some(Err(status))) => status.message().to_owned(),
                        Poll::Ready(None) => "the broker closed it".to_owned(),
                    };
                    info!(peer = %entry.name, reason, "link ended");
                    self.ended.add(&entry.state);
                    entry.open(&self.connector, self.outbox_bytes);
                    return Poll::Ready(LinkEvent::Ended(entry.broker));
                }
            }
        }
    }
}

impl Sent {
    /// The link is about to be no more.
    fn add(&mut self, link: &State) {
        if let State::Open { sender, .. } = link
            && let LinkSender::Stream(outbox) = sender
        {
            let traffic = outbox.traffic();
            self.messages += traffic.messages;
            self.bytes += traffic.bytes;
        }
    }
}

impl Entry {
    /// Begins to open the link, at once the first time and later with pauses.
    fn open(&mut self, connector: &Connector, outbox_bytes: usize) {
        let pause = match self.failures {
            0 => Duration::ZERO,
            failures => PAUSES.0.saturating_mul(1 << failures.min(10)).min(PAUSES.1),
        };
        self.failures = self.failures.saturating_add(1);
        let (connector, target) = (connector.clone(), self.target.clone());
        let (token, name) = (self.credentials.token.clone(), self.name.clone());
        let attempt = async move {
            sleep(pause).await;
            let open = async {
                let address = match target {
                    Target::Local(broker) => {
                        let link = broker.open(&token)?;
                        return Ok((
                            LinkSender::Memory(link.sink),
                            LinkReceiver::Memory(link.queue),
                        ));
                    }
                    Target::Remote(address) => address.to_string(),
                    Target::Named(address) => address,
                };
                let channel = connector.connect(&address, &name).await?;
                open_remote(channel, &token, outbox_bytes).await
            };
            timeout(ATTEMPT, open)
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
        };
        self.state = State::Opening(attempt.boxed());
    }
}

/// Asks the broker for a sign of life, and gives it one.
fn ping(sender: &LinkSender, node: NodeId) {
    if let LinkSender::Stream(_) = sender {
        let ping = Envelope::new(NodeId::BROKER, node, EnvelopeKind::Ping);
        // A link that has just ended needs none.
        let _ = sender.send(&ping, ping.element_bytes(), false);
    }
}
