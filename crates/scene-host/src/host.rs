//! What the script's thread has at hand.
//!
//! One [`Host`] lives on that thread, found through [`current`] by the functions
//! that the script calls. Nothing in it is shared with other threads except the
//! two queues, the status and the activity. A borrow of its cells never spans
//! a call into Python, which may come back here.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap, VecDeque},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use metrics::counter;
use protocol::Login;
use pyo3::{exceptions::PyRuntimeError, prelude::*, types::PyString};
use tokio::sync::watch;
use topology::Limits;
use tracing::warn;

use crate::{
    Action, Event, Inbox, Outbox, ScriptStatus,
    activity::Activity,
    context::Context,
    handlers::Handlers,
    jobs::{Pending, Ticket},
    json::KeyCache,
    sessions::Sessions,
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
}

/// The state of the script's thread.
pub(crate) struct Host {
    pub(crate) shared: Shared,
    pub(crate) limits: Limits,
    pub(crate) sessions: RefCell<Sessions<Py<PyString>>>,
    pub(crate) handlers: RefCell<Handlers>,
    pub(crate) keys: RefCell<KeyCache>,
    /// What was taken from the inbox and is not yet dispatched.
    pub(crate) backlog: RefCell<VecDeque<Event>>,
    /// Coroutines of the script that wait.
    pub(crate) pending: RefCell<HashMap<Ticket, Pending>>,
    pub(crate) deadlines: RefCell<BTreeSet<(Instant, Ticket)>>,
    pub(crate) next_ticket: Cell<u64>,
    pub(crate) phase: Cell<Phase>,
    /// How long the end may take.
    pub(crate) grace: Cell<Duration>,
    pub(crate) python: Callables,
    gathered: RefCell<Vec<Action>>,
    /// Whether somebody will hand over what is gathered.
    flush_is_due: Cell<bool>,
    last_login: Cell<u64>,
    /// Whether it has been said that messages are dropped.
    outbox_is_full: Cell<bool>,
}

/// How far the host's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It takes events.
    Running,
    /// It ends what it has.
    Stopping,
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

    pub(crate) fn new(shared: Shared, limits: Limits, python: Callables) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = started.map_or(0, |since| since.as_micros());
        Host {
            shared,
            limits,
            sessions: RefCell::default(),
            handlers: RefCell::default(),
            keys: RefCell::default(),
            backlog: RefCell::default(),
            pending: RefCell::default(),
            deadlines: RefCell::default(),
            next_ticket: Cell::new(0),
            phase: Cell::new(Phase::Running),
            grace: Cell::default(),
            python,
            gathered: RefCell::default(),
            flush_is_due: Cell::new(false),
            // Higher than whatever an earlier run of this host has given.
            last_login: Cell::new(u64::try_from(micros).unwrap_or(0)),
            outbox_is_full: Cell::new(false),
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

    /// The number of the next login.
    pub(crate) fn next_login(&self) -> Login {
        self.last_login.set(self.last_login.get() + 1);
        Login(self.last_login.get())
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
            if outbox.is_half_empty() {
                self.outbox_is_full.set(false);
            }
            self.act(py, message);
            return true;
        }
        counter!("redrabbit_messages_dropped_total", "reason" => "outbox_full").increment(1);
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

    /// Hands over everything that is gathered, and what has been handled.
    pub(crate) fn flush(&self) {
        self.flush_is_due.set(false);
        let (finished, sessions) = {
            let mut sessions = self.sessions.borrow_mut();
            (sessions.take_finished(), sessions.connected())
        };
        self.shared
            .sessions
            .store(sessions as u64, Ordering::Relaxed);
        let finished = finished.into_iter().map(Action::Finished);
        self.gathered.borrow_mut().extend(finished);
        self.hand_over();
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
