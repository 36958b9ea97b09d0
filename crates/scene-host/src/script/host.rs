//! What the script's thread has at hand.
//!
//! One [`Host`] lives on that thread, found through [`current`] by the functions
//! that the script calls. Nothing in it is shared with other threads except the
//! two queues, the status and the activity. A borrow of its cells never spans
//! a call into Python, which may come back here.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    mem,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use foldhash::HashMap;
use protocol::{GroupName, NodeId, NodeName};
use pyo3::{exceptions::PyRuntimeError, prelude::*, types::PyString};
use session::scene::{Held, SeatId, Sessions};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};
use tracing::warn;

use crate::{
    Action, Event, Inbox, Outbox, Peers, ScriptStatus,
    database::ScriptDatabases,
    observe::activity::{Activity, Label, Outer},
    observe::report::Repeats,
    script::ask::Asks,
    script::caller::Callers,
    script::context::Context,
    script::handlers::Handlers,
    script::jobs::{Pending, Ticket},
    script::steps::Steps,
    state::StateFolder,
    state::ids::Ids,
    state::snapshot::Restoring,
    times::Times,
    values::json::KeyCache,
    watch::OwnFiles,
};

thread_local! {
    static HOST: RefCell<Option<Rc<Host>>> = const { RefCell::new(None) };
}

/// What is shared with the other threads.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) sessions: Arc<AtomicU64>,
    pub(crate) status: watch::Sender<ScriptStatus>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) databases: Arc<ScriptDatabases>,
    /// What the script is made of.
    pub(crate) own_files: watch::Sender<OwnFiles>,
    /// How long things may take.
    pub(crate) times: Arc<Times>,
    /// Where the network, and whatever else is not the script, runs.
    pub(crate) runtime: Handle,
}

/// The state of the script's thread.
pub(crate) struct Host {
    /// The scene's name.
    pub(crate) name: NodeName,
    /// Its group's, if it is to be in one.
    pub(crate) group: Option<GroupName>,
    pub(crate) shared: Shared,
    pub(crate) times: Arc<Times>,
    /// What outlives the scene.
    pub(crate) state: StateFolder,
    pub(crate) sessions: RefCell<Sessions<Py<PyString>>>,
    pub(crate) handlers: RefCell<Handlers>,
    pub(crate) keys: RefCell<KeyCache>,
    /// What was taken from the inbox and is not yet dispatched.
    pub(crate) backlog: RefCell<VecDeque<Event>>,
    /// Seats of sessions that have lost their gates, and have their turns in the
    /// rounds that come: they are many at once.
    pub(crate) due: RefCell<VecDeque<SeatId>>,
    /// Coroutines of the script that wait.
    pub(crate) pending: RefCell<HashMap<Ticket, Pending>>,
    pub(crate) deadlines: RefCell<BTreeSet<(Instant, Ticket)>>,
    pub(crate) next_ticket: Cell<u64>,
    /// What the script has asked of others.
    pub(crate) asks: RefCell<Asks>,
    /// Who calls the script.
    pub(crate) callers: Callers,
    /// What the script is doing for others: each call that is under way has one.
    pub(crate) serving: Rc<()>,
    pub(crate) ids: RefCell<Ids>,
    pub(crate) phase: Cell<Phase>,
    /// How long the end may take.
    pub(crate) grace: Cell<Duration>,
    /// When the end has begun.
    pub(crate) stopped_at: Cell<Option<Instant>>,
    /// How the script gets back what an earlier process has left.
    pub(crate) restoring: Restoring,
    /// Who takes the sessions at the end; none holds them for the scene's return.
    pub(crate) heir: RefCell<Option<NodeName>>,
    /// Who waits until no session of a gate is here.
    pub(crate) fences: RefCell<Vec<(NodeId, oneshot::Sender<()>)>>,
    pub(crate) python: Callables,
    /// The session whose frame is being handled, and its id's own object: most of
    /// what a handler sends is for that one, which is not looked for then.
    pub(crate) turn: Cell<Option<(usize, Held)>>,
    /// The session for which a function of the script is called just now.
    pub(crate) speaking: Cell<Option<SeatId>>,
    gathered: RefCell<Vec<Action>>,
    /// Whether somebody will hand over what is gathered.
    flush_is_due: Cell<bool>,
    /// Whether it has been said that messages are dropped.
    outbox_is_full: Cell<bool>,
    /// What runs that no event has called, and what it runs within.
    pub(crate) entered: RefCell<Vec<(Label, Outer)>>,
    /// Errors of late.
    pub(crate) repeats: RefCell<Repeats>,
    /// When what is done once a second was done last.
    pub(crate) chores_at: Cell<Instant>,
    /// How much has happened since then.
    pub(crate) events: Cell<u64>,
    /// When it was last looked at.
    pub(crate) clock: Cell<Instant>,
    /// Whether a batch is being worked off.
    pub(crate) in_round: Cell<bool>,
}

/// How far the host's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It takes events.
    Running,
    /// Nobody is let in any more, and the sessions are handed over.
    Stopping,
    /// Who has not left is told to be offline. Nothing is taken any more.
    Ending,
    /// The event loop has ended: nothing is begun any more.
    Ended,
}

/// What the host calls in Python.
pub(crate) struct Callables {
    /// The module `ffext.host`.
    pub(crate) host: Py<PyModule>,
    /// The module `ffext.loading`.
    pub(crate) loading: Py<PyModule>,
    /// `traceback.format_exception`.
    pub(crate) format_exception: Py<PyAny>,
    /// The event loop's `create_task`.
    pub(crate) create_task: Py<PyAny>,
    /// `ffext.tasks.chores`.
    pub(crate) chores: Py<PyAny>,
    /// What begins coroutines.
    pub(crate) steps: Steps,
    /// `ffext.errors.CallError`.
    pub(crate) call_error: Py<PyAny>,
    /// `ffext.asks.Answer`.
    pub(crate) future: Py<PyAny>,
    /// The event loop's `call_soon`.
    pub(crate) call_soon: Py<PyAny>,
    /// Calls [`Host::flush`].
    pub(crate) flush: Py<PyAny>,
    /// What the script is loaded in, and what everything else of it begins with.
    pub(crate) context: Context,
}

impl Host {
    /// How many actions are gathered before they are handed over: the network
    /// works on the first while the script makes the next.
    const HAND_OVER: usize = 128;

    pub(crate) fn new(
        (name, group): (NodeName, Option<GroupName>),
        shared: Shared,
        state: StateFolder,
        python: Callables,
    ) -> Self {
        Host {
            name,
            group,
            times: shared.times.clone(),
            shared,
            state,
            sessions: RefCell::default(),
            handlers: RefCell::default(),
            keys: RefCell::default(),
            backlog: RefCell::default(),
            due: RefCell::default(),
            pending: RefCell::default(),
            deadlines: RefCell::default(),
            next_ticket: Cell::new(0),
            asks: RefCell::default(),
            callers: Callers::default(),
            serving: Rc::default(),
            ids: RefCell::default(),
            phase: Cell::new(Phase::Running),
            grace: Cell::default(),
            stopped_at: Cell::default(),
            restoring: Restoring::default(),
            heir: RefCell::default(),
            fences: RefCell::default(),
            python,
            turn: Cell::new(None),
            speaking: Cell::new(None),
            gathered: RefCell::default(),
            flush_is_due: Cell::new(false),
            outbox_is_full: Cell::new(false),
            entered: RefCell::default(),
            repeats: RefCell::default(),
            chores_at: Cell::new(Instant::now()),
            events: Cell::new(0),
            clock: Cell::new(Instant::now()),
            in_round: Cell::new(false),
        }
    }

    /// Makes this the host of this thread.
    pub(crate) fn install(self) -> Rc<Self> {
        let host = Rc::new(self);
        HOST.with_borrow_mut(|current| *current = Some(host.clone()));
        host
    }

    /// This thread has no host from now on.
    pub(crate) fn uninstall() {
        HOST.with_borrow_mut(|current| *current = None);
    }

    /// The script, or the host for it, wants this done.
    pub(crate) fn act(&self, py: Python<'_>, action: Action) {
        let gathered = {
            let mut gathered = self.gathered.borrow_mut();
            gathered.push(action);
            gathered.len()
        };
        if gathered >= Self::HAND_OVER {
            self.hand_over();
        } else {
            self.owe_flush(py);
        }
    }

    /// There is something to hand over: at the end of the batch, or, outside of
    /// one, at the event loop's next turn.
    pub(crate) fn owe_flush(&self, py: Python<'_>) {
        if self.flush_is_due.replace(true) {
            return;
        }
        let flush = self.python.flush.bind(py);
        if self.python.call_soon.bind(py).call1((flush,)).is_err() {
            // The loop is closed, and has no turns any more.
            self.flush();
        }
    }

    /// Sends a message, if it fits in what may wait for the network, and says
    /// whether it does. Dropping is logged once for each time that the outbox
    /// gets full, and not for every message.
    pub(crate) fn send(&self, py: Python<'_>, message: Action) -> bool {
        let outbox = &self.shared.outbox;
        if outbox.reserve(message.message_bytes().unwrap_or(0)) {
            if self.outbox_is_full.get() && outbox.is_half_empty() {
                self.outbox_is_full.set(false);
            }
            self.act(py, message);
            return true;
        }
        outbox.lose("outbox_full");
        if !self.outbox_is_full.replace(true) {
            let limit_bytes = outbox.limit();
            warn!(
                limit_bytes,
                "messages dropped: the network takes them too slowly"
            );
        }
        false
    }

    /// A batch begins, which will end with a [`flush`](Host::flush).
    pub(crate) fn begin_batch(&self) {
        self.flush_is_due.set(true);
    }

    /// There is something to hand over if gates are to be told something, or
    /// somebody waits for the end of sessions.
    pub(crate) fn owe_news(&self, py: Python<'_>) {
        if self.sessions.borrow().has_news() || !self.fences.borrow().is_empty() {
            self.owe_flush(py);
        }
    }

    /// Hands over everything that is gathered, then what has been handled, then
    /// who has left: a gate that hears of the last has heard all before it.
    pub(crate) fn flush(&self) {
        self.flush_is_due.set(false);
        let (finished, left, sessions) = {
            let mut sessions = self.sessions.borrow_mut();
            (
                sessions.take_finished(),
                sessions.take_left(),
                sessions.connected(),
            )
        };
        self.shared
            .sessions
            .store(sessions as u64, Ordering::Relaxed);
        let finished = finished.into_iter().map(Action::Finished);
        let left = left.into_iter().map(Action::Left);
        self.gathered.borrow_mut().extend(finished.chain(left));
        self.hand_over();
        self.clear_fences();
    }

    /// Answers those who have waited until nothing of a gate was here.
    fn clear_fences(&self) {
        let mut fences = self.fences.borrow_mut();
        if fences.is_empty() {
            return;
        }
        let sessions = self.sessions.borrow();
        let (held, clear): (Vec<_>, Vec<_>) = mem::take(&mut *fences)
            .into_iter()
            // Whoever has stopped waiting asks again.
            .filter(|(_, waits)| !waits.is_closed())
            .partition(|(gate, _)| match *gate {
                NodeId::BROKER => sessions.gates().any(|gate| !self.shared.peers.has(gate)),
                gate => sessions.holds(gate),
            });
        *fences = held;
        for (_, waits) in clear {
            let _ = waits.send(());
        }
    }

    fn hand_over(&self) {
        self.shared
            .outbox
            .hand_over(&mut self.gathered.borrow_mut());
    }
}

/// The host of this thread.
///
/// # Errors
/// On any other thread than the script's.
pub(crate) fn current() -> PyResult<Rc<Host>> {
    HOST.with_borrow(Clone::clone).ok_or_else(|| {
        PyRuntimeError::new_err(
            "ffext is used from the scene's own thread; from another one, use \
             loop.call_soon_threadsafe()",
        )
    })
}
