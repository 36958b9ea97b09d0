//! The sessions of the gate, and what happens to them: what their lives decide
//! is carried out here.
//!
//! Locks are taken in this order, and no other: the lock of a seat; that of the ways;
//! the owner's; a shard of a map; a connection's mailbox. The group is called under the first
//! two, for it only queues what it is given. Nobody who holds a shard locks a
//! seat.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use protocol::{
    ErrorKind, NodeId, NodeName,
    v1::{self, CloseReason},
};
use session::gate::{Effect, Life};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use topology::Limits;
use tracing::{debug, field, info, warn};

use crate::{
    channels::Channels,
    directory::Directory,
    flusher::Flusher,
    group::Group,
    live::{Amount, Span},
    login::Gates,
    metrics::Metrics,
    owner::Owner,
    replaced::Replaced,
    seat::{Hold, Seat},
    shared::GateConfig,
    table::Table,
    tickets::Tickets,
};

/// The part of the gate that the group's messages reach.
pub(crate) struct Sessions {
    pub(crate) table: Table,
    pub(crate) directory: Directory,
    pub(crate) channels: Channels,
    pub(crate) owner: Owner,
    /// Those that clients can be sent to.
    pub(crate) gates: Arc<Gates>,
    /// Clients that were sent here.
    pub(crate) tickets: Tickets,
    /// What gates that send clients here are told.
    advertised: Advertised,
    in_group: AtomicBool,
    pub(crate) metrics: Metrics,
    pub(crate) flusher: Flusher,
    /// An operator has asked the gate to end.
    pub(crate) drain: CancellationToken,
    ways: Mutex<Ways>,
    scene_hold: Span,
    /// Bodies of so many bytes are compressed for clients that can read that.
    pub(crate) compress_bytes: Amount,
    /// Weak, since the group holds the handlers that hold this.
    group: OnceLock<Weak<dyn Group>>,
}

/// Where clients that are sent here connect; empty where they cannot.
#[derive(Debug)]
struct Advertised {
    tcp: String,
    websocket: String,
}

/// Where clients come in.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// The scene that is asked who they are.
    pub(crate) verify: NodeName,
    /// The scene that they enter.
    pub(crate) enter: NodeName,
}

impl Ways {
    /// Into the verifying scene, unless into another one.
    pub(crate) fn new(verify: NodeName, enter: Option<NodeName>) -> Self {
        Ways {
            enter: enter.unwrap_or_else(|| verify.clone()),
            verify,
        }
    }
}

impl Sessions {
    /// None yet.
    pub(crate) fn new(config: &GateConfig) -> Self {
        let limits = &config.limits;
        Sessions {
            // A word that is on its way ends with its call.
            table: Table::new(
                limits.scene_window_bytes,
                Replaced::new(2 * limits.call_timeout),
            ),
            directory: Directory::default(),
            channels: Channels::default(),
            owner: Owner::default(),
            gates: Arc::default(),
            tickets: Tickets::new(config),
            advertised: Advertised {
                tcp: config.advertise_tcp.clone().unwrap_or_default(),
                websocket: config.advertise_websocket.clone().unwrap_or_default(),
            },
            in_group: AtomicBool::new(false),
            metrics: Metrics::new(),
            flusher: Flusher::default(),
            drain: CancellationToken::new(),
            ways: Mutex::new(Ways::new(config.verify.clone(), config.enter.clone())),
            scene_hold: Span::new(limits.scene_hold),
            compress_bytes: Amount::new(limits.compress_bytes),
            group: OnceLock::new(),
        }
    }

    /// The group is there to be spoken to.
    pub(crate) fn join(&self, group: &Arc<dyn Group>) {
        let _ = self.group.set(Arc::downgrade(group));
        self.owner.report(&self.table, &**group);
    }

    /// The group, as long as the gate is there.
    pub(crate) fn group(&self) -> Option<Arc<dyn Group>> {
        self.group.get()?.upgrade()
    }

    /// The gate is in the group.
    pub(crate) fn group_joined(&self) {
        self.in_group.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_in_group(&self) -> bool {
        self.in_group.load(Ordering::SeqCst)
    }

    /// How this gate stands, for those that would send clients here.
    pub(crate) fn stand(&self) -> v1::Stand {
        let Advertised { tcp, websocket } = &self.advertised;
        let sessions = self.table.len();
        v1::Stand {
            takes_clients: self.tickets.room(sessions).is_ok(),
            load: (sessions + self.tickets.len()) as u64,
            verify: self.lock_ways().verify.to_string(),
            tcp: tcp.clone(),
            websocket: websocket.clone(),
        }
    }

    /// Ends the logins of those who were sent here and have not come in time.
    pub(crate) fn let_tickets_lapse(&self, group: &dyn Group) {
        for lapsed in self.tickets.lapsed(Instant::now()) {
            let session_id = lapsed.session_id.as_str();
            debug!(session_id, login = %lapsed.login, "client with a ticket has not come");
            self.metrics.ticket("lapsed");
            self.owner.ended(lapsed.login, group);
        }
    }

    /// A node is new, or its state may have changed.
    pub(crate) fn node_changed(&self, node: NodeId, name: &NodeName, ready: bool) {
        let takes_sessions = {
            // Held until the directory knows the node: who changes the ways finds it
            // there, or it finds them changed.
            let ways = self.lock_ways();
            let (verifies, group) = (*name == ways.verify, self.group());
            if verifies {
                self.owner.appeared(node);
            }
            if let Some(group) = group {
                if verifies {
                    self.owner.report(&self.table, &*group);
                } else if !self.directory.has(node) {
                    self.owner.disown(node, &*group);
                }
            }
            self.directory.upsert(node, name, ready)
        };
        if !takes_sessions {
            return;
        }
        for seat in self.table.all() {
            self.decide(&seat, |life, _| life.scene_ready(name, node));
        }
    }

    /// Where clients come in.
    pub(crate) fn ways(&self) -> Ways {
        self.lock_ways().clone()
    }

    /// Clients come in another way from now on. Those who are there stay; the scene
    /// that verifies from now on is the owner of their logins as well.
    pub(crate) fn set_ways(&self, to: Ways) {
        let mut ways = self.lock_ways();
        let before = std::mem::replace(&mut *ways, to);
        if before.verify == ways.verify {
            return;
        }
        let (verify, group) = (&ways.verify, self.group());
        info!(%verify, before = %before.verify, "another scene verifies clients");
        self.owner.moved(self.directory.find_named(verify));
        if let Some(group) = group {
            self.owner.report(&self.table, &*group);
            if let Some(before) = self.directory.find_named(&before.verify) {
                self.owner.disown(before, &*group);
            }
        }
    }

    /// Other limits from now on.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        self.scene_hold.set(limits.scene_hold);
        self.compress_bytes.set(limits.compress_bytes);
        self.tickets.set_limits(limits);
        self.table
            .set_limits(limits.scene_window_bytes, 2 * limits.call_timeout);
    }

    /// Held for an instruction or two, and while the owner is told of the sessions.
    fn lock_ways(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node is gone.
    pub(crate) fn node_gone(&self, node: NodeId) {
        if !self.directory.remove(node) {
            return;
        }
        for seat in self.table.all() {
            self.decide(&seat, |life, scenes| life.scene_gone(node, scenes));
        }
        self.table.forget_window(node);
    }

    /// A scene cannot be reached now, or can again.
    pub(crate) fn reach(&self, node: NodeId, reachable: bool) {
        if !self.directory.has(node) {
            return;
        }
        // Also for those who enter it from now on.
        self.table.window(node).set_reachable(reachable);
        if !reachable {
            return;
        }
        for seat in self.table.all() {
            if seat.lock().is_of(node) {
                seat.handle.stir();
            }
        }
    }

    /// The gate has lost its group. Its scenes end what it had there by
    /// themselves, so all that remains to be done is to close the connections.
    pub(crate) fn group_lost(&self) {
        // First, so that nobody begins who was let in before.
        self.owner.lost();
        self.in_group.store(false, Ordering::SeqCst);
        self.gates.clear();
        self.tickets.clear();
        self.directory.clear();
        for seat in self.table.clear() {
            let mut hold = seat.lock();
            hold.life = None;
            hold.until = None;
            self.metrics.lost(hold.lose());
            // Whoever waited was of the group, too.
            drop(hold.take_watchers());
            drop(hold);
            seat.handle.close(CloseReason::GroupLost);
        }
    }

    /// The client of a seat is not there any more.
    pub(crate) fn client_gone(&self, seat: &Arc<Seat>) {
        let mut hold = seat.lock();
        for channel in hold.take_channels() {
            self.channels.leave(&channel, seat.login);
        }
        hold.gone = true;
        let effects = hold.life.as_mut().map(Life::client_gone);
        self.carry_out(seat, &mut hold, effects.unwrap_or_default());
        drop(hold);
        self.table.depart();
    }

    /// Lets the life of a login decide, and does it. Nothing happens to one that
    /// is over.
    pub(crate) fn decide(
        &self,
        seat: &Arc<Seat>,
        decide: impl FnOnce(&mut Life, &Directory) -> Vec<Effect>,
    ) {
        let mut hold = seat.lock();
        if let Some(life) = &mut hold.life {
            let effects = decide(life, &self.directory);
            self.carry_out(seat, &mut hold, effects);
        }
    }

    /// Does what a life has decided.
    pub(crate) fn carry_out(&self, seat: &Seat, hold: &mut Hold, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        // Without a gate there is nobody to do it for.
        let Some(group) = self.group() else { return };
        for effect in effects {
            self.carry_out_one(&*group, seat, hold, effect);
        }
    }

    fn carry_out_one(&self, group: &dyn Group, seat: &Seat, hold: &mut Hold, effect: Effect) {
        let login = seat.login.0;
        debug!(
            session_id = seat.session_id.as_str(),
            login,
            effect = effect.as_str(),
            peer_id = effect.scene().map(field::display),
            "session moves"
        );
        // What is refused because a scene is gone, or the group, is of no matter:
        // that word is on its way, and it decides what follows.
        match effect {
            Effect::Enter {
                scene,
                holding,
                from_scene,
                extra_data,
            } => {
                hold.begin(self.table.window(scene));
                let enter = v1::Enter {
                    session_id: seat.session_id.as_str().to_owned(),
                    login,
                    online_time: seat.online_time,
                    from_scene: from_scene.map(|name| name.to_string()).unwrap_or_default(),
                    extra_data,
                    holding,
                };
                if let Err(error) = group.enter(scene, &enter)
                    && error.kind == ErrorKind::TooLarge
                {
                    warn!(session_id = seat.session_id.as_str(), %error, "session cannot enter");
                    seat.handle.close(CloseReason::ClosedByScene);
                }
                seat.handle.stir();
            }
            Effect::Leave {
                scene,
                holding,
                to_scene,
                extra_data,
            } => {
                let marker = v1::LeaveMarker {
                    login,
                    holding,
                    to_scene: to_scene.to_string(),
                    extra_data,
                };
                let _ = group.leave(scene, &marker);
            }
            Effect::Offline { scene, holding } => {
                let _ = group.offline(scene, &v1::Offline { login, holding });
            }
            Effect::Stay { scene, to_scene } => {
                let stay = v1::Stay {
                    login,
                    reason: format!("there is no {to_scene} in the group"),
                    to_scene: to_scene.to_string(),
                };
                let _ = group.stay(scene, &stay);
            }
            Effect::Lost(_) => self.metrics.lost(hold.lose()),
            Effect::Wait => {
                hold.release();
                hold.until = Some(Box::new(Instant::now() + self.scene_hold.get()));
                seat.handle.stir();
            }
            Effect::Close(reason) => seat.handle.close(reason),
            Effect::Ended => self.end(group, seat, hold),
        }
    }

    /// No scene holds the login, and none will.
    pub(crate) fn end(&self, group: &dyn Group, seat: &Seat, hold: &mut Hold) {
        hold.life = None;
        hold.until = None;
        hold.release();
        self.table.remove(seat.login);
        self.owner.ended(seat.login, group);
        for watcher in hold.take_watchers() {
            let _ = watcher.send(());
        }
    }
}
