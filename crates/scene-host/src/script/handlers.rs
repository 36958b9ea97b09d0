//! Which functions of the script take what.

use std::rc::Rc;

use foldhash::HashMap;
use pyo3::prelude::*;

use crate::{observe::activity::Label, values::body::Body};

/// The functions that are in force. Replaced as a whole by each load.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    calls: HashMap<u16, Rc<Handler>>,
    services: HashMap<u16, Rc<Handler>>,
    callbacks: [Option<Rc<Handler>>; 4],
}

/// A function of the script.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) function: Py<PyAny>,
    /// What it takes of a frame.
    pub(crate) body: Body,
    /// Lets the session's next frames begin while it waits.
    pub(crate) concurrent: bool,
    pub(crate) label: Label,
}

/// Things that happen to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Verify,
    Enter,
    Leave,
    Offline,
}

impl Callback {
    const ALL: [Callback; 4] = [
        Callback::Verify,
        Callback::Enter,
        Callback::Leave,
        Callback::Offline,
    ];

    /// As logs and metrics say it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Callback::Verify => "verify",
            Callback::Enter => "enter",
            Callback::Leave => "leave",
            Callback::Offline => "offline",
        }
    }

    /// The callback of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

impl Handlers {
    /// Who takes the frames of a command.
    pub(crate) fn call(&self, cmd: u16) -> Option<Rc<Handler>> {
        self.calls.get(&cmd).cloned()
    }

    /// Who answers the calls of a command.
    pub(crate) fn service(&self, cmd: u16) -> Option<Rc<Handler>> {
        self.services.get(&cmd).cloned()
    }

    /// The commands that are served, in rising order.
    pub(crate) fn served(&self) -> Vec<u16> {
        let mut served: Vec<u16> = self.services.keys().copied().collect();
        served.sort_unstable();
        served
    }

    /// Who is told of something.
    pub(crate) fn callback(&self, callback: Callback) -> Option<Rc<Handler>> {
        self.callbacks[callback as usize].clone()
    }

    pub(crate) fn set_call(&mut self, cmd: u16, handler: Handler) {
        self.calls.insert(cmd, Rc::new(handler));
    }

    pub(crate) fn set_service(&mut self, cmd: u16, handler: Handler) {
        self.services.insert(cmd, Rc::new(handler));
    }

    pub(crate) fn set_callback(&mut self, callback: Callback, handler: Handler) {
        self.callbacks[callback as usize] = Some(Rc::new(handler));
    }
}
